"""Channels of a slide as a zarr hierarchy: an OME-Zarr image, or a matrix of pixels and channels.

Version 3 of zarr and 0.5 of OME-Zarr (OME-NGFF): one resolution, since a slide has few pixels and
many channels. A chunk holds whole ion images, as many as make about a megabyte.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.annotation.whole_regions import value_colors, value_names
from napari_ims_tumor.atomic import atomic_folder
from napari_ims_tumor.io.slide_export.described import (
    MICROMETER,
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

FORMAT: Final = "napari-ims-tumor channels"
VERSION: Final = 1
NGFF: Final = "0.5"
_CHUNK: Final = 1 << 20
_LARGEST_CHUNK: Final = 1 << 26
_DESCRIBED_CHANNELS: Final = 1000
"""Viewers make a layer, or at least a slider, of each channel with a color: of so many at most."""


def export_zarr(view: ExportView, path: Path) -> Job[Progress, tuple[Path, ...]]:
    """Write channels as a folder of arrays."""
    channels = yield from settle_channels(view)
    shape = (len(channels), view.spectra.n_spectra)
    with (
        StoredRows(path.absolute().parent, shape, value_type(view)) as rows,
        atomic_folder(path) as folder,
    ):
        yield from gather(view, channels, rows)
        root = library("zarr").create_group(str(folder), zarr_format=3)
        _describe(root, view, channels)
        if view.request.array == "pixels":
            yield from _write_matrix(root, view, rows)
        else:
            yield from _write_image(root, view, channels, rows)
    return (path,)


def _describe(root: Any, view: ExportView, channels: Channels) -> None:
    """Add what is known of channels and of the export."""
    for name, values in (
        ("mz", channels.mz), ("mz_low", channels.low), ("mz_high", channels.high),
    ):  # fmt: skip
        _add(root, name, values, ("c",), {"unit": "m/z"})
    root.attrs["napari-ims-tumor"] = {
        "format": FORMAT,
        "version": VERSION,
        **view.facts(),
        "origin": list(view.spectra.pixels.origin),
        "pixel_size_um": _listed(view.slide.pixels.pixel_size_um),
        "intensity": "as in the file" if channels.exact else f"{view.request.reduce} of a window",
    }


def _listed(size: tuple[float, float] | None) -> list[float] | None:
    return None if size is None else list(size)


def _add(
    root: Any, name: str, values: NDArray[Any], axes: tuple[str, ...], about: dict[str, Any]
) -> None:
    array = root.create_array(
        name, shape=values.shape, dtype=values.dtype, chunks=values.shape, dimension_names=axes,
        attributes=about,
    )  # fmt: skip
    array[...] = values


def _write_matrix(root: Any, view: ExportView, rows: StoredRows) -> Job[Progress, None]:
    """Write (pixels, channels), and of each pixel where it lies."""
    n, k = rows.shape[1], rows.shape[0]
    size = rows.dtype.itemsize
    deep = min(n, _LARGEST_CHUNK // size)
    wide = min(max(_CHUNK // (deep * size), 1), k)
    array = root.create_array(
        "intensity", shape=(n, k), dtype=rows.dtype, chunks=(deep, wide),
        dimension_names=("pixel", "c"),
    )  # fmt: skip
    for first, last in row_groups(rows, wide):
        array[:, first:last] = rows.rows(first, last).T
        yield from report("Writing channels", last, k)
    for name, values in pixel_columns(view).items():
        _add(root, name, values, ("pixel",), {})
    if view.labels is not None:
        names = sorted(set(zip(view.labels.tolist(), label_names(view) or [], strict=True)))
        about = {"classes": {str(value): name for value, name in names}}
        _add(root, "label", view.labels.astype(np.uint8), ("pixel",), about)


def _write_image(
    root: Any, view: ExportView, channels: Channels, rows: StoredRows
) -> Job[Progress, None]:
    """Write (channels, rows, columns), with planes of a stack before the rows."""
    pixels = view.spectra.pixels
    k, shape = rows.shape[0], pixels.image_shape
    chunks = _image_chunks(k, shape, rows.dtype.itemsize)
    axes = ("c", "z", "y", "x")[:1] + ("z", "y", "x")[-len(shape) :]
    array = root.create_array(
        "0", shape=(k, *shape), dtype=rows.dtype, chunks=chunks, fill_value=np.nan,
        dimension_names=axes,
    )  # fmt: skip
    lowest, highest = np.zeros(k), np.zeros(k)
    for first, last in row_groups(rows, chunks[0]):
        values = rows.rows(first, last)
        lowest[first:last], highest[first:last] = _extremes(values)
        array[first:last] = pixels.as_image(values)
        yield from report("Writing images", last, k)
    about: dict[str, Any] = {"version": NGFF, "multiscales": [_multiscale(view, axes)]}
    if k <= _DESCRIBED_CHANNELS:
        about["omero"] = {"channels": _omero(channels, lowest, highest)}
    root.attrs["ome"] = about
    if view.labels is not None:
        _write_labels(root, view, axes[1:])


def _image_chunks(k: int, shape: tuple[int, ...], size: int) -> tuple[int, ...]:
    """Whole images in a chunk; one that is very large alone is cut into bands of rows."""
    image = int(np.prod(shape[-2:])) * size
    rows = shape[-2] if image <= _LARGEST_CHUNK else max(_LARGEST_CHUNK // (shape[-1] * size), 1)
    together = min(max(_CHUNK // max(image, 1), 1), k)
    return (together, *(1 for _ in shape[:-2]), rows, shape[-1])


def _extremes(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    finite = np.where(np.isfinite(values), values, 0)
    return finite.min(axis=1), finite.max(axis=1)


def _multiscale(view: ExportView, axes: tuple[str, ...]) -> dict[str, Any]:
    (height, width), unit = pixel_size(view)
    top, left = view.spectra.pixels.origin
    between = [1.0] * (len(axes) - 2)
    still = [0.0] * (len(axes) - 2)
    return {
        "name": view.slide.name,
        "axes": [_axis(name, unit) for name in axes],
        "datasets": [
            {
                "path": "0",
                "coordinateTransformations": [
                    {"type": "scale", "scale": [*between, height, width]},
                    {"type": "translation", "translation": [*still, top * height, left * width]},
                ],
            }
        ],
    }


def _axis(name: str, unit: str) -> dict[str, str]:
    if name == "c":
        return {"name": "c", "type": "channel"}
    in_plane = name in ("y", "x") and unit == MICROMETER
    return {"name": name, "type": "space", **({"unit": unit} if in_plane else {})}


def _omero(channels: Channels, lowest: NDArray[Any], highest: NDArray[Any]) -> list[dict[str, Any]]:
    return [
        {
            "label": name,
            "color": "FFFFFF",
            "active": number == 0,
            "window": {"start": low, "end": high, "min": low, "max": high},
        }
        for number, (name, low, high) in enumerate(
            zip(channels.names, lowest.tolist(), highest.tolist(), strict=True)
        )
    ]


def _write_labels(root: Any, view: ExportView, axes: tuple[str, ...]) -> None:
    """Add the classes as a label image of OME-Zarr, with their colors."""
    if view.labels is None or view.chosen.annotation is None:
        return
    image = view.spectra.pixels.as_image(view.labels, 0).astype(np.uint8)
    group = root.create_group("labels")
    group.attrs["ome"] = {"version": NGFF, "labels": ["classes"]}
    classes = group.create_group("classes")
    _add(classes, "0", image, axes, {})
    scheme = view.chosen.annotation.scheme
    found = {*scheme.values, *np.unique(image).tolist()} - {0}
    names, colors = value_names(scheme), value_colors(scheme)
    rgba = {v: [int(colors[v][i : i + 2], 16) for i in (1, 3, 5)] + [255] for v in sorted(found)}
    classes.attrs["ome"] = {
        "version": NGFF,
        "multiscales": [_multiscale(view, axes)],
        "image-label": {
            "colors": [{"label-value": v, "rgba": color} for v, color in rgba.items()],
            "properties": [{"label-value": v, "class": names[v]} for v in rgba],
            "source": {"image": "../../"},
        },
    }
