"""Columns that say of every exported pixel and channel what and where it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.annotation.whole_regions import value_names
from napari_ims_tumor.io.slide_export.stored_rows import BUFFER, StoredRows
from napari_ims_tumor.io.slide_export.to_imzml import positions_of
from napari_ims_tumor.io.slide_export.view import ExportView
from napari_ims_tumor.msi.arrays import Float64Array

MICROMETER = "micrometer"
PIXEL = "pixel"


def pixel_columns(view: ExportView) -> dict[str, NDArray[Any]]:
    """Row, column and plane in the whole slide's bounding box; x and y as in its file."""
    whole, chosen = view.slide.pixels, view.chosen.indices
    places = positions_of(view)
    columns: dict[str, NDArray[Any]] = {
        "row": whole.rows[chosen],
        "column": whole.columns[chosen],
        "x": places.x,
        "y": places.y,
    }
    if whole.n_planes > 1:
        columns["plane"] = whole.planes[chosen]
    if view.groups is not None:
        columns["group"] = view.groups
    return columns


def label_names(view: ExportView) -> list[str] | None:
    """Class of every exported pixel in words; ``None`` without labels."""
    if view.labels is None or view.chosen.annotation is None:
        return None
    known = value_names(view.chosen.annotation.scheme)
    return [known.get(value, "unlabelled") for value in view.labels.tolist()]


def pixel_size(view: ExportView) -> tuple[tuple[float, float], str]:
    """(row, column) size of a pixel, and its unit: pixels where the slide does not say."""
    size = view.slide.pixels.pixel_size_um
    return ((1.0, 1.0), PIXEL) if size is None else (size, MICROMETER)


def centers(view: ExportView) -> Float64Array:
    """Centers of the exported pixels as (x, y), shape (n, 2); 0, 0 is where the slide begins."""
    grid = view.spectra.pixels
    (height, width), _ = pixel_size(view)
    x = (grid.columns + grid.origin[1] + 0.5) * width
    y = (grid.rows + grid.origin[0] + 0.5) * height
    return np.stack([x, y], axis=1)


def value_type(view: ExportView) -> np.dtype[Any]:
    """The floating type that channels are written in: the one that the slide is read in."""
    return view.intensity_type


def row_groups(rows: StoredRows, multiple: int = 1) -> Iterator[tuple[int, int]]:
    """Cut the channels into runs of bounded memory, each a multiple but the last."""
    each = max(rows.shape[1] * rows.dtype.itemsize, 1)
    step = max(BUFFER // each // multiple, 1) * multiple
    for first in range(0, rows.shape[0], step):
        yield first, min(first + step, rows.shape[0])
