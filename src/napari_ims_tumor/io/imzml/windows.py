"""Reads m/z windows of a processed slide at the speed of its file: nothing is copied or sorted.

The bytes of some hundred spectra are read into a buffer, and the m/z arrays are bisected where they
lie, all at once. Bytes are looked at as 32-bit words: the upper word of a positive m/z orders it to
about 1 ppm, whether or not it lies where a processor likes 64-bit values; only what is found that
way is compared exactly. Two threads, each with a buffer of its own, take turns: one reads while the
other bisects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.io.imzml.arrays import IbdFile
from napari_ims_tumor.io.imzml.index import ArrayTable, SpectrumIndex
from napari_ims_tumor.io.imzml.runs import batches
from napari_ims_tumor.msi.arrays import Float64Array, IntArray
from napari_ims_tumor.msi.reduction import Reduction, reduce_points
from napari_ims_tumor.msi.turns import by_turns

_BLOCK_BYTES: Final = 4 << 20
"""Bytes per block: the buffers of both threads stay in the processor's cache."""
_WORD: Final = 4
_MOST_WASTE: Final = 1.25
"""Bytes that may be read for each byte that is needed."""
_MOST_POINTS: Final = 1 << 18


class _Block(NamedTuple):
    """Spectra read together: ``spectra``, and the (start, end) of each stretch of the file."""

    spectra: slice
    stretches: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, eq=False)
class WindowStream:
    """All spectra of a tidy slide whose arrays are stored plainly.

    Attributes
    ----------
    blocks
        How they are read.
    stretch_of_intensity
        0 where m/z and intensities lie together, 1 where they lie in a stretch each.
    """

    ibd: IbdFile
    index: SpectrumIndex
    blocks: tuple[_Block, ...]
    stretch_of_intensity: int

    @classmethod
    def of(cls, ibd: IbdFile, index: SpectrumIndex) -> WindowStream | None:
        """Plan the reading; ``None`` where the file is written in another way."""
        tables = (index.mz, index.intensity)
        if not all(_is_in_words(table) for table in tables):
            return None
        if index.mz.floating != index.mz.encodings[0].dtype or _phases(tables) > 1:
            return None
        nbytes = index.mz.nbytes + index.intensity.nbytes
        parts = list(batches(nbytes, _BLOCK_BYTES))
        for groups in ((tables,), ((index.mz,), (index.intensity,))):
            stretches = [_stretches(group, parts) for group in groups]
            if _is_worth_it(stretches, nbytes):
                return cls(ibd, index, _planned(parts, stretches), len(groups) - 1)
        return None

    def values(self, bounds: Float64Array, reduce: Reduction) -> Float64Array:
        """Make the numbers of windows, (2, windows), as (windows, n_spectra)."""
        values = np.zeros((bounds.shape[1], len(self.index)))

        def take(turns: slice) -> None:
            buffer = np.empty(0, np.uint32)
            for block in self.blocks[turns]:
                buffer, places = self._fetch(block, buffer)
                found = _Fetched(self.index, block.spectra, buffer, places)
                values[:, block.spectra] = found.values(bounds, reduce)

        by_turns(take, len(self.blocks))
        self.ibd.refuse_changed()
        return values

    def _fetch(
        self, block: _Block, buffer: NDArray[np.uint32]
    ) -> tuple[NDArray[np.uint32], tuple[IntArray, IntArray]]:
        """Read a block into a buffer; return where its arrays lie in it, in words."""
        sizes = [end - start for start, end in block.stretches]
        homes = np.cumsum([0, *sizes]).tolist()
        if buffer.nbytes < homes[-1]:
            buffer = np.empty(-(-homes[-1] // _WORD), np.uint32)
        view = buffer.view(np.uint8).data
        for (start, _), home, end in zip(block.stretches, homes, homes[1:], strict=False):
            self.ibd.read_into(view[home:end], start)
        moved = [home - start for (start, _), home in zip(block.stretches, homes, strict=False)]
        mz = (self.index.mz.offsets[block.spectra] + moved[0]) // _WORD
        of_intensity = moved[self.stretch_of_intensity]
        return buffer, (mz, (self.index.intensity.offsets[block.spectra] + of_intensity) // _WORD)


class _Fetched:
    """Spectra in a buffer of words."""

    def __init__(
        self,
        index: SpectrumIndex,
        spectra: slice,
        words: NDArray[np.uint32],
        places: tuple[IntArray, IntArray],
    ) -> None:
        self._words = words
        self._mz_type = index.mz.encodings[0].dtype
        self._type = index.intensity.encodings[0].dtype
        self._counts = index.mz.lengths[spectra]
        self._mz, self._intensity = places
        self._width = self._mz_type.itemsize // _WORD

    def values(self, bounds: Float64Array, reduce: Reduction) -> Float64Array:
        """Make the numbers of windows, as (windows, spectra)."""
        n, k = bounds.shape[1], self._counts.size
        first, last = self._bisect(_keys(bounds, self._mz_type))
        counts = np.maximum(last - first, 0)
        total = int(counts.sum())
        if total > _MOST_POINTS and n > 1:
            halves = (bounds[:, : n // 2], bounds[:, n // 2 :])
            return np.concatenate([self.values(half, reduce) for half in halves])
        if total == 0:
            return np.zeros((n, k))
        owner, point = _points(first.ravel(), counts.ravel())
        spectrum = owner % k
        mz = self._taken(self._mz_type, self._mz[spectrum], point)
        window = owner // k
        inside = (mz >= bounds[0, window]) & (mz <= bounds[1, window])
        owner, spectrum, point = owner[inside], spectrum[inside], point[inside]
        intensity = self._taken(self._type, self._intensity[spectrum], point)
        return reduce_points(owner, intensity, n * k, reduce).reshape(n, k)

    def _bisect(self, keys: NDArray[np.uint32]) -> IntArray:
        """Count the m/z of each spectrum whose key is lower than each of (2, windows) keys.

        Returns
        -------
        ndarray
            Shape (2, windows, spectra).
        """
        width = self._width
        before = np.broadcast_to(self._mz - 1, (*keys.shape, self._mz.size))
        last = before + width * self._counts
        position = before.copy()
        wanted = keys[:, :, None]
        candidate, key = np.empty_like(position), np.empty(position.shape, np.uint32)
        lower = np.empty(position.shape, bool)
        for bit in reversed(range(int(self._counts.max(initial=0)).bit_length())):
            np.add(position, width << bit, out=candidate)
            np.minimum(candidate, last, out=candidate)
            np.take(self._words, candidate, out=key, mode="clip")
            np.less(key, wanted, out=lower)
            np.copyto(position, candidate, where=lower)
        return (position - before) // width

    def _taken(self, dtype: np.dtype[Any], starts: IntArray, points: IntArray) -> NDArray[Any]:
        """Take the values at some points of arrays that start at some words."""
        if dtype.itemsize == _WORD:
            return np.take(self._words, starts + points).view(dtype)
        places = starts + 2 * points
        pairs = np.empty((points.size, 2), np.uint32)
        np.take(self._words, places, out=pairs[:, 0], mode="clip")
        np.take(self._words, places + 1, out=pairs[:, 1], mode="clip")
        return pairs.view(dtype)[:, 0]


def _points(first: IntArray, counts: IntArray) -> tuple[IntArray, IntArray]:
    """Count up from each ``first``: return whose each point is, and which."""
    before = np.cumsum(counts) - counts
    points = np.arange(int(counts.sum())) + np.repeat(first - before, counts)
    return np.repeat(np.arange(counts.size), counts), points


def _keys(bounds: Float64Array, dtype: np.dtype[Any]) -> NDArray[np.uint32]:
    """Turn m/z bounds into bounds of the words that order them, never too narrow.

    Values from the first key on, and below the second, are all that may lie inside.
    """
    low, high = np.maximum(bounds, 0)
    if dtype.itemsize == _WORD:
        outward = np.array([[0], [np.inf]], np.float32)
        words = np.nextafter(np.stack([low, high]).astype(np.float32), outward).view(np.uint32)
    else:
        words = (np.stack([low, high]).view(np.uint64) >> np.uint64(32)).astype(np.uint32)
    words[1] += 1
    return words


def _is_in_words(table: ArrayTable) -> bool:
    encoding = table.uniform_encoding
    if encoding is None or encoding.compression != "none":
        return False
    return encoding.dtype.itemsize in (_WORD, 2 * _WORD)


def _phases(tables: tuple[ArrayTable, ...]) -> int:
    """In how many ways the arrays lie beside the borders of words."""
    filled = [table.offsets[table.nbytes > 0] % _WORD for table in tables]
    return int(np.unique(np.concatenate(filled)).size)


def _stretches(group: tuple[ArrayTable, ...], parts: list[slice]) -> tuple[IntArray, IntArray]:
    """From where to where in the file the arrays of each part lie, each shape (parts,)."""
    heads = [part.start for part in parts]
    never = np.iinfo(np.int64).max
    starts = [np.where(t.nbytes > 0, t.offsets, never) for t in group]
    ends = [np.where(t.nbytes > 0, t.ends, 0) for t in group]
    first = np.min([np.minimum.reduceat(column, heads) for column in starts], axis=0)
    last = np.max([np.maximum.reduceat(column, heads) for column in ends], axis=0)
    return np.minimum(first, last), last


def _is_worth_it(stretches: list[tuple[IntArray, IntArray]], nbytes: IntArray) -> bool:
    """Whether little else is read along, and no block takes much more memory than it should."""
    sizes = np.sum([ends - starts for starts, ends in stretches], axis=0)
    largest = max(_BLOCK_BYTES, int(nbytes.max()))
    return bool(sizes.sum() <= _MOST_WASTE * nbytes.sum() and sizes.max() <= 2 * largest)


def _planned(parts: list[slice], stretches: list[tuple[IntArray, IntArray]]) -> tuple[_Block, ...]:
    pairs = [list(zip(s.tolist(), e.tolist(), strict=True)) for s, e in stretches]
    return tuple(_Block(part, spans) for part, *spans in zip(parts, *pairs, strict=True))
