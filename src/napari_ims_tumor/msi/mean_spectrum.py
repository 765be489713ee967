"""The mean spectrum of a slide or of a region.

Nothing is lost: the sum of the mean spectrum times the number of spectra is the total of all
finite intensities.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_ims_tumor.msi.arrays import Float64Array, IntArray
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.mass_axis import MassAxis
from napari_ims_tumor.msi.mass_grid import accumulator_for
from napari_ims_tumor.msi.spectrum import RaggedBlock, SharedAxisBlock, Spectrum


def mean_spectrum(dataset: MsiDataset) -> Spectrum:
    """Average all spectra of a slide.

    Returns
    -------
    Spectrum
        On the slide's own axis where it has one. Else centroids are added up in bins of 5 ppm,
        profiles on a grid about as fine as their own samples.
    """
    return _mean(dataset, None)


def region_mean_spectrum(dataset: MsiDataset, indices: ArrayLike) -> Spectrum:
    """Average some spectra of a slide.

    Parameters
    ----------
    dataset
        The slide.
    indices
        Shape (k,): which spectra. None at all gives zeros.
    """
    return _mean(dataset, np.asarray(indices, np.int64).reshape(-1))


def _mean(dataset: MsiDataset, indices: IntArray | None) -> Spectrum:
    n = dataset.n_spectra if indices is None else int(indices.size)
    axis = dataset.mass_axis
    if axis is not None:
        mz, total = axis.mz, _shared_total(dataset, axis, indices)
        return Spectrum(mz, total / max(n, 1), dataset.mode)
    return _ragged_mean(dataset, indices, max(n, 1))


def _shared_total(dataset: MsiDataset, axis: MassAxis, indices: IntArray | None) -> Float64Array:
    total = np.zeros(len(axis))
    for block in dataset.blocks(indices):
        if isinstance(block, SharedAxisBlock):
            total += finite_column_sums(block.intensity)
    return total


def _ragged_mean(dataset: MsiDataset, indices: IntArray | None, n: int) -> Spectrum:
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
    return Spectrum(mz, intensity, dataset.mode)


@np.errstate(invalid="ignore", over="ignore")
def finite_column_sums(matrix: NDArray[Any]) -> Float64Array:
    """Sum the finite values of each column of (rows, columns), in float64."""
    sums: Float64Array = matrix.sum(axis=0, dtype=np.float64)
    odd = np.flatnonzero(~np.isfinite(sums))
    if odd.size:
        columns = matrix[:, odd].astype(np.float64)
        sums[odd] = np.where(np.isfinite(columns), columns, 0).sum(axis=0)
    return sums
