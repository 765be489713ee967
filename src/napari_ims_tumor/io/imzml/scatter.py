"""Reads arrays straight to where they belong: one call to the system for hundreds of them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.io.imzml.arrays import IbdFile
from napari_ims_tumor.io.imzml.index import ArrayTable
from napari_ims_tumor.io.imzml.vectors import HAS_VECTORS, vectors_of
from napari_ims_tumor.msi.arrays import IntArray

_GAP: Final = 4096
"""Bytes between two arrays up to which reading them, too, is cheaper than another call."""


class Target(NamedTuple):
    """Arrays of some spectra, and where their values go end to end, in the type of the file."""

    table: ArrayTable
    indices: IntArray
    out: NDArray[Any]


class _Pieces(NamedTuple):
    """Pieces of a file, each with its address in memory; all of shape (k,)."""

    starts: IntArray
    sizes: IntArray
    addresses: IntArray

    @classmethod
    def of(cls, target: Target) -> _Pieces:
        """Where the arrays of a target lie and go, those without values left out."""
        starts, sizes = target.table.offsets[target.indices], target.table.nbytes[target.indices]
        _refuse_misfit(target.out, sizes)
        addresses = target.out.ctypes.data + np.cumsum(sizes) - sizes
        filled = sizes > 0
        return cls(starts[filled], sizes[filled], addresses[filled])

    @classmethod
    def in_order(cls, *several: _Pieces) -> _Pieces:
        """All pieces, as they follow each other in the file."""
        starts, sizes, addresses = map(np.concatenate, zip(*several, strict=True))
        order = np.argsort(starts, kind="stable")
        return cls(starts[order], sizes[order], addresses[order])

    @property
    def gaps(self) -> IntArray:
        """Bytes between each piece and the next one, (k − 1,); negative where they overlap."""
        gaps: IntArray = self.starts[1:] - self.starts[:-1] - self.sizes[:-1]
        return gaps


def can_scatter() -> bool:
    """Whether the system can do this."""
    return HAS_VECTORS


def scatter(ibd: IbdFile, targets: tuple[Target, ...]) -> bool:
    """Fill all targets from the file, uncompressed and each of one type.

    Returns
    -------
    bool
        ``False`` where arrays overlap (are shared): then nothing was read.
    """
    pieces = _Pieces.in_order(*map(_Pieces.of, targets))
    gaps = pieces.gaps
    if (gaps < 0).any():
        return False
    waste = np.empty(_GAP, np.uint8)
    pieces = _bridged(pieces, gaps, waste)
    vectors = vectors_of(pieces.addresses, pieces.sizes)
    for first, last in _runs(pieces):
        ibd.read_scattered(vectors[first:last], int(pieces.starts[first]))
    ibd.refuse_changed()
    return True


def _refuse_misfit(out: NDArray[Any], sizes: IntArray) -> None:
    """The system writes wherever it is told to: never past the memory that is meant."""
    fits = int(sizes.sum()) == out.nbytes and not (sizes < 0).any()
    if not (fits and out.flags.c_contiguous and out.flags.writeable):
        raise ValueError(f"arrays of {int(sizes.sum())} bytes do not fit {out.nbytes} in memory")


def _bridged(pieces: _Pieces, gaps: IntArray, waste: NDArray[np.uint8]) -> _Pieces:
    """Also read what lies in small gaps: all of it to the same place, where nobody looks."""
    small = np.flatnonzero((gaps > 0) & (gaps <= waste.size))
    if small.size == 0:
        return pieces
    starts = pieces.starts[small] + pieces.sizes[small]
    bridges = _Pieces(starts, gaps[small], np.full(small.size, waste.ctypes.data))
    return _Pieces.in_order(pieces, bridges)


def _runs(pieces: _Pieces) -> Iterator[tuple[int, int]]:
    """Yield (first, last + 1) of neighbors without a gap."""
    n = pieces.starts.size
    if n == 0:
        return iter(())
    return pairwise([0, *(np.flatnonzero(pieces.gaps) + 1).tolist(), n])
