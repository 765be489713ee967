"""What a fit was asked to do, frozen at the moment of asking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.msi.dataset import MsiDataset

if TYPE_CHECKING:
    from napari_ims_tumor.model.config import FitConfig
    from napari_ims_tumor.model.fitted_model import FittedModel
    from napari_ims_tumor.model.unfinished import Unfinished


@dataclass(frozen=True, eq=False)
class FitRequest:
    """One press of *Fit*: painting on while it runs changes nothing here.

    Attributes
    ----------
    slides
        (dataset, annotation) of every slide with strokes.
    base
        The model to fine-tune, or the fit that goes on; ``None`` to start new.
    """

    slides: tuple[tuple[MsiDataset, Annotation], ...]
    config: FitConfig
    base: FittedModel | Unfinished | None = None
