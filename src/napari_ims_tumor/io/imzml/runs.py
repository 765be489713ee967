"""Reads many arrays at once: neighbors in the file are fetched together, then taken apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.io.imzml.arrays import IbdFile, decode
from napari_ims_tumor.io.imzml.index import ArrayTable
from napari_ims_tumor.msi.arrays import IntArray

BLOCK_BYTES: Final = 4 << 20
"""Bytes on disk that one block of spectra takes: two of them, one worked with and one being read,
are little enough to stay in a processor's cache."""

_GAP: Final = 1 << 16
"""Arrays closer than this are read together: cheaper than a second read."""


class Runs:
    """Arrays fetched into one buffer that the next fetch reuses."""

    def __init__(self, ibd: IbdFile) -> None:
        self._ibd = ibd
        self._buffer = np.empty(0, np.uint8)

    def what(self, array: str) -> str:
        """How messages call an array, up to the number of its spectrum."""
        return f"{self._ibd.path.name}: the {array} array of spectrum"

    def fetch(self, offsets: IntArray, nbytes: IntArray) -> tuple[memoryview, IntArray]:
        """Read arrays.

        Parameters
        ----------
        offsets, nbytes
            Shape (k,): where they lie in the file.

        Returns
        -------
        tuple
            The buffer, and the place of each array in it, shape (k,).
        """
        order = np.argsort(offsets, kind="stable")
        starts = offsets[order]
        ends = np.maximum.accumulate(starts + nbytes[order])
        first = np.ones(starts.size, bool)
        first[1:] = starts[1:] > ends[:-1] + _GAP
        heads = np.flatnonzero(first)
        run_starts = starts[heads]
        run_sizes = ends[np.append(heads[1:], starts.size) - 1] - run_starts
        homes = np.concatenate([[0], np.cumsum(run_sizes)])
        view = self._room(int(homes[-1]))
        for start, size, home in zip(
            run_starts.tolist(), run_sizes.tolist(), homes.tolist(), strict=False
        ):
            self._ibd.read_into(view[home : home + size], start)
        run = np.cumsum(first) - 1
        places = np.empty(starts.size, np.int64)
        places[order] = homes[run] + starts - run_starts[run]
        return view, places

    def fetch_all(self, start: int, end: int) -> memoryview:
        """Read all bytes from ``start`` up to ``end``."""
        view = self._room(end - start)
        self._ibd.read_into(view, start)
        return view

    def _room(self, nbytes: int) -> memoryview:
        if len(self._buffer) < nbytes:
            self._buffer = np.empty(nbytes, np.uint8)
        return self._buffer[:nbytes].data


def ragged_bytes() -> int:
    """Bytes of a block of spectra with m/z of their own.

    Twice as many: reading them takes many small steps, and the two threads, who wait for each other
    at each of them, shall have more to do in between.
    """
    return 2 * BLOCK_BYTES


def batches(
    nbytes: IntArray, most_bytes: int | None = None, most_spectra: int | None = None
) -> Iterator[slice]:
    """Cut spectra, given the bytes of each, shape (k,), into slices of about a block."""
    ends = np.cumsum(nbytes)
    room = BLOCK_BYTES if most_bytes is None else most_bytes
    start = 0
    while start < nbytes.size:
        before = int(ends[start - 1]) if start else 0
        stop = max(int(np.searchsorted(ends, before + room, "right")), start + 1)
        stop = stop if most_spectra is None else min(stop, start + most_spectra)
        yield slice(start, stop)
        start = stop


def take_apart(
    table: ArrayTable,
    indices: IntArray,
    fetched: tuple[memoryview, IntArray],
    what: str,
) -> Iterator[NDArray[Any]]:
    """Yield the values of each array, in the type they were written in."""
    view, places = fetched
    for i, place in zip(indices.tolist(), places.tolist(), strict=True):
        span = table.span(i)
        yield decode(view[place : place + span.nbytes], span, f"{what} {i}")


def end_to_end(
    out: NDArray[Any],
    table: ArrayTable,
    indices: IntArray,
    fetched: tuple[memoryview, IntArray, str],
) -> None:
    """Write the values of many arrays end to end into ``out``, in its type."""
    lengths = table.lengths[indices]
    encoding = table.uniform_encoding
    if encoding is not None and encoding.compression == "none":
        _copy_plain(out, lengths, fetched[:2], encoding.dtype)
        return
    start = 0
    for values in take_apart(table, indices, fetched[:2], fetched[2]):
        out[start : start + values.size] = values
        start += values.size


def _copy_plain(
    out: NDArray[Any], lengths: IntArray, fetched: tuple[memoryview, IntArray], dtype: np.dtype[Any]
) -> None:
    """Copy uncompressed arrays of one type: the common case, without an object per array."""
    view, places = fetched
    start = 0
    for length, place in zip(lengths.tolist(), places.tolist(), strict=True):
        if length:
            out[start : start + length] = np.frombuffer(view, dtype, length, place)
        start += length
