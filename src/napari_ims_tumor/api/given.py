"""What was given for a model or a slide: a path, or the thing itself; anything else is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from napari_ims_tumor.errors import ModelFileError, SlideError
from napari_ims_tumor.msi.dataset import MsiDataset

if TYPE_CHECKING:
    from napari_ims_tumor.api.slides import PathLike
    from napari_ims_tumor.model.fitted_model import FittedModel
    from napari_ims_tumor.model.unfinished import Unfinished

_OF_SLIDES: Final = ("pixels", "n_spectra", "spectrum")


def model_given(model: PathLike | FittedModel) -> FittedModel:
    """Read a model where its file was given."""
    from napari_ims_tumor.model.checkpoint import read_model
    from napari_ims_tumor.model.fitted_model import FittedModel

    if isinstance(model, (str, os.PathLike)):
        return read_model(Path(model))
    if not isinstance(model, FittedModel):
        raise ModelFileError(
            f"the model is {_what(model)}: give the path of a .safetensors file, or what ims.fit "
            "or ims.read_model returned"
        )
    return model


def base_given(base: PathLike | FittedModel | Unfinished | None) -> FittedModel | Unfinished | None:
    """Read what a fit shall start from; ``None`` where it starts from nothing."""
    from napari_ims_tumor.model.checkpoint import read_model
    from napari_ims_tumor.model.fitted_model import FittedModel
    from napari_ims_tumor.model.unfinished import Unfinished

    if isinstance(base, (str, os.PathLike)):
        return read_model(Path(base))
    if base is not None and not isinstance(base, (FittedModel, Unfinished)):
        raise ModelFileError(
            f"base is {_what(base)}: give a model to start from or the path of its file, "
            "model.unfinished of a fit that shall go on, or None"
        )
    return base


def slide_given(slide: PathLike | MsiDataset) -> Path | MsiDataset:
    """Tell the path of a slide from an open one."""
    if isinstance(slide, (str, os.PathLike)):
        return Path(slide)
    if not all(hasattr(slide, name) for name in _OF_SLIDES):
        raise SlideError(
            f"the slide is {_what(slide)}: give the path of an .imzML file, or what "
            "ims.open_imzml returned"
        )
    return slide


def _what(given: object) -> str:
    """A short word for something: an array in full would fill the screen."""
    is_short = given is None or isinstance(given, (bool, int, float))
    return repr(given) if is_short else f"of the type {type(given).__name__}"
