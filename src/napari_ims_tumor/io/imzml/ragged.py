"""Reads spectra that each have their own m/z array, in blocks of bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from napari_ims_tumor.io.imzml.arrays import IbdFile
from napari_ims_tumor.io.imzml.index import SpectrumIndex
from napari_ims_tumor.io.imzml.runs import Runs, batches, end_to_end, float_dtype
from napari_ims_tumor.msi.arrays import BoolArray, Float64Array, FloatArray, IntArray
from napari_ims_tumor.msi.spectrum import RaggedBlock


@dataclass(slots=True)
class Disorder:
    """Counts the spectra that had to be put in order."""

    unsorted: int = 0
    not_finite: int = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """One sentence for each kind of disorder."""
        found = (
            (self.unsorted, "were not in ascending order of m/z and were sorted"),
            (self.not_finite, "held m/z values that are not numbers; those points were left out"),
        )
        return tuple(f"{count} spectra {what}" for count, what in found if count)


def ragged_blocks(
    ibd: IbdFile, index: SpectrumIndex, indices: IntArray, disorder: Disorder | None = None
) -> Iterator[RaggedBlock]:
    """Yield spectra in the given order, every one ascending in m/z and with finite m/z only."""
    nbytes = index.mz.nbytes[indices] + index.intensity.nbytes[indices]
    runs = Runs(ibd)
    for batch in batches(nbytes):
        yield tidy(_read(runs, index, indices[batch]), disorder)


def _read(runs: Runs, index: SpectrumIndex, indices: IntArray) -> RaggedBlock:
    offsets = np.concatenate([index.mz.offsets[indices], index.intensity.offsets[indices]])
    nbytes = np.concatenate([index.mz.nbytes[indices], index.intensity.nbytes[indices]])
    offsets = np.where(nbytes > 0, offsets, offsets[np.argmax(nbytes)])
    view, places = runs.fetch(offsets, nbytes)
    k = indices.size
    mz = end_to_end(index.mz, indices, (view, places[:k]), (np.dtype(np.float64), "m/z"))
    kind = float_dtype(index.intensity)
    intensity = end_to_end(index.intensity, indices, (view, places[k:]), (kind, "intensity"))
    bounds = np.concatenate([[0], np.cumsum(index.mz.lengths[indices])])
    return RaggedBlock(indices, mz, intensity, bounds)


def tidy(block: RaggedBlock, disorder: Disorder | None = None) -> RaggedBlock:
    """Sort the spectra that are not ascending and drop points without a finite m/z."""
    unsorted, holes = find_disorder(block)
    if disorder is not None:
        disorder.unsorted += int(unsorted.sum())
        disorder.not_finite += int(holes.sum())
    if not unsorted.any() and not holes.any():
        return block
    mz, intensity = block.mz.copy(), block.intensity.copy()
    for j in np.flatnonzero(unsorted | holes).tolist():
        part = slice(int(block.bounds[j]), int(block.bounds[j + 1]))
        # Non-finite m/z sort to the end (as +inf), where they are cut off below.
        key = np.where(np.isfinite(mz[part]), mz[part], np.inf)
        order = np.argsort(key, kind="stable")
        mz[part], intensity[part] = mz[part][order], intensity[part][order]
    keep = np.isfinite(mz)
    kept = np.concatenate([[0], np.cumsum(keep)])
    return RaggedBlock(block.indices, mz[keep], intensity[keep], kept[block.bounds])


def find_disorder(block: RaggedBlock) -> tuple[BoolArray, BoolArray]:
    """Which spectra of a block are unsorted, and which have an m/z that is not finite."""
    with np.errstate(invalid="ignore"):
        falling = block.mz[1:] < block.mz[:-1]
    inner = block.bounds[1:-1]
    inner = inner[(inner > 0) & (inner < block.mz.size)]
    falling[inner - 1] = False
    holes = ~np.isfinite(block.mz)
    return _any_of(falling, block.bounds), _any_of(holes, block.bounds)


def _any_of(flags: BoolArray, bounds: IntArray) -> BoolArray:
    found = np.zeros(bounds.size - 1, bool)
    hits = np.flatnonzero(flags)
    if hits.size:
        found[np.searchsorted(bounds, hits, "right") - 1] = True
    return found


def tidy_pair(mz: Float64Array, intensity: FloatArray) -> tuple[Float64Array, FloatArray]:
    """Return one spectrum ascending in m/z and with finite m/z only."""
    block = RaggedBlock(np.zeros(1, np.int64), mz, intensity, np.array([0, mz.size]))
    tidied = tidy(block)
    return tidied.mz, tidied.intensity
