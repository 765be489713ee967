"""Which share of a spectrum's value belongs to which bin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from napari_ims_tumor.msi.arrays import Float64Array, IntArray
from napari_ims_tumor.msi.binning.cells import Cells, cells_of
from napari_ims_tumor.msi.spectrum import Mode


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """Value ``source[k]`` gives the share ``weight[k]`` of its intensity to bin ``target[k]``."""

    source: IntArray
    target: IntArray
    weight: Float64Array

    def as_matrix(self, n_sources: int, n_targets: int) -> csr_matrix:
        """The same as a sparse (sources, bins) matrix: ``binned = spectra @ matrix``."""
        shape = (n_sources, n_targets)
        return csr_matrix((self.weight, (self.source, self.target)), shape=shape)


def shares_of(mz: Float64Array, mode: Mode, bins: Cells, bounds: IntArray | None = None) -> Shares:
    """Share m/z values out among bins.

    A centroid goes whole into the bin it falls in: its position is exact. A profile sample is
    shared among the bins its cell overlaps: counting whole samples would put two in one bin and
    none in the next wherever two axes drift past each other.

    Parameters
    ----------
    mz
        Shape (n,), ascending within each spectrum.
    mode
        ``"profile"`` or ``"centroid"``.
    bins
        The target axis.
    bounds
        Where spectra begin and end in ``mz``.
    """
    if mode == "centroid":
        return _points(mz, bins)
    return _overlaps(cells_of(mz, bounds), bins)


def _points(mz: Float64Array, bins: Cells) -> Shares:
    target = np.searchsorted(bins.low, mz, side="right") - 1
    source = np.flatnonzero((target >= 0) & (mz <= bins.high[target]))
    return Shares(source, target[source], np.ones(source.size))


def _overlaps(cells: Cells, bins: Cells) -> Shares:
    first = np.searchsorted(bins.high, cells.low, side="right")
    last = np.searchsorted(bins.low, cells.high, side="left")
    count = np.maximum(last - first, 0)
    source = np.repeat(np.arange(count.size), count)
    # Each cell's bins in turn: its first one, and one further with every repetition.
    turn = np.arange(source.size) - np.repeat(np.cumsum(count) - count, count)
    target = first[source] + turn
    low, high = cells.low[source], cells.high[source]
    shared = np.minimum(high, bins.high[target]) - np.maximum(low, bins.low[target])
    return Shares(source, target, shared / (high - low))
