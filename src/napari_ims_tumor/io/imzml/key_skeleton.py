"""Keeps 16 bits of every m/z of a processed slide, so that a window is looked up, not read.

They tell in which spectra a window may hold a point, and where. Only those stretches are read from
the file, and compared exactly: most spectra have none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.io.imzml.arrays import IbdFile
from napari_ims_tumor.io.imzml.index import ArrayTable, SpectrumIndex
from napari_ims_tumor.io.imzml.ragged import RaggedReader, Scratch, ragged_block
from napari_ims_tumor.io.imzml.runs import Runs, batches
from napari_ims_tumor.msi.arrays import Float64Array, IntArray
from napari_ims_tumor.msi.reduction import Reduction, reduce_points
from napari_ims_tumor.msi.turns import by_turns

_LONG: Final = 256
"""Points of a usual spectrum below which reading it costs no more than asking for a part of it."""
_FEW: Final = 4
"""Windows up to which looking each up is faster than reading all spectra for all of them."""
_MOST_SHARE: Final = 1 / 4


@dataclass(frozen=True, slots=True)
class KeyScale:
    """Turns m/z above 0 into 16 bits: never less for a higher one.

    A 64-bit number above 0 is ordered by its bits, so that its key is its bits, cut down.
    """

    low: float
    high: float

    def keys(self, mz: Float64Array) -> NDArray[np.uint64]:
        """Return the key of each m/z from ``low`` to ``high``, 0 to 65,535."""
        first, last = np.array([self.low, self.high]).view(np.uint64).tolist()
        keys = mz.view(np.uint64) - np.uint64(first)
        keys >>= np.uint64(max((last - first).bit_length() - 16, 0))
        return keys

    def key_range(self, low: float, high: float) -> tuple[int, int]:
        """Return the keys of the ends of a window; points beyond the scale there are none."""
        ends = np.clip(np.array([low, high]), self.low, self.high)
        lowest, highest = self.keys(ends).tolist()
        return lowest, highest


@dataclass(frozen=True, slots=True, eq=False)
class KeySkeleton:
    """The keys of a slide whose spectra all ascend, stored plainly.

    Attributes
    ----------
    keys
        Of all points, end to end.
    bounds
        Shape (n_spectra + 1,): where those of a spectrum start and end.
    """

    ibd: IbdFile
    index: SpectrumIndex
    scale: KeyScale
    keys: NDArray[np.uint16]
    bounds: IntArray

    @classmethod
    def of(cls, ibd: IbdFile, index: SpectrumIndex, mass_range: tuple[float, float]) -> KeySkeleton:
        """Read all spectra once, in two threads."""
        bounds = np.concatenate([[0], np.cumsum(index.mz.lengths)])
        made = cls(ibd, index, KeyScale(*mass_range), np.empty(bounds[-1], np.uint16), bounds)
        parts = list(batches(index.mz.nbytes + index.intensity.nbytes))

        def take(turns: slice) -> None:
            reader = RaggedReader(ibd, index, Scratch(index.intensity.floating))
            runs = Runs(ibd)
            for part in parts[turns]:
                block = ragged_block(reader, runs, np.arange(part.start, part.stop))
                made.keys[bounds[part.start] : bounds[part.stop]] = made.scale.keys(block.mz)

        by_turns(take, len(parts))
        return made

    def values(self, bounds: Float64Array, reduce: Reduction) -> Float64Array | None:
        """Make the numbers of windows, as (windows, n_spectra); ``None`` if that takes longer."""
        values = []
        for window in bounds.T if bounds.shape[1] <= _FEW else ():
            made = self._of_window(float(window[0]), float(window[1]), reduce)
            if made is None:
                return None
            values.append(made)
        self.ibd.refuse_changed()
        return np.stack(values) if values else None

    def _of_window(self, low: float, high: float, reduce: Reduction) -> Float64Array | None:
        first, last = self._places(low, high)
        spectra = np.flatnonzero(last > first)
        if spectra.size > len(self.index) * _MOST_SHARE:
            return None
        first, counts = first[spectra], (last - first)[spectra]
        # In 64 bits: to 32-bit values NumPy would compare a bound that it rounds.
        mz = self._read(self.index.mz, spectra, first, counts).astype(np.float64, copy=False)
        inside = (mz >= low) & (mz <= high)
        owner = np.repeat(np.arange(spectra.size), counts)
        used = np.unique(owner[inside])
        is_used = np.isin(owner, used)
        intensity = self._read(self.index.intensity, spectra[used], first[used], counts[used])
        wanted = inside[is_used]
        owners = spectra[owner[inside]]
        return reduce_points(owners, intensity[wanted], len(self.index), reduce)

    def _places(self, low: float, high: float) -> tuple[IntArray, IntArray]:
        """Between which points of each spectrum a window may lie."""
        lowest, highest = self.scale.key_range(low, high)
        starts = self.bounds[:-1]
        first = self._count_below(lowest)
        return first - starts, self._count_below(highest + 1) - starts

    def _count_below(self, key: int) -> IntArray:
        """Bisect all spectra at once: where the first point is whose key is not lower."""
        before = self.bounds[:-1] - 1
        last, place = self.bounds[1:] - 1, before.copy()
        longest = int(self.index.mz.lengths.max(initial=0))
        for bit in reversed(range(longest.bit_length())):
            candidate = np.minimum(place + (1 << bit), last)
            lower = self.keys.take(candidate, mode="clip") < key
            np.copyto(place, candidate, where=lower & (candidate > place))
        return place + 1

    def _read(
        self, table: ArrayTable, spectra: IntArray, first: IntArray, counts: IntArray
    ) -> NDArray[Any]:
        """Read some points of some spectra, end to end."""
        dtype = table.encodings[0].dtype
        values = np.empty(int(counts.sum()), dtype)
        view, ends = values.view(np.uint8).data, np.cumsum(counts * dtype.itemsize)
        edges = zip((ends - counts * dtype.itemsize).tolist(), ends.tolist(), strict=True)
        pieces = [view[a:b] for a, b in edges]
        places = (table.offsets[spectra] + first * dtype.itemsize).tolist()
        by_turns(lambda turns: self.ibd.read_each(pieces[turns], places[turns]), len(pieces))
        return values


def is_for_keys(index: SpectrumIndex, most_bytes: int) -> bool:
    """Whether the spectra are long enough for keys to pay, and their keys have room."""
    lengths = index.mz.lengths
    return bool(lengths.mean() >= _LONG and 2 * int(lengths.sum()) <= most_bytes)
