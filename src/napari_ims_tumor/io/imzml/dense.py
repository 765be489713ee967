"""Reads spectra that share one m/z axis, as matrices of bounded size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.io.imzml.ahead import read_ahead
from napari_ims_tumor.io.imzml.arrays import IbdFile
from napari_ims_tumor.io.imzml.axis import SharedAxis
from napari_ims_tumor.io.imzml.index import SpectrumIndex
from napari_ims_tumor.io.imzml.runs import Runs, batches, take_apart
from napari_ims_tumor.msi.arrays import FloatArray, IntArray
from napari_ims_tumor.msi.spectrum import SharedAxisBlock


def dense_blocks(
    ibd: IbdFile, index: SpectrumIndex, axis: SharedAxis, indices: IntArray
) -> Iterator[SharedAxisBlock]:
    """Yield spectra in the given order as (spectra, channels) matrices."""
    places = list(batches(index.intensity.nbytes[indices]))
    first, second = (_block_reader(ibd, index, axis, indices) for _ in range(2))
    yield from read_ahead((first, second), places)


def _block_reader(
    ibd: IbdFile, index: SpectrumIndex, axis: SharedAxis, indices: IntArray
) -> Callable[[slice], SharedAxisBlock]:
    runs = Runs(ibd)
    return lambda batch: dense_block(runs, index, axis, indices[batch])


def dense_block(
    runs: Runs, index: SpectrumIndex, axis: SharedAxis, indices: IntArray
) -> SharedAxisBlock:
    """Read some spectra, all at once."""
    matrix = axis.in_order(_matrix(runs, index, indices))
    return SharedAxisBlock(indices, axis.axis.mz, matrix)


def _matrix(runs: Runs, index: SpectrumIndex, indices: IntArray) -> FloatArray:
    table = index.intensity
    fetched = runs.fetch(table.offsets[indices], table.nbytes[indices])
    kind = table.floating
    plain = _strided(index, indices, fetched)
    if plain is not None:
        return plain.astype(kind, copy=False)
    out = np.empty((indices.size, int(table.lengths[indices[0]])), kind)
    for row, values in zip(
        out, take_apart(table, indices, fetched, runs.what("intensity")), strict=True
    ):
        row[:] = values
    return out


def _strided(
    index: SpectrumIndex, indices: IntArray, fetched: tuple[memoryview, IntArray]
) -> NDArray[Any] | None:
    """View uncompressed arrays at even distances as a matrix, without copying them."""
    encoding = index.intensity.uniform_encoding
    if encoding is None or encoding.compression != "none":
        return None
    view, places = fetched
    length, size = int(index.intensity.lengths[indices[0]]), encoding.dtype.itemsize
    steps = np.unique(np.diff(places))
    if steps.size > 1 or (steps.size == 1 and steps[0] < length * size):
        return None
    stride = int(steps[0]) if steps.size else length * size
    shape, strides = (indices.size, length), (stride, size)
    return np.ndarray(shape, encoding.dtype, view, int(places[0]), strides)
