"""Products of a large matrix with a few vectors, shared out among two cores.

Each number of the result is one sum along a row or a column. No sum is cut, only the sums are
shared out, and one core makes the same two halves one after the other: BLAS may add up in another
order in a matrix of another size. BLAS does not share out so thin a product, or gains nothing by
it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Final

import numpy as np

from napari_ims_tumor.msi.arrays import Float32Array
from napari_ims_tumor.msi.turns import cpu_cores

WORTH_IT: Final = 1 << 21
"""Numbers in the matrix from which on a second thread saves more than it costs."""
_ONE_BY_ONE: Final = 2
"""Vectors up to which reading the matrix for each of them is quicker: BLAS multiplies a matrix with
a vector without copying it first."""
_STEP: Final = 64
"""Halves end at a multiple of this: BLAS then treats every sum as it does in the whole."""


def times_rows(matrix: Float32Array, rows: Float32Array) -> Float32Array:
    """``matrix @ rows.T``: (n, bins) with (few, bins)."""
    found = np.empty((len(matrix), len(rows)), np.float32)
    columns = np.ascontiguousarray(rows.T)

    def work(part: slice) -> None:
        if len(rows) > _ONE_BY_ONE:
            np.matmul(matrix[part], columns, out=found[part])
            return
        for number, row in enumerate(rows):
            found[part, number] = matrix[part] @ row

    _in_halves(work, len(matrix), matrix.size)
    return found


def rows_times(rows: Float32Array, matrix: Float32Array) -> Float32Array:
    """``rows @ matrix``: (few, n) with (n, bins)."""
    found = np.empty((len(rows), matrix.shape[1]), np.float32)

    def work(part: slice) -> None:
        if len(rows) > _ONE_BY_ONE:
            np.matmul(rows, matrix[:, part], out=found[:, part])
            return
        for row, sums in zip(rows, found, strict=True):
            np.matmul(row, matrix[:, part], out=sums[part])

    _in_halves(work, matrix.shape[1], matrix.size)
    return found


def _in_halves(work: Callable[[slice], None], n: int, size: int) -> None:
    middle = n // 2 // _STEP * _STEP
    if size < WORTH_IT or not middle:
        work(slice(None))
        return
    first, second = slice(middle), slice(middle, None)
    if cpu_cores() < 2:
        work(first)
        work(second)
        return
    other = _second_thread().submit(work, second)
    work(first)
    other.result()


@cache
def _second_thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "thin-products")
