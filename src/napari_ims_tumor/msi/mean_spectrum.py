"""The mean spectrum of a slide or of a region."""

from __future__ import annotations

import numpy as np

from napari_ims_tumor.msi.arrays import IntArray
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.spectrum import SharedAxisBlock, Spectrum


def mean_spectrum(dataset: MsiDataset) -> Spectrum:
    """Mean over all spectra."""
    return region_mean_spectrum(dataset, np.arange(dataset.n_spectra))


def region_mean_spectrum(dataset: MsiDataset, indices: IntArray) -> Spectrum:
    """Mean over some spectra."""
    axis = dataset.mass_axis
    assert axis is not None
    total = np.zeros(len(axis))
    for block in dataset.blocks(indices):
        assert isinstance(block, SharedAxisBlock)
        total += block.intensity.sum(axis=0, dtype=np.float64)
    return Spectrum(axis.mz, total / max(len(indices), 1), dataset.mode)
