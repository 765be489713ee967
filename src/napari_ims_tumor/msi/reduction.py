"""What becomes of the points inside an m/z window: their sum, their maximum or their mean.

Intensities that are not finite are left out; of no points at all, each is 0.
"""

from __future__ import annotations

from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.errors import QueryError
from napari_ims_tumor.msi.arrays import Float64Array, IntArray

Reduction = Literal["sum", "max", "mean"]
REDUCTIONS: Final[tuple[Reduction, ...]] = get_args(Reduction)


def check_reduction(reduce: Reduction) -> None:
    """Refuse what is no reduction."""
    if reduce not in REDUCTIONS:
        raise QueryError(f"intensity in a window {reduce!r}: use {', '.join(REDUCTIONS)}")


def means_of(sums: Float64Array, counts: IntArray) -> Float64Array:
    """Divide sums by how many they are of; 0 of none."""
    return np.asarray(sums / np.maximum(counts, 1), np.float64)


def finite_row_maxima(matrix: NDArray[Any]) -> Float64Array:
    """Find the largest finite value of each row of (rows, columns); 0 where there is none."""
    if matrix.shape[1] == 0:
        return np.zeros(matrix.shape[0])
    found: Float64Array = matrix.max(axis=1).astype(np.float64)
    odd = np.flatnonzero(~np.isfinite(found))
    if odd.size:
        rows = matrix[odd].astype(np.float64)
        found[odd] = _or_none(np.where(np.isfinite(rows), rows, -np.inf).max(axis=1))
    return found


def finite_row_counts(matrix: NDArray[Any]) -> IntArray:
    """Count the finite values of each row of (rows, columns)."""
    return np.asarray(np.isfinite(matrix).sum(axis=1), np.int64)


def finite_maxima_between(values: NDArray[Any], bounds: IntArray) -> Float64Array:
    """Find the largest finite value of each slice ``values[bounds[j]:bounds[j + 1]]``."""
    found = np.zeros(bounds.size - 1)
    filled = np.flatnonzero(np.diff(bounds) > 0)
    if filled.size:
        inside = values[: bounds[-1]]
        known = np.where(np.isfinite(inside), inside, -np.inf)
        # Between two filled slices lie empty ones only, so each reaches to the start of the next.
        found[filled] = _or_none(np.maximum.reduceat(known, bounds[:-1][filled]))
    return found


def finite_counts_between(values: NDArray[Any], bounds: IntArray) -> IntArray:
    """Count the finite values of each slice ``values[bounds[j]:bounds[j + 1]]``."""
    known = np.concatenate([[0], np.cumsum(np.isfinite(values))])
    return np.asarray(np.diff(known[bounds]), np.int64)


def _or_none(maxima: NDArray[Any]) -> Float64Array:
    """Write 0 where nothing finite was found."""
    return np.where(np.isfinite(maxima), maxima, 0.0).astype(np.float64)
