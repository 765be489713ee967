"""Which number types an exported slide has on disk: those of its source, where these are known."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_ims_tumor.io.ibd_writer import Types
from napari_ims_tumor.io.imzml.dataset import ImzmlDataset
from napari_ims_tumor.io.slide_export.view import ExportView


def types_on_disk(view: ExportView) -> Types:
    """Return the types of m/z and intensities.

    What is copied keeps its type. Peaks that were found between samples are floating: m/z of 64
    bits, intensities of the type that the slide is read in.
    """
    slide = view.slide
    read = view.intensity_type
    if not isinstance(slide, ImzmlDataset):
        return np.dtype(np.float64), read
    mz = _widest(slide.metadata.get("m/z type", "float64"))
    intensity = _widest(slide.metadata.get("intensity type", read.name))
    if view.request.centroid is None:
        return mz, intensity
    return np.dtype(np.float64), intensity if intensity.kind == "f" else read


def _widest(names: str) -> np.dtype[Any]:
    """Return the one type, or one that holds the values of all."""
    return np.result_type(*(np.dtype(name.strip()) for name in names.split(",")))
