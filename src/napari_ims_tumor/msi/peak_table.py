"""The picked peaks of a slide as a table, in the order of m/z."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final, Literal, get_args

import numpy as np

from napari_ims_tumor.msi.arrays import Float64Array, IntArray, frozen
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow
from napari_ims_tumor.msi.mean_spectrum import MeanAndMax
from napari_ims_tumor.msi.peaks import Peak, pick_peaks
from napari_ims_tumor.msi.spectrum import Spectrum

PickedFrom = Literal["mean", "max"]
"""The spectrum that peaks are picked from."""
PICKED_FROM: Final[tuple[PickedFrom, ...]] = get_args(PickedFrom)
MOST_PEAKS: Final = 2000
"""Strongest peaks that a slide's table holds."""


@dataclass(frozen=True, slots=True, eq=False)
class PeakTable:
    """Columns of shape (n,), ascending in m/z.

    Attributes
    ----------
    mz
        Top of a profile's peak, middle of a centroid's.
    mean
        Intensity in the mean spectrum: the highest of a profile, the sum of centroids.
    max
        Highest intensity in the maximum spectrum.
    signal_to_noise
        In the spectrum that the peaks were picked from; NaN where no noise can be told.
    half
        Half the width of the m/z window, Da.
    """

    mz: Float64Array
    mean: Float64Array
    max: Float64Array
    signal_to_noise: Float64Array
    half: Float64Array

    def __post_init__(self) -> None:
        for column in fields(self):
            object.__setattr__(self, column.name, frozen(getattr(self, column.name), np.float64))

    def __len__(self) -> int:
        return int(self.mz.size)

    def peak(self, i: int) -> Peak:
        """Row ``i`` as a peak."""
        return Peak(
            float(self.mz[i]), float(self.mean[i]), self.window(i), float(self.signal_to_noise[i])
        )

    def window(self, i: int) -> MassWindow:
        """M/z window of row ``i``."""
        return MassWindow(float(self.mz[i]), MassTolerance(float(self.half[i])))

    def beside(self, mz: float, forward: bool) -> Peak | None:
        """Return the next peak above an m/z, or the one below; ``None`` at the end."""
        i = int(np.searchsorted(self.mz, mz, "right" if forward else "left")) - (not forward)
        return self.peak(i) if 0 <= i < len(self) else None

    def near(self, mz: float, reach: float) -> IntArray:
        """Rows whose peak or window lies within ``reach`` Da of an m/z."""
        return np.flatnonzero(np.abs(self.mz - mz) <= np.maximum(self.half, reach))


NO_PEAKS: Final = PeakTable(*(np.zeros(0) for _ in range(5)))


def pick_table(pair: MeanAndMax, picked_from: PickedFrom) -> PeakTable:
    """Pick the peaks of a slide's mean or maximum spectrum, and look them up in both."""
    spectrum = pair.mean if picked_from == "mean" else pair.max
    peaks = sorted(pick_peaks(spectrum, MOST_PEAKS), key=lambda peak: peak.mz)
    highest = _highest(pair.max, peaks)
    mean = _highest(pair.mean, peaks) if spectrum.mode == "profile" else _sums(pair.mean, peaks)
    return PeakTable(
        mz=np.array([peak.mz for peak in peaks]),
        mean=mean,
        max=highest,
        signal_to_noise=np.array([peak.signal_to_noise for peak in peaks]),
        half=np.array([peak.window.tolerance.value for peak in peaks]),
    )


def _highest(spectrum: Spectrum, peaks: Sequence[Peak]) -> Float64Array:
    values = np.nan_to_num(spectrum.intensity)
    return np.array([values[a:b].max(initial=0) for a, b in _ends(spectrum, peaks)])


def _sums(spectrum: Spectrum, peaks: Sequence[Peak]) -> Float64Array:
    values = np.nan_to_num(spectrum.intensity)
    return np.array([values[a:b].sum() for a, b in _ends(spectrum, peaks)])


def _ends(spectrum: Spectrum, peaks: Sequence[Peak]) -> list[tuple[int, int]]:
    """First and last point of each window; windows of neighbors may overlap."""
    low = np.searchsorted(spectrum.mz, [peak.window.low for peak in peaks], "left")
    high = np.searchsorted(spectrum.mz, [peak.window.high for peak in peaks], "right")
    return list(zip(low.tolist(), high.tolist(), strict=True))
