"""Keeps a slide that fits in memory there, so that sliders and maps need not read it again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.io.imzml import runs
from napari_ims_tumor.io.imzml.axis import SharedAxis
from napari_ims_tumor.io.imzml.index import SpectrumIndex
from napari_ims_tumor.io.imzml.runs import batches
from napari_ims_tumor.msi.arrays import Float64Array, IntArray
from napari_ims_tumor.msi.spectrum import RaggedBlock, SharedAxisBlock, SpectrumBlock

BUDGET: Final = 512 << 20
"""Most bytes of one slide that are kept in memory, if nobody says otherwise."""


_PASSES: Final = 8
"""A slide is taken over bit by bit: fresh memory for all of it at once would hold one image up."""


@dataclass(slots=True)
class HeldDense:
    """The first ``count`` spectra of a continuous slide: (spectra, channels)."""

    mz: Float64Array
    intensity: NDArray[Any]
    count: int = 0

    def take(self, block: SpectrumBlock) -> None:
        """Copy the next block in; blocks come in file order."""
        last = self.count + block.indices.size
        self.intensity[self.count : last] = block.intensity
        self.count = last

    def one(self, i: int) -> tuple[Float64Array, NDArray[Any]]:
        """(m/z, intensity) of one spectrum."""
        return self.mz, self.intensity[i]

    def first(self, count: int) -> Iterator[SpectrumBlock]:
        """Yield the first spectra as views."""
        for batch in self._batches(count):
            indices = np.arange(batch.start, batch.stop)
            yield SharedAxisBlock(indices, self.mz, self.intensity[batch])

    def picked(self, indices: IntArray) -> Iterator[SpectrumBlock]:
        """Yield some spectra as copies."""
        for batch in self._batches(indices.size):
            yield SharedAxisBlock(indices[batch], self.mz, self.intensity[indices[batch]])

    def _batches(self, n: int) -> Iterator[slice]:
        return batches(np.full(n, self.intensity.itemsize * self.mz.size))


@dataclass(slots=True)
class HeldRagged:
    """The first ``count`` spectra of a processed slide, end to end."""

    mz: Float64Array
    intensity: NDArray[Any]
    bounds: IntArray
    count: int = 0

    def space(self, n_points: int) -> tuple[Float64Array, NDArray[Any]]:
        """Room for the points of the next block, so that it is read to where it stays."""
        start = int(self.bounds[self.count])
        return self.mz[start : start + n_points], self.intensity[start : start + n_points]

    def take(self, block: SpectrumBlock) -> None:
        """Keep the next block; blocks come in file order."""
        if not isinstance(block, RaggedBlock):
            return
        mz, intensity = self.space(block.mz.size)
        if not np.may_share_memory(mz, block.mz):
            mz[:], intensity[:] = block.mz, block.intensity
        last = self.count + block.indices.size
        self.bounds[self.count : last + 1] = self.bounds[self.count] + block.bounds
        self.count = last

    def one(self, i: int) -> tuple[Float64Array, NDArray[Any]]:
        """(m/z, intensity) of one spectrum."""
        part = slice(self.bounds[i], self.bounds[i + 1])
        return self.mz[part], self.intensity[part]

    def first(self, count: int) -> Iterator[SpectrumBlock]:
        """Yield the first spectra as views."""
        for batch in batches(np.diff(self.bounds[: count + 1]) * 16):
            yield self._run(batch)

    def picked(self, indices: IntArray) -> Iterator[SpectrumBlock]:
        """Yield some spectra as copies."""
        for batch in batches((self.bounds[indices + 1] - self.bounds[indices]) * 16):
            yield self._picked(indices[batch])

    def _run(self, batch: slice) -> RaggedBlock:
        bounds = self.bounds[batch.start : batch.stop + 1]
        part = slice(int(bounds[0]), int(bounds[-1]))
        indices = np.arange(batch.start, batch.stop)
        return RaggedBlock(indices, self.mz[part], self.intensity[part], bounds - bounds[0])

    def _picked(self, indices: IntArray) -> RaggedBlock:
        lengths = self.bounds[indices + 1] - self.bounds[indices]
        bounds = np.concatenate([[0], np.cumsum(lengths)])
        places = np.arange(bounds[-1]) + np.repeat(self.bounds[indices] - bounds[:-1], lengths)
        return RaggedBlock(indices, self.mz[places], self.intensity[places], bounds)


Held = HeldDense | HeldRagged


def make_room(index: SpectrumIndex, axis: SharedAxis | None, budget: int) -> Held | None:
    """Allocate memory for a whole slide; ``None`` where it takes more than ``budget`` bytes."""
    kind = index.intensity.floating
    if axis is not None:
        shape = (len(index), len(axis.axis))
        if shape[0] * shape[1] * kind.itemsize > budget:
            return None
        return HeldDense(axis.axis.mz, np.empty(shape, kind))
    points = int(index.mz.lengths.sum())
    if points * (8 + kind.itemsize) > budget:
        return None
    bounds = np.zeros(len(index) + 1, np.int64)
    return HeldRagged(np.empty(points), np.empty(points, kind), bounds)


def share(held: Held, n_spectra: int) -> IntArray:
    """Which spectra to take over next: about an eighth of the slide, and a block at least."""
    block = n_spectra * runs.BLOCK_BYTES // max(held.intensity.nbytes, 1)
    more = max(-(-n_spectra // _PASSES), block)
    return np.arange(held.count, min(held.count + more, n_spectra))
