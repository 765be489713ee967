"""Keeps a slide that fits in memory there, so that sliders and maps need not read it again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.io.imzml.axis import SharedAxis
from napari_ims_tumor.io.imzml.index import SpectrumIndex
from napari_ims_tumor.io.imzml.runs import batches
from napari_ims_tumor.msi.arrays import Float64Array, IntArray
from napari_ims_tumor.msi.spectrum import RaggedBlock, SharedAxisBlock, SpectrumBlock

BUDGET: Final = 512 << 20
"""Most bytes of one slide that are kept in memory, if nobody says otherwise."""


@dataclass(slots=True)
class HeldDense:
    """All spectra of a continuous slide: (spectra, channels)."""

    mz: Float64Array
    intensity: NDArray[Any]

    def take(self, block: SpectrumBlock) -> None:
        """Copy a block of consecutive spectra in."""
        first = int(block.indices[0])
        self.intensity[first : first + block.indices.size] = block.intensity

    def one(self, i: int) -> tuple[Float64Array, NDArray[Any]]:
        """(m/z, intensity) of one spectrum."""
        return self.mz, self.intensity[i]

    def blocks(self, indices: IntArray | None) -> Iterator[SpectrumBlock]:
        """Yield all spectra as views, or those given as copies."""
        n = self.intensity.shape[0] if indices is None else indices.size
        row = self.intensity.itemsize * self.mz.size
        for batch in batches(np.full(n, row)):
            chosen = np.arange(batch.start, batch.stop) if indices is None else indices[batch]
            matrix = self.intensity[batch] if indices is None else self.intensity[chosen]
            yield SharedAxisBlock(chosen, self.mz, matrix)


@dataclass(slots=True)
class HeldRagged:
    """All spectra of a processed slide, end to end."""

    mz: Float64Array
    intensity: NDArray[Any]
    bounds: IntArray
    filled: int = 0

    def space(self, n_points: int) -> tuple[Float64Array, NDArray[Any]]:
        """Room for the points of the next block, so that it is read to where it stays."""
        part = slice(self.filled, self.filled + n_points)
        return self.mz[part], self.intensity[part]

    def take(self, block: SpectrumBlock) -> None:
        """Keep the next block; blocks come in file order."""
        if not isinstance(block, RaggedBlock):
            return
        mz, intensity = self.space(block.mz.size)
        if not np.may_share_memory(mz, block.mz):
            mz[:], intensity[:] = block.mz, block.intensity
        first, last = int(block.indices[0]), int(block.indices[-1]) + 1
        self.bounds[first : last + 1] = self.filled + block.bounds
        self.filled += block.mz.size

    def one(self, i: int) -> tuple[Float64Array, NDArray[Any]]:
        """(m/z, intensity) of one spectrum."""
        part = slice(self.bounds[i], self.bounds[i + 1])
        return self.mz[part], self.intensity[part]

    def blocks(self, indices: IntArray | None) -> Iterator[SpectrumBlock]:
        """Yield all spectra as views, or those given as copies."""
        lengths = np.diff(self.bounds)
        if indices is None:
            for batch in batches(lengths * 16):
                yield self._run(batch)
            return
        for batch in batches(lengths[indices] * 16):
            yield self._picked(indices[batch])

    def _run(self, batch: slice) -> RaggedBlock:
        bounds = self.bounds[batch.start : batch.stop + 1]
        part = slice(int(bounds[0]), int(bounds[-1]))
        indices = np.arange(batch.start, batch.stop)
        return RaggedBlock(indices, self.mz[part], self.intensity[part], bounds - bounds[0])

    def _picked(self, indices: IntArray) -> RaggedBlock:
        lengths = np.diff(self.bounds)[indices]
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


def fill(held: Held, blocks: Iterable[SpectrumBlock]) -> Held:
    """Take all blocks of a slide, in file order."""
    for block in blocks:
        held.take(block)
    return held
