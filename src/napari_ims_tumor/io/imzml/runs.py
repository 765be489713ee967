"""Reads many arrays at once: neighbors in the file are fetched together, then taken apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.io.imzml.arrays import IbdFile, Span, decode
from napari_ims_tumor.io.imzml.index import ArrayTable, SpectrumIndex
from napari_ims_tumor.msi.arrays import Float64Array, IntArray

BLOCK_BYTES: Final = 32 << 20
"""Bytes on disk that one block of spectra takes."""

_GAP: Final = 1 << 16
"""Arrays closer than this are read together: cheaper than a second read."""


class Runs:
    """Arrays fetched into one buffer that the next fetch reuses."""

    def __init__(self, ibd: IbdFile) -> None:
        self._ibd = ibd
        self._buffer = bytearray()

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

    def _room(self, nbytes: int) -> memoryview:
        if len(self._buffer) < nbytes:
            self._buffer = bytearray(nbytes)
        return memoryview(self._buffer)[:nbytes]


def batches(nbytes: IntArray) -> Iterator[slice]:
    """Cut spectra, given the bytes of each, shape (k,), into slices of about a block."""
    ends = np.cumsum(nbytes)
    start = 0
    while start < nbytes.size:
        before = int(ends[start - 1]) if start else 0
        stop = max(int(np.searchsorted(ends, before + BLOCK_BYTES, "right")), start + 1)
        yield slice(start, stop)
        start = stop


def read_arrays(
    ibd: IbdFile, index: SpectrumIndex, i: int, with_mz: bool = True
) -> tuple[Float64Array, NDArray[Any]]:
    """Read the m/z and the intensities of one spectrum as they are written, in floating types.

    Neighboring arrays are read at once. Without ``with_mz`` the m/z are empty.
    """
    mz, values = index.mz.span(i), index.intensity.span(i)
    if not with_mz:
        alone = memoryview(ibd.read(values.offset, values.nbytes))
        return np.zeros(0), _floating(alone, values, index, i)
    if values.offset == mz.offset + mz.nbytes:
        both = memoryview(ibd.read(mz.offset, mz.nbytes + values.nbytes))
        mz_data, data = both[: mz.nbytes], both[mz.nbytes :]
    else:
        mz_data = memoryview(ibd.read(mz.offset, mz.nbytes))
        data = memoryview(ibd.read(values.offset, values.nbytes))
    exact = decode(mz_data, mz, f"the m/z array of spectrum {i}").astype(np.float64, copy=False)
    return exact, _floating(data, values, index, i)


def _floating(data: memoryview, span: Span, index: SpectrumIndex, i: int) -> NDArray[Any]:
    values = decode(data, span, f"the intensity array of spectrum {i}")
    return values.astype(index.intensity.floating, copy=False)


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
        yield decode(view[place : place + span.nbytes], span, f"the {what} array of spectrum {i}")


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
