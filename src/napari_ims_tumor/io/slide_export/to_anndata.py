"""Pixels and channels as an AnnData file: obs are pixels, var are m/z, obsm["spatial"] the places.

AnnData writes everything but the matrix; that follows in runs of channels, as its on-disk format
describes, so that it is never whole in memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from napari_ims_tumor.atomic import atomic_write
from napari_ims_tumor.io.slide_export.described import (
    centers,
    label_names,
    pixel_columns,
    pixel_size,
    row_groups,
    value_type,
)
from napari_ims_tumor.io.slide_export.extras import library
from napari_ims_tumor.io.slide_export.stored_rows import StoredRows, gather, report
from napari_ims_tumor.io.slide_export.to_planes import settle_channels
from napari_ims_tumor.io.slide_export.view import ExportView
from napari_ims_tumor.job import Job, Progress
from napari_ims_tumor.msi.channels import Channels

_CHUNK: Final = (1024, 64)
"""Pixels and channels that are compressed together: both a spectrum and an image are few chunks."""


def export_anndata(view: ExportView, path: Path) -> Job[Progress, tuple[Path, ...]]:
    """Write a .h5ad file."""
    channels = yield from settle_channels(view)
    shape = (len(channels), view.spectra.n_spectra)
    with (
        StoredRows(path.absolute().parent, shape, value_type(view)) as rows,
        atomic_write(path) as temporary,
    ):
        yield from gather(view, channels, rows)
        annotated(view, channels).write_h5ad(temporary)
        with library("h5py").File(temporary, "r+") as file:
            yield from _write_matrix(file, rows)
    return (path,)


def annotated(view: ExportView, channels: Channels, matrix: Any = None) -> Any:
    """Make the AnnData object; without a matrix it has only a shape."""
    pandas, anndata = library("pandas"), library("anndata")
    obs = pandas.DataFrame(pixel_columns(view), index=_pixel_names(view))
    names = label_names(view)
    if names is not None:
        obs["label"] = pandas.Categorical(names)
    columns = {"mz": channels.mz, "mz_low": channels.low, "mz_high": channels.high}
    var = pandas.DataFrame(columns, index=list(channels.names))
    _, unit = pixel_size(view)
    about = {**{name: str(value) for name, value in view.facts().items()}, "spatial_unit": unit}
    return anndata.AnnData(
        X=matrix, obs=obs, var=var, obsm={"spatial": centers(view)},
        uns={"napari_ims_tumor": about},
    )  # fmt: skip


def _pixel_names(view: ExportView) -> list[str]:
    """Name pixels by their place; of two at one place the second gets its number too."""
    whole, chosen = view.slide.pixels, view.chosen.indices
    places = zip(
        whole.planes[chosen].tolist(), whole.rows[chosen].tolist(), whole.columns[chosen].tolist(),
        strict=True,
    )  # fmt: skip
    several = whole.n_planes > 1
    names = [f"{f'plane {z}, ' if several else ''}row {r}, column {c}" for z, r, c in places]
    seen: set[str] = set()
    for number, name in enumerate(names):
        if name in seen:
            names[number] = f"{name}, spectrum {int(chosen[number])}"
        seen.add(name)
    return names


def _write_matrix(file: Any, rows: StoredRows) -> Job[Progress, None]:
    k, n = rows.shape
    if "X" in file:
        del file["X"]
    chunk = (min(n, _CHUNK[0]), min(k, _CHUNK[1]))
    matrix = file.create_dataset(
        "X", shape=(n, k), dtype=rows.dtype, chunks=chunk, compression="gzip", compression_opts=1
    )
    matrix.attrs["encoding-type"] = "array"
    matrix.attrs["encoding-version"] = "0.2.0"
    for first, last in row_groups(rows, chunk[1]):
        matrix[:, first:last] = rows.rows(first, last).T
        yield from report("Writing channels", last, k)
