"""Reads arrays straight to where they belong: one call to the system for hundreds of them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.io.imzml.arrays import HAS_PREADV, IbdFile
from napari_ims_tumor.io.imzml.index import ArrayTable
from napari_ims_tumor.msi.arrays import IntArray

_MOST_PIECES: Final = 1024
"""Buffers per call that every system with ``preadv`` accepts."""


class Target(NamedTuple):
    """Arrays of some spectra, and where their values go end to end, in the type of the file."""

    table: ArrayTable
    indices: IntArray
    out: NDArray[Any]


def can_scatter(*tables: ArrayTable) -> bool:
    """Whether arrays may be read without decoding: uncompressed, and each table of one type."""
    encodings = [table.uniform_encoding for table in tables]
    return HAS_PREADV and all(e is not None and e.compression == "none" for e in encodings)


def scatter(ibd: IbdFile, targets: tuple[Target, ...]) -> bool:
    """Fill all targets from the file.

    Returns
    -------
    bool
        ``False`` where arrays overlap (are shared): then nothing was read.
    """
    filled = [t.indices[t.table.nbytes[t.indices] > 0] for t in targets]
    tables = [(t.table, rows) for t, rows in zip(targets, filled, strict=True)]
    starts = np.concatenate([table.offsets[rows] for table, rows in tables])
    sizes = [table.nbytes[rows] for table, rows in tables]
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], (starts + np.concatenate(sizes))[order]
    gaps = starts[1:] - ends[:-1]
    if (gaps < 0).any():
        return False
    pieces = [p for t, nbytes in zip(targets, sizes, strict=True) for p in _pieces(t.out, nbytes)]
    ordered = [pieces[j] for j in order.tolist()]
    for first, last in _runs(gaps, len(ordered)):
        offset = int(starts[first])
        ibd.read_pieces(ordered[first:last], offset, int(ends[last - 1]) - offset)
    ibd.refuse_changed()
    return True


def _pieces(out: NDArray[Any], nbytes: IntArray) -> list[memoryview]:
    """Cut the memory of ``out`` into pieces of ``nbytes``, shape (k,), each."""
    view = out.view(np.uint8).data
    ends = np.cumsum(nbytes)
    return [view[a:b] for a, b in zip((ends - nbytes).tolist(), ends.tolist(), strict=True)]


def _runs(gaps: IntArray, n: int) -> Iterator[tuple[int, int]]:
    """Yield (first, last + 1) of neighbors without a gap, as many as one call may fill."""
    heads = [0, *(np.flatnonzero(gaps) + 1).tolist(), n]
    for head, end in pairwise(heads):
        for first in range(head, end, _MOST_PIECES):
            yield first, min(first + _MOST_PIECES, end)
