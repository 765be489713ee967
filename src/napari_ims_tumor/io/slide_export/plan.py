"""Says beforehand what an export writes and how large it gets, and refuses what cannot be."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.io.imzml.pair import pair_of
from napari_ims_tumor.io.imzml_passage import spectrum_text
from napari_ims_tumor.io.imzml_text import is_own
from napari_ims_tumor.io.slide_export.request import FOLDERS, Kind
from napari_ims_tumor.io.slide_export.to_imzml import beside
from napari_ims_tumor.io.slide_export.types import types_on_disk
from napari_ims_tumor.io.slide_export.view import ExportView
from napari_ims_tumor.msi.channels import MOST_PEAKS, bin_edges

_TABLE_CELL: Final = 20
_HEAD: Final = 6_000
_UNITS: Final = ("bytes", "kB", "MB", "GB", "TB")


@dataclass(frozen=True)
class ExportPlan:
    """What an export would do.

    Attributes
    ----------
    path, kind
        What is written.
    files
        The same with all that lies beside it.
    n_spectra
        How many spectra are read.
    shape
        Of the images: the bounding box of what is chosen.
    pixels
        The choice in words.
    mz_range
        Lowest and highest m/z that may occur, as asked for; ``None`` for all there is.
    n_channels
        Most channels there will be; ``None`` for a file of spectra.
    size
        Bytes of the output, about; before it is compressed, where it is.
    scratch
        Bytes that are needed beside the output while it is written.
    free
        Bytes that are free there.
    notices
        What was adapted or left out in reading labels.
    """

    path: Path
    kind: Kind
    files: tuple[Path, ...]
    n_spectra: int
    shape: tuple[int, ...]
    pixels: str
    mz_range: tuple[float, float] | None
    n_channels: int | None
    size: int
    scratch: int
    free: int
    notices: tuple[str, ...] = ()

    def facts(self) -> dict[str, str | int | list[int]]:
        """What a dry run prints."""
        found: dict[str, str | int | list[int]] = {
            "would write": str(self.path),
            "spectra": self.n_spectra,
            "shape": list(self.shape),
            "pixels": self.pixels,
        }
        if self.mz_range is not None:
            found["m/z"] = f"{self.mz_range[0]:.10g} to {self.mz_range[1]:.10g}"
        if self.n_channels is not None:
            found["channels"] = self.n_channels
        found["size"] = f"about {in_words(self.size)}"
        if self.scratch:
            found["scratch beside it"] = in_words(self.scratch)
        found["free"] = in_words(self.free)
        return found


def plan_export(view: ExportView, path: Path, kind: Kind) -> ExportPlan:
    """Estimate what an export writes; a few spectra are read where lengths differ."""
    spectra, request = view.spectra, view.request
    channels = None if kind == "imzml" else _n_channels(view)
    size, scratch = _imzml_size(view), 0
    if channels is not None:
        size, scratch = _channel_sizes(view, kind, channels)
    asked = request.mz_range
    return ExportPlan(
        path=path,
        kind=kind,
        files=_files(view, path, kind),
        n_spectra=spectra.n_spectra,
        shape=spectra.pixels.image_shape,
        pixels=view.chosen.words,
        mz_range=None if asked.is_whole else (asked.low, asked.high),
        n_channels=channels,
        size=size,
        scratch=scratch,
        free=_free_at(path),
        notices=view.chosen.notices,
    )


def refuse_what_cannot_be(plan: ExportPlan, inputs: Iterable[Path]) -> None:
    """Stop before the work where the output would replace an input, or does not fit the disk."""
    for given in inputs:
        for file in (given, *_other_half(given)):
            if any(path.exists() and file.exists() and path.samefile(file) for path in plan.files):
                raise ImsTumorError(f"{file} is read by this export: write to another file")
    _refuse_wrong_place(plan)
    needed = plan.size + plan.scratch
    if needed > plan.free:
        folder = plan.path.absolute().parent
        raise ImsTumorError(
            f"{plan.path.name} would take about {in_words(needed)}, and {folder} has "
            f"{in_words(plan.free)} free: choose fewer pixels or channels, or another disk"
        )


def _files(view: ExportView, path: Path, kind: Kind) -> tuple[Path, ...]:
    if kind != "imzml":
        return (path,)
    labels, groups = beside(path)
    images = ((labels, view.labels), (groups, view.groups))
    also = [file for file, vector in images if vector is not None]
    return (path, path.with_suffix(".ibd"), *also)


def in_words(size: int) -> str:
    """Say a number of bytes in the unit that suits it."""
    value, unit = float(size), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} {_UNITS[unit]}" if unit < 2 else f"{value:.1f} {_UNITS[unit]}"


def _n_channels(view: ExportView) -> int:
    choice, axis = view.request.channels, view.spectra.mass_axis
    if choice.mz:
        return len(choice.mz)
    if choice.peaks is not None:
        return choice.peaks
    if choice.bins is not None:
        low, high = view.slide.mass_range
        asked = view.request.mz_range
        return bin_edges(max(low, asked.low), min(high, asked.high), choice.bins).size - 1
    return MOST_PEAKS if axis is None else len(axis)


def _imzml_size(view: ExportView) -> int:
    spectra = view.spectra
    mz, intensity = (dtype.itemsize for dtype in types_on_disk(view))
    points = view.points_per_spectrum
    shared = points * mz if spectra.mass_axis is not None else 0.0
    each = points * (intensity + (0 if shared else mz))
    text = len(spectrum_text(has_z=True)) + 30
    return int(_HEAD + shared + spectra.n_spectra * (each + text))


def _channel_sizes(view: ExportView, kind: Kind, channels: int) -> tuple[int, int]:
    pixels = int(np.prod(view.spectra.pixels.image_shape))
    n, each = view.spectra.n_spectra, view.intensity_type.itemsize
    if kind == "csv":
        return _HEAD + channels * 3 * _TABLE_CELL * _n_regions(view), 0
    if kind == "tiff":
        return _HEAD + channels * pixels * 8, channels * n * 8
    per_image = pixels if kind != "h5ad" and view.request.array != "pixels" else n
    size = channels * per_image * each
    if kind == "spatialdata":
        size += channels * n * each
    return _HEAD + size, channels * n * each


def _n_regions(view: ExportView) -> int:
    if view.request.grouping == "group" and view.groups is not None:
        return int(np.unique(view.groups).size)
    return 4


def _free_at(path: Path) -> int:
    place = next(p for p in path.absolute().parents if p.exists())
    return shutil.disk_usage(place).free


def _other_half(path: Path) -> tuple[Path, ...]:
    """The .ibd of a slide belongs to what is read."""
    try:
        return pair_of(path) if path.suffix.lower() in (".imzml", ".ibd") else ()
    except ImsTumorError:
        return ()


def _refuse_measured(path: Path) -> None:
    """What an instrument measured cannot be measured again: only own exports are replaced."""
    for file in (path, path.with_suffix(".ibd")):
        if file.exists() and not is_own(path):
            raise ImsTumorError(
                f"{file} is not an export of this program and would be replaced: give another name"
            )


def _refuse_wrong_place(plan: ExportPlan) -> None:
    path = plan.path
    if not path.absolute().parent.is_dir():
        raise ImsTumorError(
            f"{path} cannot be written: the folder {path.absolute().parent} does not exist"
        )
    if plan.kind not in FOLDERS:
        if path.is_dir():
            raise ImsTumorError(f"{path} is a folder: give the name of a file in it")
        if plan.kind == "imzml":
            _refuse_measured(path)
        return
    if path.is_file():
        raise ImsTumorError(f"{path} is a file: a .zarr is a folder, give it another name")
    marks = ("zarr.json", ".zgroup", ".zattrs")
    if path.is_dir() and any(path.iterdir()) and not any((path / m).exists() for m in marks):
        raise ImsTumorError(f"{path} is a folder with other things in it: give another name")
