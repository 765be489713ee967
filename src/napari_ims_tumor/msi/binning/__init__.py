"""Lay spectra of any layout onto one m/z axis, so that a model sees the same bins everywhere."""

from napari_ims_tumor.msi.binning.bin_axis import bin_axis
from napari_ims_tumor.msi.binning.bin_spectra import bin_spectra, binned_blocks
from napari_ims_tumor.msi.binning.cells import Cells, cells_of
from napari_ims_tumor.msi.binning.coverage import covers, refuse_uncovered

__all__ = [
    "Cells",
    "bin_axis",
    "bin_spectra",
    "binned_blocks",
    "cells_of",
    "covers",
    "refuse_uncovered",
]
