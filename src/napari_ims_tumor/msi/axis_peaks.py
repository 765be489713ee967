"""The peaks of an m/z axis, and which bins belong to each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.sparse import csr_matrix

from napari_ims_tumor.msi.arrays import (
    Float64Array,
    FloatArray,
    IntArray,
    frozen,
)
from napari_ims_tumor.msi.binning import cells_of
from napari_ims_tumor.msi.binning.cells import LONE_REACH_DA
from napari_ims_tumor.msi.envelopes import Envelopes, fold_envelopes
from napari_ims_tumor.msi.mass_axis import MassAxis, MassTolerance, MassWindow
from napari_ims_tumor.msi.noise import floor_of
from napari_ims_tumor.msi.peaks import pick_peaks
from napari_ims_tumor.msi.spectrum import Spectrum

MOST_PEAKS: Final = 4000
UNEVEN: Final = 0.05
"""Neighboring steps of a sampled axis differ by less than this share, those of a peak list more."""
FEW: Final = 8
COARSE_DA: Final = 0.4
"""No curve can be told from bins this wide."""


@dataclass(frozen=True, slots=True, eq=False)
class AxisPeaks:
    """Peaks, with their isotopes folded together, on an axis.

    Attributes
    ----------
    axis
        The axis.
    mz, half
        Shape (peaks,), ascending: the top of each peak, and half the width of its window, Da.
    owner
        Shape (bins,): the peak that a bin belongs to; −1 between peaks.
    envelopes
        Which peaks are isotopes of one molecule.
    """

    axis: MassAxis
    mz: Float64Array
    half: Float64Array
    owner: IntArray
    envelopes: Envelopes

    def __len__(self) -> int:
        return int(self.mz.size)

    def window(self, peak: int) -> MassWindow:
        """M/z window of a peak."""
        return MassWindow(float(self.mz[peak]), MassTolerance(float(self.half[peak])))

    def sums(self, values: FloatArray) -> Float64Array:
        """Add up bins (n, bins) over each envelope: (n, envelopes)."""
        envelope = np.append(self.envelopes.of_peak, -1)[self.owner]
        at = np.flatnonzero(envelope >= 0)
        shape = (self.owner.size, len(self.envelopes))
        matrix = csr_matrix((np.ones(at.size), (at, envelope[at])), shape=shape)
        return np.asarray(values @ matrix, np.float64)


def axis_peaks(axis: MassAxis, mean: FloatArray) -> AxisPeaks:
    """Pick the peaks of a mean spectrum on an axis.

    Parameters
    ----------
    axis
        The bins. Where they are a list of picked peaks, or no peak stands out, each is a peak.
    mean
        Shape (bins,): a mean spectrum.
    """
    values = np.asarray(mean, np.float64)
    if is_peak_list(axis):
        return _every_bin(axis, values)
    found = sorted(pick_peaks(Spectrum(axis.mz, values, "profile"), MOST_PEAKS), key=lambda p: p.mz)
    if not found:
        return _every_bin(axis, values)
    mz = frozen([peak.mz for peak in found], np.float64)
    half = frozen([peak.window.tolerance.value for peak in found], np.float64)
    above = values - floor_of(values).level
    heights = np.array([max(above[axis.nearest(float(m))], 0.0) for m in mz])
    return AxisPeaks(axis, mz, half, _owners(axis, mz, half), fold_envelopes(mz, heights, half))


def _every_bin(axis: MassAxis, values: Float64Array) -> AxisPeaks:
    cells = cells_of(axis.mz, lone_reach=LONE_REACH_DA)
    half = np.maximum(axis.mz - cells.low, cells.high - axis.mz)
    return AxisPeaks(
        axis, axis.mz, half, np.arange(len(axis)), fold_envelopes(axis.mz, values, half)
    )


def is_peak_list(axis: MassAxis) -> bool:
    """Whether each bin is a peak of its own: picked, or as wide as isotopes lie apart.

    Samples of a curve lie at small steps that change slowly.
    """
    step = np.diff(axis.mz)
    if step.size < FEW or float(np.median(step)) > COARSE_DA:
        return True
    change = np.abs(np.diff(step)) / np.minimum(step[1:], step[:-1])
    return float(np.median(change)) > UNEVEN


def _owners(axis: MassAxis, mz: Float64Array, half: Float64Array) -> IntArray:
    """Give every bin to the nearest peak, if it lies in that peak's window."""
    right = np.clip(np.searchsorted(mz, axis.mz), 0, mz.size - 1)
    left = np.maximum(right - 1, 0)
    nearer = np.abs(mz[left] - axis.mz) < np.abs(mz[right] - axis.mz)
    peak = np.where(nearer, left, right)
    return np.where(np.abs(mz[peak] - axis.mz) <= half[peak], peak, -1)
