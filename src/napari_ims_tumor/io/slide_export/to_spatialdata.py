"""A slide as a SpatialData store: ion images, the pixels as labels, and their table of channels."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from napari_ims_tumor.atomic import atomic_folder
from napari_ims_tumor.io.slide_export.described import pixel_size, value_type
from napari_ims_tumor.io.slide_export.extras import library
from napari_ims_tumor.io.slide_export.stored_rows import BUFFER, StoredRows, gather, report
from napari_ims_tumor.io.slide_export.to_anndata import annotated
from napari_ims_tumor.io.slide_export.to_planes import settle_channels
from napari_ims_tumor.io.slide_export.view import ExportView
from napari_ims_tumor.job import Job, Progress
from napari_ims_tumor.msi.arrays import IntArray
from napari_ims_tumor.msi.channels import Channels

IONS, PIXELS, CLASSES, TABLE = "ions", "pixels", "classes", "spectra"


def export_spatialdata(view: ExportView, path: Path) -> Job[Progress, tuple[Path, ...]]:
    """Write a .spatialdata.zarr folder; the images and the table are read as they are written."""
    channels = yield from settle_channels(view)
    shape = (len(channels), view.spectra.n_spectra)
    with (
        StoredRows(path.absolute().parent, shape, value_type(view)) as rows,
        atomic_folder(path) as folder,
    ):
        yield from gather(view, channels, rows)
        yield from report("Writing the store")
        # It makes the folder itself, and refuses one that exists.
        folder.rmdir()
        with warnings.catch_warnings():
            # What its libraries plan for their next versions is nothing to a user.
            warnings.simplefilter("ignore")
            _store(view, channels, rows).write(folder)
        yield from report("Writing the store", 1, 1)
    return (path,)


def _store(view: ExportView, channels: Channels, rows: StoredRows) -> Any:
    models = library("spatialdata.models")
    grid, placed = view.spectra.pixels, {"global": _placement(view)}
    axes = ("z", "y", "x")[-len(grid.image_shape) :]
    dimensions = "3D" if len(axes) == 3 else "2D"
    image = getattr(models, f"Image{dimensions}Model").parse(
        _images(view, rows), dims=("c", *axes), c_coords=list(channels.names),
        transformations=placed,
    )  # fmt: skip
    instances = np.arange(1, view.spectra.n_spectra + 1, dtype=np.int64)
    labels = {PIXELS: instances}
    if view.labels is not None:
        labels[CLASSES] = view.labels
    model = getattr(models, f"Labels{dimensions}Model")
    return library("spatialdata").SpatialData(
        images={IONS: image},
        labels={
            name: model.parse(grid.as_image(vector, 0), dims=axes, transformations=placed)
            for name, vector in labels.items()
        },
        tables={TABLE: _table(view, channels, rows, instances)},
        attrs={"napari-ims-tumor": view.facts()},
    )


def _placement(view: ExportView) -> Any:
    """From pixels of the image to µm (or pixels) in the slide's own coordinates."""
    transformations = library("spatialdata.transformations")
    (height, width), _ = pixel_size(view)
    top, left = view.spectra.pixels.origin
    scale = transformations.Scale([width, height], axes=("x", "y"))
    shift = transformations.Translation([left * width, top * height], axes=("x", "y"))
    return transformations.Sequence([scale, shift])


def _images(view: ExportView, rows: StoredRows) -> Any:
    """All ion images as a lazy array, in chunks of whole images."""
    grid = view.spectra.pixels
    each = max(int(np.prod(grid.image_shape)) * rows.dtype.itemsize, 1)
    together = max(min((BUFFER >> 4) // each, rows.shape[0]), 1)
    source = _Lazy((rows.shape[0], *grid.image_shape), rows, grid.as_image)
    return library("dask.array").from_array(
        source, chunks=(together, *grid.image_shape), lock=True, asarray=False
    )


def _table(view: ExportView, channels: Channels, rows: StoredRows, instances: IntArray) -> Any:
    n = rows.shape[1]
    together = max(min((BUFFER >> 4) // max(n * rows.dtype.itemsize, 1), rows.shape[0]), 1)
    source = _Lazy((rows.shape[0], n), rows, lambda values: values)
    lazy = library("dask.array").from_array(source, chunks=(together, n), lock=True, asarray=False)
    table = annotated(view, channels, lazy.T)
    table.obs["region"] = library("pandas").Categorical([PIXELS] * n)
    table.obs["instance_id"] = instances
    return library("spatialdata.models").TableModel.parse(
        table, region=PIXELS, region_key="region", instance_key="instance_id"
    )


class _Lazy:
    """What dask needs of an array: rows are read when a chunk of them is written."""

    def __init__(self, shape: tuple[int, ...], rows: StoredRows, made: Any) -> None:
        self.shape = shape
        self.dtype = rows.dtype
        self.ndim = len(shape)
        self._rows = rows
        self._made = made

    def __getitem__(self, key: tuple[slice, ...]) -> Any:
        first, last, _ = key[0].indices(self.shape[0])
        return self._made(self._rows.rows(first, last))[(slice(None), *key[1:])]
