"""Turns x, y and z of the file into rows, columns and planes: the only place that knows x and y."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.io.imzml.index import MISSING
from napari_ims_tumor.io.imzml.wording import spectra
from napari_ims_tumor.msi.arrays import IntArray
from napari_ims_tumor.msi.pixel_grid import PixelGrid

if TYPE_CHECKING:
    from napari_ims_tumor.io.imzml.slide_index import SlideIndex

MOST_PIXELS = ((1 << 24, 10_000), (1 << 28, 100))
"""Images of more pixels than the first are refused where fewer than one in the second is filled."""


@dataclass(frozen=True, slots=True, eq=False)
class Positions:
    """Where a file says that its spectra lie, in its own numbers.

    Attributes
    ----------
    x, y
        Shape (n_spectra,).
    z
        The same, or ``None`` where no spectrum has a section.
    """

    x: IntArray
    y: IntArray
    z: IntArray | None = None

    def of(self, indices: IntArray) -> Positions:
        """Positions of some spectra."""
        return Positions(
            self.x[indices], self.y[indices], None if self.z is None else self.z[indices]
        )


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the grid of a slide lies in the file's own numbers.

    Attributes
    ----------
    left, top
        x of the first column and y of the first row.
    sections
        z of each section; empty where no spectrum states any.
    """

    left: int
    top: int
    sections: tuple[int, ...] = ()


def placement_of(index: SlideIndex) -> Placement:
    """Find the corner of what was measured."""
    return Placement(int(index.x.min()), int(index.y.min()), _sections(index.z))


def _sections(z: IntArray) -> tuple[int, ...]:
    first = int(z[0])
    if (z == first).all():
        return () if first == MISSING else (first,)
    return tuple(np.unique(z[z != MISSING]).tolist())


def stated_positions(pixels: PixelGrid, placement: Placement) -> Positions:
    """x, y and z as they stand in the file; a spectrum without z gets the first section."""
    x, y = pixels.columns + placement.left, pixels.rows + placement.top
    if not placement.sections:
        return Positions(x, y)
    return Positions(x, y, np.array(placement.sections, np.int64)[pixels.planes])


def made_positions(pixels: PixelGrid) -> Positions:
    """Count x, y and z from 1, for spectra that never had any; z where there are sections."""
    x, y = positions(pixels, pixels.rows, pixels.columns)
    return Positions(x, y, pixels.planes + 1 if pixels.n_planes > 1 else None)


def pixel_grid(
    index: SlideIndex, placement: Placement, pixel_size_um: tuple[float, float] | None
) -> tuple[PixelGrid, list[str]]:
    """Lay the spectra out in the bounding box of what was measured.

    Parameters
    ----------
    index
        Positions of all spectra.
    placement
        Where their corner lies.
    pixel_size_um
        (row, column) pixel size in µm, or ``None``.

    Returns
    -------
    tuple
        The grid, and notes on what was off.
    """
    planes, notes = _planes(index.z, placement.sections)
    left, top = placement.left, placement.top
    shape = (int(index.y.max()) - top + 1, int(index.x.max()) - left + 1)
    _refuse_scattered(shape, int(planes.max()) + 1, len(index))
    # Positions count from 1; files that start at 0 or below count from 0.
    base = 1 if min(left, top) > 0 else 0
    grid = PixelGrid(
        rows=index.y - top,
        columns=index.x - left,
        shape=shape,
        pixel_size_um=pixel_size_um,
        origin=(top - base, left - base),
        planes=planes,
    )
    if grid.n_duplicates:
        i = grid.first_duplicate or 0
        notes.append(
            f"{spectra(grid.n_duplicates)} where another one lies already, the first is "
            f"spectrum {i} at x = {int(index.x[i])}, y = {int(index.y[i])}; images show the "
            "spectrum that comes first in the file. Was a region measured twice, or were files "
            "joined?"
        )
    return grid, notes


def positions(pixels: PixelGrid, row: IntArray, column: IntArray) -> tuple[IntArray, IntArray]:
    """Turn rows and columns back into x and y, counted from 1: for tables that others read."""
    top, left = pixels.origin
    return column + left + 1, row + top + 1


def _planes(z: IntArray, sections: tuple[int, ...]) -> tuple[IntArray, list[str]]:
    """Number the sections from 0; spectra without z lie in the first."""
    absent = z == MISSING
    if not sections or (len(sections) == 1 and not absent.any()):
        return np.zeros(z.size, np.int64), []
    first = sections[0]
    notes = [
        f"{spectra(int(absent.sum()))} without a z position, the first is spectrum "
        f"{int(np.argmax(absent))}; they are shown in section z = {first}"
    ]
    planes = np.searchsorted(sections, np.where(absent, first, z))
    return planes.astype(np.int64, copy=False), notes if absent.any() else []


def _refuse_scattered(shape: tuple[int, int], n_planes: int, n_spectra: int) -> None:
    pixels = shape[0] * shape[1] * n_planes
    if any(pixels > most and pixels > share * n_spectra for most, share in MOST_PIXELS):
        raise SlideError(
            f"the {n_spectra:,} positions are scattered over {shape[0]} rows and {shape[1]} "
            f"columns in {n_planes} planes: one of them is wrong, or they are distances instead of "
            "pixel numbers. Export it again."
        )
