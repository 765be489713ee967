"""Lay spectra of any layout onto one m/z axis, so that a model sees the same bins everywhere."""

from napari_ims_tumor.msi.binning.bin_axis import bin_axis
from napari_ims_tumor.msi.binning.bin_spectra import bin_spectra, binned_blocks, bins_job
from napari_ims_tumor.msi.binning.cells import Cells, cells_of
from napari_ims_tumor.msi.binning.coverage import covers, reaches_over, refuse_uncovered
from napari_ims_tumor.msi.binning.kept_bins import keep_bins, kept_nbytes, let_bins_go

__all__ = [
    "Cells",
    "bin_axis",
    "bin_spectra",
    "binned_blocks",
    "bins_job",
    "cells_of",
    "covers",
    "keep_bins",
    "kept_nbytes",
    "let_bins_go",
    "reaches_over",
    "refuse_uncovered",
]
