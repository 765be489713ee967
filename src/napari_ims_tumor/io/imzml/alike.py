"""Reads m/z windows of long, alike spectra: where a window lies in some tells where in all.

The samples of a profile lie at about the same places in every spectrum, though each has an m/z
array of its own. A few spectra are searched; of the others only that stretch is read, and some
samples more. Its first and last m/z prove whether the window is inside; where it is not, the
spectrum is read whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.io.imzml.arrays import IbdFile
from napari_ims_tumor.io.imzml.index import ArrayTable, SpectrumIndex
from napari_ims_tumor.io.imzml.single import read_mz
from napari_ims_tumor.msi.arrays import BoolArray, Float64Array, IntArray
from napari_ims_tumor.msi.reduction import Reduction, reduce_points
from napari_ims_tumor.msi.turns import by_turns

_LONG: Final = 4096
"""Points of a usual spectrum from which on two short reads are faster than one long one."""
_SAMPLED: Final = 16
_MARGIN: Final = 32
"""Points read on each side of where a window lies in some spectra; as many as it moves by among
them, if that is more."""
_UNLIKE: Final = 1 / 8
_MOST_SHARE: Final = 1 / 8
_MOST_BYTES: Final = 64 << 20

ReadWhole = Callable[[IntArray, Float64Array, Reduction], Float64Array]


@dataclass(frozen=True, slots=True, eq=False)
class AlikeSpectra:
    """The spectra of a tidy slide whose arrays are stored plainly."""

    ibd: IbdFile
    index: SpectrumIndex

    @classmethod
    def of(cls, ibd: IbdFile, index: SpectrumIndex) -> AlikeSpectra | None:
        """Look at a slide; ``None`` where its spectra are short or written in another way."""
        encodings = [table.uniform_encoding for table in (index.mz, index.intensity)]
        plain = all(e is not None and e.compression == "none" for e in encodings)
        return cls(ibd, index) if plain and index.mz.lengths.mean() >= _LONG else None

    def values(
        self, bounds: Float64Array, reduce: Reduction, read_whole: ReadWhole
    ) -> Float64Array | None:
        """Make the numbers of windows, as (windows, n_spectra); ``None`` if that takes longer."""
        stretch = self._stretch(float(bounds[0].min()), float(bounds[1].max()))
        if stretch is None:
            return None
        n, counts = len(self.index), self._counts(stretch)
        mz = self._read(self.index.mz, stretch, counts).astype(np.float64, copy=False)
        odd = np.flatnonzero(~self._holds(mz, stretch, counts, bounds))
        if odd.size > n * _MOST_SHARE:
            return None
        intensity = self._read(self.index.intensity, stretch, counts)
        real = np.arange(mz.shape[1]) < counts[:, None]
        values = np.empty((bounds.shape[1], n))
        for w, (low, high) in enumerate(bounds.T):
            spectra, points = np.nonzero((mz >= low) & (mz <= high) & real)
            values[w] = reduce_points(spectra, intensity[spectra, points], n, reduce)
            if odd.size:
                values[w, odd] = read_whole(odd, bounds[:, w : w + 1], reduce)
        self.ibd.refuse_changed()
        return values

    def _stretch(self, low: float, high: float) -> tuple[int, int] | None:
        """From which to which point the window lies in some spectra, and a margin."""
        n, filled = len(self.index), np.flatnonzero(self.index.mz.lengths)
        sampled = filled[np.unique(np.linspace(0, filled.size - 1, _SAMPLED).astype(np.int64))]
        some = (read_mz(self.ibd, self.index, i) for i in sampled.tolist())
        ends = np.array([np.searchsorted(mz, [low, high]) for mz in some])
        # Not the outermost: a spectrum unlike the others must not widen what is read of all.
        low_end, high_end = np.quantile(ends, [_UNLIKE, 1 - _UNLIKE], axis=0)
        margin = max(_MARGIN, int(high_end[0] - low_end[0]))
        first, last = max(int(low_end[0]) - margin, 0), int(high_end[1]) + margin
        width = last - first
        itemsizes = [t.encodings[0].dtype.itemsize for t in (self.index.mz, self.index.intensity)]
        too_wide = width > self.index.mz.lengths.mean() * _MOST_SHARE
        return None if too_wide or n * width * sum(itemsizes) > _MOST_BYTES else (first, last)

    def _counts(self, stretch: tuple[int, int]) -> IntArray:
        """How many points of each spectrum lie in the stretch."""
        first, last = stretch
        return np.clip(self.index.mz.lengths - first, 0, last - first)

    def _read(self, table: ArrayTable, stretch: tuple[int, int], counts: IntArray) -> NDArray[Any]:
        """Read a stretch of every spectrum as rows; what lies behind their ends is 0."""
        dtype = table.encodings[0].dtype
        rows = np.zeros((len(self.index), stretch[1] - stretch[0]), dtype)
        view = rows.view(np.uint8).reshape(-1).data
        nbytes = (counts * dtype.itemsize).tolist()
        starts = (table.offsets + stretch[0] * dtype.itemsize).tolist()
        pitch = rows.shape[1] * dtype.itemsize
        places = range(0, rows.nbytes, pitch)
        pieces = [view[at : at + size] for at, size in zip(places, nbytes, strict=True)]
        by_turns(lambda turns: self.ibd.read_each(pieces[turns], starts[turns]), len(pieces))
        return rows

    def _holds(
        self, mz: Float64Array, stretch: tuple[int, int], counts: IntArray, bounds: Float64Array
    ) -> BoolArray:
        """Whether no point of any window lies before or behind the stretch of each spectrum."""
        lengths = self.index.mz.lengths
        last = mz[np.arange(counts.size), np.maximum(counts - 1, 0)]
        before = (stretch[0] == 0) | (lengths == 0) | ((counts > 0) & (mz[:, 0] < bounds[0].min()))
        behind = (stretch[0] + counts >= lengths) | (last > bounds[1].max())
        return np.asarray(before & behind, np.bool_)
