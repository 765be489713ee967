"""Ion images of a processed slide out of its peaks in the order of m/z: only a window is read.

The index lies in chunks of some thousand spectra. It tells in which cell of 0.00008 ppm a peak
lies, not where in it: a spectrum with a peak so close to an edge of the window is read from the
slide's own file. What comes out is what reading all spectra gives, to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.io.imzml.peak_order import CELL_BITS, CELL_MASK, cells_of, peak_type
from napari_ims_tumor.msi.arrays import IntArray, frozen

_NONE: Final = frozen(np.zeros(0, np.int64), np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class WindowPoints:
    """What lies in a window.

    Attributes
    ----------
    spectra, intensity
        Shape (points,); of each spectrum, the points ascend in m/z.
    doubtful
        Spectra, ascending, with a point that may lie inside or not: theirs have to be read.
    """

    spectra: IntArray
    intensity: NDArray[Any]
    doubtful: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class PeakIndex:
    """The peaks of a slide, in chunks.

    Attributes
    ----------
    dtype
        How a peak is written down.
    chunks
        The peaks of each chunk, in order, as 32-bit words.
    starts
        Where the bins of all chunks start, end to end.
    homes
        Shape (chunks,): where those of a chunk start in ``starts``.
    first_bins, n_bins
        Shape (chunks,): the bins that a chunk has.
    first_spectra
        Shape (chunks,).
    """

    dtype: np.dtype[Any]
    chunks: tuple[NDArray[np.uint32], ...]
    starts: NDArray[np.uint32]
    homes: IntArray
    first_bins: IntArray
    n_bins: IntArray
    first_spectra: IntArray

    @classmethod
    def of(
        cls,
        intensity: np.dtype[Any],
        facts: Mapping[str, Sequence[int]],
        chunks: Sequence[NDArray[np.uint32]],
        starts: NDArray[np.uint32],
    ) -> PeakIndex:
        """Make an index of what was kept; raise a ``ValueError`` where that does not fit."""
        dtype = peak_type(intensity)
        spectra, first, bins = (
            np.array(facts[name], np.int64) for name in ("spectra", "first_bins", "n_bins")
        )
        homes = np.concatenate([[0], np.cumsum(bins + 1)])
        if not spectra.size == first.size == bins.size == len(chunks) or homes[-1] != starts.size:
            raise ValueError("the chunks do not fit together")
        sizes = starts[homes[1:] - 1].astype(np.int64) * (dtype.itemsize // 4)
        if sizes.tolist() != [chunk.size for chunk in chunks]:
            raise ValueError("the chunks have other lengths")
        return cls(dtype, tuple(chunks), starts, homes[:-1], first, bins, spectra)

    def points(self, low: float, high: float) -> WindowPoints:
        """Find the points between two m/z, both inclusive."""
        first, last = cells_of(np.array([low, high])).tolist()
        near = {(cell + step) >> CELL_BITS for cell in (first, last) for step in (-1, 1)}
        # Bins in which the window may start or end, each alone; those between count as one.
        runs = np.array(sorted({edge + step for edge in near for step in (0, 1)}))
        places = self._places(runs)
        peaks = self._peaks(places[:, 0], places[:, -1])
        counts = (places[:, 1:] - places[:, :-1]).ravel()
        every = np.broadcast_to(runs[:-1], (len(self.chunks), runs.size - 1)).ravel()
        bins = np.repeat(every, counts)
        cells = (bins << CELL_BITS) + (peaks["place"] & CELL_MASK)
        inside = (cells > first + 1) & (cells < last - 1)
        doubtful = (cells >= first - 1) & (cells <= last + 1) & ~inside
        chunks = np.repeat(self.first_spectra, places[:, -1] - places[:, 0])
        spectra = chunks + (peaks["place"] >> CELL_BITS)
        unsure = np.unique(spectra[doubtful]) if doubtful.any() else _NONE
        return WindowPoints(spectra[inside], peaks["intensity"][inside], unsure)

    def _places(self, bins: IntArray) -> IntArray:
        """Where bins start in each chunk, shape (chunks, bins)."""
        own = np.maximum(bins - self.first_bins[:, None], 0)
        np.minimum(own, self.n_bins[:, None], out=own)
        return np.asarray(self.starts[self.homes[:, None] + own], np.int64)

    def _peaks(self, lows: IntArray, highs: IntArray) -> NDArray[Any]:
        """Return the peaks of each chunk between two places, end to end."""
        # Of plain words: NumPy would compare the fields of every part with those of all others.
        words = self.dtype.itemsize // 4
        places = zip(self.chunks, (lows * words).tolist(), (highs * words).tolist(), strict=True)
        return np.concatenate([chunk[a:b] for chunk, a, b in places]).view(self.dtype)
