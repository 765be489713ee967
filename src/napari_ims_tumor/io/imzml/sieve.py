"""Takes short arrays that lie side by side apart, without an object for any of them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.io.imzml.runs import Runs
from napari_ims_tumor.io.imzml.scatter import Target
from napari_ims_tumor.msi.arrays import IntArray

_SHORT: Final = 256
"""Values per array up to which looking at each word is faster than asking for each array."""
_WORD: Final = 4
_MOST_WASTE: Final = 1.25
"""Bytes that may be read for each byte that is needed."""


def is_for_sieve(targets: tuple[Target, ...]) -> bool:
    """Whether arrays are short, near each other, and made of whole words."""
    filled = [(t.table, t.indices[t.table.nbytes[t.indices] > 0]) for t in targets]
    starts = np.concatenate([table.offsets[rows] for table, rows in filled])
    sizes = np.concatenate([table.nbytes[rows] for table, rows in filled])
    if starts.size == 0 or targets[0].out.size > _SHORT * targets[0].indices.size:
        return False
    first, needed = int(starts.min()), int(sizes.sum())
    in_words = not ((starts - first) % _WORD).any() and not (sizes % _WORD).any()
    return in_words and int((starts + sizes).max()) - first <= _MOST_WASTE * needed


def sieve(runs: Runs, targets: tuple[Target, ...]) -> bool:
    """Fill all targets; ``False`` where their arrays do not lie in the order of the spectra."""
    rows = [t.indices[t.table.nbytes[t.indices] > 0] for t in targets]
    places = [t.table.offsets[own] for t, own in zip(targets, rows, strict=True)]
    sizes = [t.table.nbytes[own] for t, own in zip(targets, rows, strict=True)]
    pairs = list(zip(places, sizes, strict=True))
    if any((start[1:] < (start + size)[:-1]).any() for start, size in pairs):
        return False
    view, homes = runs.fetch(np.concatenate(places), np.concatenate(sizes))
    words = np.frombuffer(view, np.uint32, len(view) // _WORD)
    ends = np.cumsum([own.size for own in rows])
    for target, end, size in zip(targets, ends.tolist(), sizes, strict=True):
        starts = homes[end - size.size : end]
        target.out.view(np.uint32)[:] = words[_mask(starts, size, words.size)]
    return True


def _mask(starts: IntArray, sizes: IntArray, n: int) -> NDArray[np.bool_]:
    """Say of each of ``n`` words whether it lies in one of some arrays, ascending."""
    edges: NDArray[Any] = np.empty(2 * starts.size + 2, np.int64)
    edges[0], edges[1:-1:2], edges[2:-1:2], edges[-1] = 0, starts, starts + sizes, n * _WORD
    inside = np.zeros(edges.size - 1, np.bool_)
    inside[1::2] = True
    return np.repeat(inside, np.diff(edges) // _WORD)
