"""Mean and maximum spectra of classes, cores or pieces of tissue, as a table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_ims_tumor.annotation.regions import tissue_regions
from napari_ims_tumor.io.slide_export.stored_rows import report
from napari_ims_tumor.io.slide_export.to_planes import settle_channels
from napari_ims_tumor.io.slide_export.view import ExportView
from napari_ims_tumor.io.table_file import Column, Table, write_table
from napari_ims_tumor.job import Job, Progress
from napari_ims_tumor.msi.arrays import Float64Array, IntArray
from napari_ims_tumor.msi.channels import Channels


@dataclass(frozen=True, eq=False)
class RegionSpectra:
    """What is averaged, over what.

    Attributes
    ----------
    names
        Of the regions.
    counts
        Shape (regions,): pixels of each.
    mean, highest
        Shape (channels, regions).
    """

    names: tuple[str, ...]
    counts: IntArray
    mean: Float64Array
    highest: Float64Array


def export_table(view: ExportView, path: Path) -> Job[Progress, tuple[Path, ...]]:
    """Write the spectra of every region."""
    channels = yield from settle_channels(view)
    spectra = yield from average(view, channels)
    form = view.request.table or "long"
    columns = _wide(channels, spectra) if form == "wide" else _long(channels, spectra)
    write_table(path, Table(columns, _about(view, channels, spectra)))
    return (path,)


def members(view: ExportView) -> tuple[tuple[str, ...], IntArray]:
    """Names of the regions, and to which each chosen spectrum belongs; −1 for none."""
    grouping, chosen = view.request.grouping, view.chosen
    if grouping == "slide":
        return (view.slide.name,), np.zeros(chosen.indices.size, np.int64)
    if grouping == "class" and view.labels is not None and chosen.annotation is not None:
        known = {c.value: c.name for c in chosen.annotation.scheme.classes}
        return _numbered(view.labels, known)
    if grouping == "group" and view.groups is not None:
        return _numbered(view.groups, {n: f"group {n}" for n in np.unique(view.groups).tolist()})
    pixels = view.slide.pixels
    pieces: IntArray = pixels.as_vector(tissue_regions(pixels.measured))[chosen.indices]
    return _numbered(pieces, {n: f"region {n}" for n in np.unique(pieces).tolist()})


def _numbered(values: IntArray, names: dict[int, str]) -> tuple[tuple[str, ...], IntArray]:
    """Number the values that occur from 0 on; 0 is outside."""
    found = [value for value in sorted(names) if value > 0 and (values == value).any()]
    member = np.full(values.size, -1, np.int64)
    for number, value in enumerate(found):
        member[values == value] = number
    return tuple(names[value] for value in found), member


def average(view: ExportView, channels: Channels) -> Job[Progress, RegionSpectra]:
    """Average the chosen spectra of every region in one pass; what is not finite counts as 0."""
    names, member = members(view)
    sums = np.zeros((len(channels), len(names)))
    highest = np.full(sums.shape, -np.inf)
    done, total = 0, view.spectra.n_spectra
    for block in view.spectra.blocks():
        values = channels.values(block, view.request.reduce)
        if view.factors is not None:
            values = values * view.factors[block.indices]
        if not np.isfinite(values).all():
            values = np.where(np.isfinite(values), values, 0)
        here = member[block.indices]
        for region in np.unique(here[here >= 0]).tolist():
            inside = here == region
            own = values if inside.all() else values[:, inside]
            sums[:, region] += own.sum(axis=1, dtype=np.float64)
            highest[:, region] = np.maximum(highest[:, region], own.max(axis=1))
        done += block.indices.size
        yield from report("Averaging spectra", done, total)
    counts = np.bincount(member[member >= 0], minlength=len(names)).astype(np.int64)
    return RegionSpectra(names, counts, sums / np.maximum(counts, 1), highest)


def _long(channels: Channels, spectra: RegionSpectra) -> dict[str, Column]:
    k = len(channels)
    n = len(spectra.names)
    return {
        "region": [name for name in spectra.names for _ in range(k)],
        "pixels": np.repeat(spectra.counts, k),
        **{name: np.tile(column, n) for name, column in _axis(channels).items()},
        "mean": spectra.mean.T.ravel(),
        "max": spectra.highest.T.ravel(),
    }


def _wide(channels: Channels, spectra: RegionSpectra) -> dict[str, Column]:
    columns: dict[str, Column] = dict(_axis(channels))
    for number, name in enumerate(spectra.names):
        columns[f"mean {name}"] = spectra.mean[:, number]
        columns[f"max {name}"] = spectra.highest[:, number]
    return columns


def _axis(channels: Channels) -> dict[str, Float64Array]:
    """Say where a channel lies; the bounds only where it is wider than a value."""
    if channels.exact:
        return {"mz": channels.mz}
    return {"mz": channels.mz, "mz_low": channels.low, "mz_high": channels.high}


def _about(view: ExportView, channels: Channels, spectra: RegionSpectra) -> dict[str, object]:
    pairs = zip(spectra.names, spectra.counts.tolist(), strict=True)
    word = {"sum": "sum", "max": "maximum", "mean": "mean"}[view.request.reduce]
    summed = "" if channels.exact else f", {word} from mz_low to mz_high, both included"
    return {
        **view.facts(),
        "regions": "; ".join(f"{name} ({count} pixels)" for name, count in pairs),
        "mean, max": "over the pixels of the region",
        "units": f"m/z in Th; intensity in the units of the file{summed}",
    }
