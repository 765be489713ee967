"""Write the data of a slide: the .ibd file, and where in it each array lies."""

from __future__ import annotations

import hashlib
import itertools
from typing import Any, BinaryIO, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.msi.arrays import IntArray
from napari_ims_tumor.msi.spectrum import RaggedBlock, SharedAxisBlock, SpectrumBlock

Types: TypeAlias = tuple[np.dtype[Any], np.dtype[Any]]
"""Of m/z and of intensities on disk."""


class IbdWriter:
    """The .ibd file while it grows."""

    def __init__(self, file: BinaryIO, beginning: bytes, types: Types, name: str) -> None:
        self.sha1 = hashlib.sha1(usedforsecurity=False)
        self._file = file
        self._types = types
        self._name = name
        self._end = 0
        self._axis: tuple[int, int] | None = None
        self._append(beginning)

    def add(self, block: SpectrumBlock) -> IntArray:
        """Append spectra; offset, length and bytes of m/z and intensities, shape (k, 6)."""
        if isinstance(block, SharedAxisBlock):
            return self._add_dense(block)
        return self._add_ragged(block)

    def _add_dense(self, block: SharedAxisBlock) -> IntArray:
        if self._axis is None:
            self._axis = (self._end, block.mz.size)
            self._append(self._fitted(block.mz, 0).data)
        start, (at, n) = self._end, self._axis
        matrix = self._fitted(block.intensity, 1)
        self._append(matrix.data)
        mz_size, size = (dtype.itemsize for dtype in self._types)
        rows = np.empty((block.indices.size, 6), np.int64)
        rows[:] = (at, n, n * mz_size, 0, n, n * size)
        rows[:, 3] = start + np.arange(block.indices.size) * n * size
        return rows

    def _add_ragged(self, block: RaggedBlock) -> IntArray:
        mz, intensity = self._fitted(block.mz, 0), self._fitted(block.intensity, 1)
        mz_size, size = (dtype.itemsize for dtype in self._types)
        lengths = np.diff(block.bounds)
        ends = self._end + block.bounds[1:] * (mz_size + size)
        starts = ends - lengths * (mz_size + size)
        columns = (starts, lengths, lengths * mz_size, starts + lengths * mz_size, lengths)
        rows = np.stack([*columns, lengths * size], axis=1).astype(np.int64)
        a, b = mz.view(np.uint8).data, intensity.view(np.uint8).data
        cuts = block.bounds.tolist()
        parts: list[memoryview] = []
        for first, last in itertools.pairwise(cuts):
            parts.append(a[first * mz_size : last * mz_size])
            parts.append(b[first * size : last * size])
        self._append(b"".join(parts))
        return rows

    def _append(self, data: bytes | memoryview) -> None:
        self._file.write(data)
        self.sha1.update(data)
        self._end += data.nbytes if isinstance(data, memoryview) else len(data)

    def _fitted(self, values: NDArray[Any], which: Literal[0, 1]) -> NDArray[Any]:
        """Bring values into the type on disk, where that loses nothing; whole numbers must fit."""
        dtype = self._types[which].newbyteorder("<")
        with np.errstate(invalid="ignore"):
            fitted = np.ascontiguousarray(values, dtype)
        if dtype.kind == "i" and not np.array_equal(fitted.astype(values.dtype), values):
            raise SlideError(
                f"{self._name} holds numbers that are no {dtype.name}: its type is stated wrongly"
            )
        return fitted
