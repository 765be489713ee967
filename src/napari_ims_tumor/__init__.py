"""Find tumor in mass spectrometry images: annotate, fine-tune a dilated CNN, overlay.

>>> import napari_ims_tumor as ims
>>> slide = ims.open_imzml("slide.imzML")  # doctest: +SKIP
>>> model = ims.fit(slide, "labels.npy")  # doctest: +SKIP
>>> tumor = ims.predict(model, slide).probabilities[1]  # doctest: +SKIP

Names are loaded when they are first used: importing the package costs no torch, napari or Qt.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_ims_tumor.annotation.annotation import Annotation
    from napari_ims_tumor.api import (
        evaluate,
        explain,
        export,
        fit,
        fit_cohort,
        ion_images,
        open_imzml,
        plan_export,
        predict,
        read_labels,
        read_model,
        simulate,
        validate,
        write_labels,
        write_model,
    )
    from napari_ims_tumor.errors import ImsTumorError
    from napari_ims_tumor.msi.mass_axis import MassAxis, MassTolerance, MassWindow

_HOMES = {
    "Annotation": "annotation.annotation",
    "ImsTumorError": "errors",
    "MassAxis": "msi.mass_axis",
    "MassTolerance": "msi.mass_axis",
    "MassWindow": "msi.mass_axis",
    "evaluate": "api",
    "explain": "api",
    "export": "api",
    "fit": "api",
    "fit_cohort": "api",
    "ion_images": "api",
    "open_imzml": "io.imzml.opening",
    "plan_export": "api",
    "predict": "api",
    "read_labels": "api",
    "read_model": "api",
    "simulate": "api",
    "validate": "api",
    "write_labels": "api",
    "write_model": "api",
}

__all__ = [
    "Annotation",
    "ImsTumorError",
    "MassAxis",
    "MassTolerance",
    "MassWindow",
    "evaluate",
    "explain",
    "export",
    "fit",
    "fit_cohort",
    "ion_images",
    "open_imzml",
    "plan_export",
    "predict",
    "read_labels",
    "read_model",
    "simulate",
    "validate",
    "write_labels",
    "write_model",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("napari-ims-tumor")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
