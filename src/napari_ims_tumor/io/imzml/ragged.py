"""Reads spectra that each have their own m/z array, in blocks of bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.io.imzml.ahead import read_ahead
from napari_ims_tumor.io.imzml.arrays import IbdFile
from napari_ims_tumor.io.imzml.index import ArrayTable, SpectrumIndex
from napari_ims_tumor.io.imzml.runs import Runs, batches, end_to_end, ragged_bytes
from napari_ims_tumor.io.imzml.scatter import Target, can_scatter, scatter
from napari_ims_tumor.io.imzml.sieve import sieve
from napari_ims_tumor.io.imzml.wording import spectra
from napari_ims_tumor.msi.arrays import BoolArray, Float64Array, IntArray
from napari_ims_tumor.msi.spectrum import RaggedBlock


@dataclass(slots=True)
class Disorder:
    """Counts the spectra that had to be put in order, and keeps the first of each kind."""

    unsorted: int = 0
    not_finite: int = 0
    first_unsorted: int = 0
    first_not_finite: int = 0

    def add(self, block: RaggedBlock, unsorted: BoolArray, holes: BoolArray) -> None:
        """Count the flagged spectra of a block."""
        if not self.unsorted and unsorted.any():
            self.first_unsorted = int(block.indices[np.argmax(unsorted)])
        if not self.not_finite and holes.any():
            self.first_not_finite = int(block.indices[np.argmax(holes)])
        self.unsorted += int(unsorted.sum())
        self.not_finite += int(holes.sum())

    @classmethod
    def of_all(cls, parts: Sequence[Disorder]) -> Disorder:
        """Put together what was counted in parts of a slide."""
        return cls(
            sum(part.unsorted for part in parts),
            sum(part.not_finite for part in parts),
            min((part.first_unsorted for part in parts if part.unsorted), default=0),
            min((part.first_not_finite for part in parts if part.not_finite), default=0),
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """One sentence for each kind of disorder."""
        sort = "not in ascending order of m/z, sorted in memory"
        holes = "with m/z values that are no finite numbers; those points are left out"
        found = (
            (self.unsorted, self.first_unsorted, sort),
            (self.not_finite, self.first_not_finite, holes),
        )
        return tuple(
            f"{spectra(count)} {what} (the first is spectrum {first})"
            for count, first, what in found
            if count
        )


class Scratch:
    """Memory that the next block uses again: fresh memory costs more than filling it."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._mz = np.empty(0)
        self._intensity: NDArray[Any] = np.empty(0, dtype)

    def space(self, n_points: int) -> tuple[Float64Array, NDArray[Any]]:
        """Arrays for m/z and intensities, each of shape (n_points,)."""
        if self._mz.size < n_points:
            self._mz = np.empty(n_points)
            self._intensity = np.empty(n_points, self._intensity.dtype)
        return self._mz[:n_points], self._intensity[:n_points]


@dataclass(frozen=True, slots=True)
class RaggedReader:
    """What is needed to read ragged blocks."""

    ibd: IbdFile
    index: SpectrumIndex
    room: Scratch
    disorder: Disorder | None = None


def ragged_blocks(reader: RaggedReader, indices: IntArray) -> Iterator[RaggedBlock]:
    """Yield spectra in the given order, every one ascending in m/z and with finite m/z only."""
    index = reader.index
    nbytes = index.mz.nbytes[indices] + index.intensity.nbytes[indices]
    other = replace(reader, room=Scratch(index.intensity.floating))
    first, second = (_block_reader(each, indices) for each in (reader, other))
    yield from read_ahead((first, second), list(batches(nbytes, ragged_bytes())))


def _block_reader(reader: RaggedReader, indices: IntArray) -> Callable[[slice], RaggedBlock]:
    runs = Runs(reader.ibd)
    return lambda batch: ragged_block(reader, runs, indices[batch])


def ragged_block(reader: RaggedReader, runs: Runs, indices: IntArray) -> RaggedBlock:
    """Read some spectra, all at once."""
    return tidy(_read(reader, runs, indices), reader.disorder)


def _read(reader: RaggedReader, runs: Runs, indices: IntArray) -> RaggedBlock:
    index = reader.index
    bounds = np.concatenate([[0], np.cumsum(index.mz.lengths[indices])])
    block = RaggedBlock(indices, *reader.room.space(int(bounds[-1])), bounds)
    if not (_is_plain(index) and _read_plain(reader, runs, block)):
        _read_any(reader, runs, block)
    return block


def _is_plain(index: SpectrumIndex) -> bool:
    """Whether no array has to be decoded: uncompressed, and of one type on each side."""
    encodings = (index.mz.uniform_encoding, index.intensity.uniform_encoding)
    return all(e is not None and e.compression == "none" for e in encodings)


def _read_plain(reader: RaggedReader, runs: Runs, block: RaggedBlock) -> bool:
    """Read uncompressed arrays to where they belong; ``False`` where some are shared."""
    if not can_scatter():
        return _sift(reader, runs, block)
    pairs = ((reader.index.mz, block.mz), (reader.index.intensity, block.intensity))
    targets = tuple(Target(table, block.indices, _raw(table, out)) for table, out in pairs)
    if not scatter(reader.ibd, targets):
        return False
    for target, (_, out) in zip(targets, pairs, strict=True):
        if target.out is not out:
            out[:] = target.out
    return True


def _sift(reader: RaggedReader, runs: Runs, block: RaggedBlock) -> bool:
    """Read short arrays where the system only reads to one place at a time."""
    found = sieve(runs, (reader.index.mz, reader.index.intensity), block.indices)
    if found is None:
        return False
    block.mz[:], block.intensity[:] = found
    return True


def _raw(table: ArrayTable, out: NDArray[Any]) -> NDArray[Any]:
    """Memory in the type of the file: ``out`` itself, where that is its type."""
    dtype = table.encodings[0].dtype
    return out if dtype == out.dtype else np.empty(out.size, dtype)


def _read_any(reader: RaggedReader, runs: Runs, block: RaggedBlock) -> None:
    """Read arrays that are compressed, of several types or shared."""
    index, indices, k = reader.index, block.indices, block.indices.size
    offsets = np.concatenate([index.mz.offsets[indices], index.intensity.offsets[indices]])
    nbytes = np.concatenate([index.mz.nbytes[indices], index.intensity.nbytes[indices]])
    # Empty arrays may claim to lie anywhere: put them beside one that does lie somewhere.
    offsets = np.where(nbytes > 0, offsets, offsets[np.argmax(nbytes)])
    view, places = runs.fetch(offsets, nbytes)
    end_to_end(block.mz, index.mz, indices, (view, places[:k], runs.what("m/z")))
    what = runs.what("intensity")
    end_to_end(block.intensity, index.intensity, indices, (view, places[k:], what))


def tidy(block: RaggedBlock, disorder: Disorder | None = None) -> RaggedBlock:
    """Sort the spectra that are not ascending and drop points without a finite m/z."""
    if _is_tidy(block):
        return block
    unsorted, holes = find_disorder(block)
    if disorder is not None:
        disorder.add(block, unsorted, holes)
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


def _is_tidy(block: RaggedBlock) -> bool:
    """Whether every spectrum is ascending and finite, in one pass and without a mask per fault."""
    mz, bounds = block.mz, block.bounds
    if mz.size == 0:
        return True
    ascending = mz[1:] >= mz[:-1]
    ascending[_seams(block)] = True
    # No NaN is ascending, and infinities can only be the first or the last of what is ascending.
    filled = np.flatnonzero(np.diff(bounds) > 0)
    ends = np.concatenate([mz[bounds[:-1][filled]], mz[bounds[1:][filled] - 1]])
    return bool(ascending.all() and np.isfinite(ends).all())


def _seams(block: RaggedBlock) -> IntArray:
    """Last points of spectra that another point follows: no order holds across them."""
    inner = block.bounds[1:-1]
    return inner[(inner > 0) & (inner < block.mz.size)] - 1


def find_disorder(block: RaggedBlock) -> tuple[BoolArray, BoolArray]:
    """Which spectra of a block are unsorted, and which have an m/z that is not finite."""
    with np.errstate(invalid="ignore"):
        falling = block.mz[1:] < block.mz[:-1]
    falling[_seams(block)] = False
    holes = ~np.isfinite(block.mz)
    return _any_of(falling, block.bounds), _any_of(holes, block.bounds)


def _any_of(flags: BoolArray, bounds: IntArray) -> BoolArray:
    found = np.zeros(bounds.size - 1, bool)
    hits = np.flatnonzero(flags)
    if hits.size:
        found[np.searchsorted(bounds, hits, "right") - 1] = True
    return found
