"""Takes short arrays that lie side by side apart, without an object for any of them."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.io.imzml.index import ArrayTable
from napari_ims_tumor.io.imzml.runs import Runs
from napari_ims_tumor.msi.arrays import BoolArray, IntArray

_SHORT: Final = 256
"""Values per array up to which looking at each word is faster than asking for each array."""
_WORD: Final = 4
_MOST_WASTE: Final = 1.25
"""Bytes that may be read for each byte that is needed."""


class _Places(NamedTuple):
    """Where the arrays of one kind lie in a file, in bytes, those without values left out."""

    starts: IntArray
    sizes: IntArray

    @property
    def ends(self) -> IntArray:
        return self.starts + self.sizes

    @property
    def ascend(self) -> bool:
        """Whether each lies behind the one before it, so that none is shared."""
        return not bool((self.starts[1:] < self.ends[:-1]).any())


def sieve(
    runs: Runs, tables: tuple[ArrayTable, ...], indices: IntArray
) -> tuple[NDArray[Any], ...] | None:
    """Read the values of some spectra from uncompressed tables, each of one type.

    Parameters
    ----------
    runs
        What reads.
    tables
        Where the arrays lie.
    indices
        Shape (k,): which spectra.

    Returns
    -------
    tuple of array
        The values of each table end to end, in the type of the file; ``None`` where arrays are
        long, far from each other, not in the order of the spectra, or not of whole words.
    """
    kinds = [_places(table, indices) for table in tables]
    filled = [kind for kind in kinds if kind.starts.size]
    if not filled or int(tables[0].lengths[indices].sum()) > _SHORT * indices.size:
        return None
    if not all(kind.ascend for kind in filled):
        return None
    first = min(int(kind.starts[0]) for kind in filled)
    last = max(int(kind.ends[-1]) for kind in filled)
    needed = sum(int(kind.sizes.sum()) for kind in filled)
    if last - first > _MOST_WASTE * needed or not all(_in_words(kind, first) for kind in filled):
        return None
    words = np.frombuffer(runs.fetch_all(first, last), np.uint32, (last - first) // _WORD)
    found = (words[_mask(kind.starts - first, kind.sizes, words.size)] for kind in kinds)
    dtypes = (table.encodings[0].dtype for table in tables)
    return tuple(values.view(dtype) for values, dtype in zip(found, dtypes, strict=True))


def _places(table: ArrayTable, indices: IntArray) -> _Places:
    starts, sizes = table.offsets[indices], table.nbytes[indices]
    if sizes.all():
        return _Places(starts, sizes)
    return _Places(starts[sizes > 0], sizes[sizes > 0])


def _in_words(kind: _Places, first: int) -> bool:
    odd = ((kind.starts - first) | kind.sizes) & (_WORD - 1)
    return not bool(odd.any())


def _mask(starts: IntArray, sizes: IntArray, n: int) -> BoolArray:
    """Say of each of ``n`` words whether it lies in one of some arrays, ascending."""
    edges: NDArray[Any] = np.empty(2 * starts.size + 2, np.int64)
    edges[0], edges[1:-1:2], edges[2:-1:2], edges[-1] = 0, starts, starts + sizes, n * _WORD
    inside = np.zeros(edges.size - 1, np.bool_)
    inside[1::2] = True
    return np.repeat(inside, np.diff(edges) // _WORD)
