"""What becomes of the points inside an m/z window: their sum, their maximum or their mean.

Intensities that are not finite are left out; of no points at all, each is 0. Sums are made in
float64 and one point after the other, so that they are the same to the last bit whichever way the
points were found: in blocks of spectra, or in an index.
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


def reduce_points(
    spectra: IntArray, intensity: NDArray[Any], n: int, reduce: Reduction
) -> Float64Array:
    """Make one number of the points of each spectrum.

    Parameters
    ----------
    spectra
        Shape (points,): which spectrum each belongs to, 0 to ``n`` - 1. Those of one spectrum
        ascend in m/z; they need not lie together.
    intensity
        Shape (points,).
    n
        How many spectra there are.

    Returns
    -------
    ndarray
        Shape (n,), float64.
    """
    values = _reduced_points(spectra, intensity, n, reduce)
    if not np.isfinite(values).all():
        finite = np.isfinite(intensity)
        if not finite.all():
            values = _reduced_points(spectra[finite], intensity[finite], n, reduce)
    return np.where(values > -np.inf, values, 0.0) if reduce == "max" else values


@np.errstate(invalid="ignore", over="ignore")
def _reduced_points(
    spectra: IntArray, intensity: NDArray[Any], n: int, reduce: Reduction
) -> Float64Array:
    if reduce == "max":
        highest = np.full(n, -np.inf)
        np.maximum.at(highest, spectra, intensity.astype(np.float64, copy=False))
        return highest
    sums = np.bincount(spectra, intensity, n).astype(np.float64, copy=False)
    return sums if reduce == "sum" else sums / np.maximum(np.bincount(spectra, minlength=n), 1)


def reduce_channels(matrix: NDArray[Any], reduce: Reduction) -> Float64Array:
    """Make one number of each column of (channels, spectra), shape (spectra,), float64.

    Parameters
    ----------
    matrix
        In C order, as the order in which channels are added depends on it.
    """
    values = _reduced_channels(matrix, reduce)
    odd = np.flatnonzero(~np.isfinite(values))
    if odd.size:
        rows, columns = np.nonzero(np.isfinite(matrix[:, odd]))
        values[odd] = reduce_points(columns, matrix[:, odd][rows, columns], odd.size, reduce)
    return values


@np.errstate(invalid="ignore", over="ignore")
def _reduced_channels(matrix: NDArray[Any], reduce: Reduction) -> Float64Array:
    channels, spectra = matrix.shape
    if channels == 0:
        return np.zeros(spectra)
    if reduce == "max":
        return np.asarray(matrix.max(axis=0), np.float64)
    if spectra == 1:
        # NumPy adds a single column up pairwise.
        sums: Float64Array = np.add.accumulate(matrix, axis=0, dtype=np.float64)[-1]
    else:
        sums = np.add.reduce(matrix, axis=0, dtype=np.float64)
    return sums if reduce == "sum" else sums / channels
