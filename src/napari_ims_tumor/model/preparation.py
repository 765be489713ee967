"""What is done to a spectrum of a finely sampled axis before anything is learned from it.

On a profile axis one ion lies on several bins, and the mass scale of an instrument moves by more
than a bin from slide to slide. Both follow from how wide a peak is, measured on the labelled
spectra (not on their labels): intensities are summed over a whole peak, and a spectrum may be moved
by up to two widths. On an axis of picked peaks the neighboring bin is another ion: nothing is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.ndimage import maximum_filter1d, minimum_filter1d

from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.msi.arrays import Float32Array, Float64Array, FloatArray, IntArray
from napari_ims_tumor.msi.mass_axis import MassAxis

MOST_WIDTH: Final = 33
MOST_REACH: Final = 16
LEAST_BINS: Final = 64
HALF_ISOTOPE_STEP_DA: Final = 0.5
"""A spectrum moved further than this would lie on the next isotope."""
FINEST_PER_DA: Final = 4
"""An axis with fewer bins per Da does not follow the shape of a peak of singly charged ions."""
LIKE_STEPS: Final = 1.1
"""Steps of a sampled curve differ by less than this from one to the next."""
PEAKS_LOOKED_AT: Final = 64
SPECTRA_LOOKED_AT: Final = 256
SEARCHED_DA: Final = 2.0


@dataclass(frozen=True, slots=True)
class Preparation:
    """How spectra are made ready, in bins.

    Attributes
    ----------
    width
        Each bin becomes the sum of so many around it; odd, 1 = it stays as it is.
    reach
        A spectrum is moved along the axis by up to so many bins, until its peaks lie where the
        model expects them; 0 = never.
    """

    width: int = 1
    reach: int = 0

    @classmethod
    def for_spectra(cls, axis: MassAxis, roots: Float32Array) -> Preparation:
        """What suits an axis and the peaks of some rooted spectra (n, bins) on it, n ≥ 1."""
        if not is_sampled_curve(axis):
            return cls()
        mean = (roots.astype(np.float64) ** 2).mean(axis=0)
        step = float(np.median(np.diff(axis.mz)))
        full = peak_width(mean, max(4, round(SEARCHED_DA / step)))
        if full is None:
            return cls()
        most = MOST_REACH
        if full * step < HALF_ISOTOPE_STEP_DA:
            most = min(most, int(HALF_ISOTOPE_STEP_DA / step * (1 + 1e-6)))
        return cls(min(2 * int(full) + 1, MOST_WIDTH), min(round(2 * full), most))

    def limited_to(self, config: FitConfig) -> Preparation:
        """Only what a fit was asked for; networks to compare with see spectra as they are."""
        ours = not config.is_plain
        smooth = ours if config.smooth is None else config.smooth
        align = ours if config.align is None else config.align
        return Preparation(self.width if smooth else 1, self.reach if align else 0)

    def facts(self) -> dict[str, int]:
        """What a model's card says of it."""
        width, reach = self.width, self.reach
        summed = {"bins summed to a peak": width} if width > 1 else {}
        return {**summed, **({"bins a spectrum may be moved": reach} if reach else {})}

    @property
    def is_sound(self) -> bool:
        """Whether this program can have made it."""
        whole = type(self.width) is int and type(self.reach) is int
        return whole and self.width in range(1, MOST_WIDTH + 1, 2) and 0 <= self.reach <= MOST_REACH


AS_IT_IS: Final = Preparation()
"""Nothing is done."""


def is_sampled_curve(axis: MassAxis) -> bool:
    """Whether bins follow each other as samples of a curve do, finer than isotopes.

    Steps of picked peaks jump; samples lie at steps that are alike from one to the next, all over
    the axis, but for gaps where an exporter left something out.
    """
    step = np.diff(axis.mz)
    if step.size < LEAST_BINS or np.median(step) > 1 / FINEST_PER_DA:
        return False
    ratio = step[1:] / step[:-1]
    alike = (ratio < LIKE_STEPS) & (ratio > 1 / LIKE_STEPS)
    return bool(alike.mean() > 0.9)


def peak_width(mean: Float64Array, search: int) -> float | None:
    """Usual full width at half height of the highest peaks of a mean spectrum, in bins.

    Parameters
    ----------
    mean
        Shape (bins,).
    search
        Bins to either side in which a peak is the highest, and above whose lowest it stands.

    Returns
    -------
    float or None
        ``None`` where nothing stands out.
    """
    floor = minimum_filter1d(mean, 2 * search + 1)
    near = max(1, search // 4)
    tops = np.flatnonzero((mean == maximum_filter1d(mean, 2 * near + 1)) & (mean > floor))
    if not tops.size:
        return None
    highest = tops[np.argsort(floor[tops] - mean[tops], kind="stable")[:PEAKS_LOOKED_AT]]
    half = (mean[highest] + floor[highest]) / 2
    return float(np.median(_fall(mean, highest, half, 1) + _fall(mean, highest, half, -1)))


def _fall(mean: Float64Array, tops: IntArray, half: Float64Array, way: int) -> Float64Array:
    """Bins from each top to where the curve crosses its half height, in one direction."""
    found = np.zeros(tops.size)
    for number, (top, level) in enumerate(zip(tops.tolist(), half.tolist(), strict=True)):
        side = mean[top:] if way > 0 else mean[top::-1]
        below = np.flatnonzero(side <= level)
        last = int(below[0]) if below.size else side.size
        inner = float(side[last - 1])
        outer = float(side[last]) if last < side.size else level
        found[number] = last - 1 + (inner - level) / max(inner - outer, 1e-300)
    return found


def sums_of_neighbors(values: FloatArray, width: int) -> FloatArray:
    """Sum of ``width`` bins around each bin of (n, bins): windows of 1, 2, 4, … bins, joined."""
    if width == 1:
        return values
    bins, side = values.shape[1], width // 2
    window = np.empty((len(values), bins + 2 * side), values.dtype)
    window[:, :side] = window[:, side + bins :] = 0
    window[:, side : side + bins] = values
    length, at = 1, 1
    # A width is odd: one bin is always among the windows.
    total = window[:, :bins]
    while True:
        window = window[:, :-length] + window[:, length:]
        length *= 2
        if width & length:
            total = total + window[:, at : at + bins]
            at += length
        if 2 * length > width:
            return total
