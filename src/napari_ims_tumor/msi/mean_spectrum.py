"""The mean and the maximum spectrum of a slide or of a region, made in one pass.

Nothing is lost: the sum of the mean spectrum times the number of spectra is the total of all
finite intensities. The maximum spectrum holds what is rare: a peak of one pixel in ten thousand is
as high in it as in that pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_ims_tumor.msi.arrays import Float64Array, IntArray
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.mass_axis import MassAxis
from napari_ims_tumor.msi.mass_grid import accumulator_for
from napari_ims_tumor.msi.spectrum import RaggedBlock, SharedAxisBlock, Spectrum


@dataclass(frozen=True, eq=False)
class MeanAndMax:
    """Two spectra on the same m/z values.

    Attributes
    ----------
    mean
        Mean over the spectra.
    max
        Largest finite intensity of any of the spectra: of each channel where they share an axis,
        else of each bin of the mean. A profile's bin reaches to the next one on each side, so that
        samples on shifted axes leave no holes.
    """

    mean: Spectrum
    max: Spectrum


def mean_spectrum(dataset: MsiDataset) -> Spectrum:
    """Average all spectra of a slide.

    Returns
    -------
    Spectrum
        On the slide's own axis where it has one. Else centroids are added up in bins of 5 ppm,
        profiles on a grid about as fine as their own samples.
    """
    return mean_and_max(dataset).mean


def region_mean_spectrum(dataset: MsiDataset, indices: ArrayLike) -> Spectrum:
    """Average some spectra of a slide.

    Parameters
    ----------
    dataset
        The slide.
    indices
        Shape (k,): which spectra. None at all gives zeros.
    """
    return mean_and_max(dataset, indices).mean


def mean_and_max(dataset: MsiDataset, indices: ArrayLike | None = None) -> MeanAndMax:
    """Make the mean and the maximum spectrum in one pass.

    Parameters
    ----------
    dataset
        The slide.
    indices
        Shape (k,): which spectra; all of them by default.
    """
    chosen = None if indices is None else np.asarray(indices, np.int64).reshape(-1)
    n = dataset.n_spectra if chosen is None else int(chosen.size)
    axis = dataset.mass_axis
    if axis is not None:
        total, highest = _of_shared(dataset, axis, chosen)
        return _pair(dataset, axis.mz, total / max(n, 1), highest)
    return _of_ragged(dataset, chosen, max(n, 1))


def _of_shared(
    dataset: MsiDataset, axis: MassAxis, indices: IntArray | None
) -> tuple[Float64Array, Float64Array]:
    total, highest = np.zeros(len(axis)), np.full(len(axis), -np.inf)
    for block in dataset.blocks(indices):
        if isinstance(block, SharedAxisBlock):
            total += finite_column_sums(block.intensity)
            np.maximum(highest, _finite_column_maxima(block.intensity), out=highest)
    return total, highest


def _of_ragged(dataset: MsiDataset, indices: IntArray | None, n: int) -> MeanAndMax:
    # In one thread: two would hand the interpreter back and forth at every step of their sums.
    sums = accumulator_for(dataset)
    for block in dataset.blocks(indices):
        if isinstance(block, RaggedBlock):
            finite = np.isfinite(block.intensity)
            whole = bool(finite.all())
            sums.add(
                block.mz if whole else block.mz[finite],
                block.intensity if whole else block.intensity[finite],
            )
    mz, intensity = sums.result(n)
    return _pair(dataset, mz, intensity, sums.highest())


def _pair(
    dataset: MsiDataset, mz: Float64Array, mean: Float64Array, highest: Float64Array
) -> MeanAndMax:
    # Where nothing finite was seen the maximum is still at −∞.
    seen = np.where(np.isfinite(highest), highest, 0.0)
    return MeanAndMax(Spectrum(mz, mean, dataset.mode), Spectrum(mz, seen, dataset.mode))


@np.errstate(invalid="ignore", over="ignore")
def finite_column_sums(matrix: NDArray[Any]) -> Float64Array:
    """Sum the finite values of each column of (rows, columns), in float64."""
    sums: Float64Array = matrix.sum(axis=0, dtype=np.float64)
    odd = np.flatnonzero(~np.isfinite(sums))
    if odd.size:
        columns = matrix[:, odd].astype(np.float64)
        sums[odd] = np.where(np.isfinite(columns), columns, 0).sum(axis=0)
    return sums


@np.errstate(invalid="ignore")
def _finite_column_maxima(matrix: NDArray[Any]) -> Float64Array:
    """Find the largest finite value of each column of (rows, columns); −∞ where there is none."""
    if matrix.shape[0] == 0:
        return np.full(matrix.shape[1], -np.inf)
    found: Float64Array = matrix.max(axis=0).astype(np.float64)
    odd = np.flatnonzero(~np.isfinite(found))
    if odd.size:
        columns = matrix[:, odd].astype(np.float64)
        found[odd] = np.where(np.isfinite(columns), columns, -np.inf).max(axis=0)
    return found
