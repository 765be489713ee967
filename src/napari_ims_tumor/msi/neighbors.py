"""Which spectra were measured side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from napari_ims_tumor.msi.arrays import IntArray, frozen

STEPS: Final = tuple((r, c) for r in (-1, 0, 1) for c in (-1, 0, 1) if (r, c) != (0, 0))


@dataclass(frozen=True, eq=False)
class NeighborPairs:
    """Pairs of neighboring spectra, each both ways.

    Attributes
    ----------
    pixel, neighbor
        Shape (p,): for each pair the position of a spectrum, and of one of its up to eight.
    n
        How many spectra there are, with or without neighbors.
    """

    pixel: IntArray
    neighbor: IntArray
    n: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "pixel", frozen(self.pixel, np.int64))
        object.__setattr__(self, "neighbor", frozen(self.neighbor, np.int64))


def neighbor_pairs(section: IntArray, row: IntArray, column: IntArray) -> NeighborPairs:
    """Find the neighbors of spectra: the up to eight pixels around each that were measured too.

    Parameters
    ----------
    section
        Shape (n,): number of the section, or of the slide and the section, that a spectrum is on;
        spectra of different sections are no neighbors.
    row, column
        Shape (n,), 0-based.

    Returns
    -------
    NeighborPairs
        In an order that depends on the places alone. Of spectra at one and the same place the first
        is everybody's neighbor; the others have neighbors but are none.
    """
    n = len(row)
    if not n:
        nothing = np.zeros(0, np.int64)
        return NeighborPairs(nothing, nothing, 0)
    # A margin, so that the pixel beside the last column is not the first of the next row.
    width, height = int(column.max()) + 3, int(row.max()) + 3
    key = ((section * height) + row + 1) * width + column + 1
    known, first = np.unique(key, return_index=True)
    pixels, neighbors = [], []
    for down, right in STEPS:
        wanted = key + down * width + right
        at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        found = np.flatnonzero(known[at] == wanted)
        pixels.append(found)
        neighbors.append(first[at[found]])
    return NeighborPairs(np.concatenate(pixels), np.concatenate(neighbors), n)
