"""Products of a large matrix with a few vectors, shared out among two cores.

Each number of the result is one sum along a row or a column. No sum is cut, only the sums are
shared out, so that the result is that of one core. BLAS does not share out so thin a product, or
gains nothing by it.
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
_STEP: Final = 64
"""Halves end at a multiple of this: BLAS then treats every sum as it does in the whole."""


def times_columns(matrix: Float32Array, columns: Float32Array) -> Float32Array:
    """``matrix @ columns``: (n, bins) with (bins, few)."""
    found = np.empty((len(matrix), columns.shape[1]), np.float32)

    def work(part: slice) -> None:
        np.matmul(matrix[part], columns, out=found[part])

    _in_halves(work, len(matrix), matrix.size)
    return found


def rows_times(rows: Float32Array, matrix: Float32Array) -> Float32Array:
    """``rows @ matrix``: (few, n) with (n, bins)."""
    found = np.empty((len(rows), matrix.shape[1]), np.float32)

    def work(part: slice) -> None:
        np.matmul(rows, matrix[:, part], out=found[:, part])

    _in_halves(work, matrix.shape[1], matrix.size)
    return found


def _in_halves(work: Callable[[slice], None], n: int, size: int) -> None:
    middle = n // 2 // _STEP * _STEP
    if size < WORTH_IT or cpu_cores() < 2 or not middle:
        work(slice(None))
        return
    other = _second_thread().submit(work, slice(middle, None))
    work(slice(middle))
    other.result()


@cache
def _second_thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "thin-products")
