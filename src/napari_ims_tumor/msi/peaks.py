"""Peaks of a spectrum: of profiles on any axis, of centroids, of lists of peaks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.ndimage import gaussian_filter1d

from napari_ims_tumor.msi.arrays import Float64Array, IntArray
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow
from napari_ims_tumor.msi.noise import SPARSE, Floor, floor_of
from napari_ims_tumor.msi.spectrum import Spectrum

_CLUSTER_PPM: Final = 5.0
"""Grid on which centroids of many spectra are gathered into peaks."""
_WIDEST: Final = 0.3
"""Largest half-width of a centroid's window, Da: keeps unit-resolution peaks apart."""
_LEAST_SIGNAL: Final = 5.0
"""A peak rises by this many standard deviations of the noise above its surroundings."""
_LEAST_SHARE: Final = 0.05
"""And by this share of its own height above the floor: a rough top is one peak and not several."""
_DARK: Final = 1e-6
"""Rises of less than this share of the highest point are none, even where there is no noise."""
_SAMPLES: Final = 100
"""Even steps between this many values are no chance."""
_STRETCH, _STRETCH_WIDTHS = 500, 20
"""Samples, and widths of a peak, in a stretch that noise is told from."""
_PROMINENT: Final = 0.1
"""Peaks this high, relative to the highest, tell how wide peaks are."""
_FINE: Final = 6.0
"""Peaks at least this many samples wide are smoothed a little before their tops are looked for."""


@dataclass(frozen=True, slots=True)
class Peak:
    """A peak of a spectrum.

    Attributes
    ----------
    mz
        Position of the top.
    intensity
        Height for profiles, summed intensity for centroids.
    window
        The m/z window that holds the peak.
    signal_to_noise
        Height above the floor over the noise there; NaN where no noise can be told.
    """

    mz: float
    intensity: float
    window: MassWindow
    signal_to_noise: float = math.nan


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """Peaks as columns, each of shape (n,)."""

    mz: Float64Array
    intensity: Float64Array
    half: Float64Array
    signal_to_noise: Float64Array

    def as_peaks(self, chosen: IntArray) -> tuple[Peak, ...]:
        columns = (self.mz, self.intensity, self.half, self.signal_to_noise)
        rows = zip(*(column[chosen].tolist() for column in columns), strict=True)
        return tuple(
            Peak(mz, value, MassWindow(mz, MassTolerance(half)), ratio)
            for mz, value, half, ratio in rows
        )


def pick_peaks(spectrum: Spectrum, max_peaks: int) -> tuple[Peak, ...]:
    """Find the strongest peaks of a spectrum.

    Parameters
    ----------
    spectrum
        Usually the mean or the maximum spectrum of a slide.
    max_peaks
        How many at most.

    Returns
    -------
    tuple of Peak
        Strongest first.
    """
    intensity = np.where(np.isfinite(spectrum.intensity), spectrum.intensity, 0)
    intensity = intensity.astype(np.float64)
    if len(spectrum) == 0 or max_peaks < 1 or not (intensity > 0).any():
        return ()
    if len(spectrum) > 2 and (spectrum.mode == "profile" or _is_sampled(spectrum.mz)):
        found = _of_profile(spectrum.mz, intensity)
    elif _is_peak_list(spectrum.mz):
        found = _of_list(spectrum.mz, intensity)
    else:
        found = _of_scattered(spectrum.mz, intensity)
    strongest = np.lexsort((found.mz, -found.intensity))
    return found.as_peaks(strongest[:max_peaks])


# ---- profiles -----------------------------------------------------------------------------------


def _of_profile(mz: Float64Array, intensity: Float64Array) -> _Found:
    # Loads for a second: not while the dock opens, but when the first peak is looked for.
    from scipy.signal import peak_widths

    curve = _framed(intensity)
    usual = _usual_width(curve)
    if usual >= _FINE:
        curve = np.asarray(gaussian_filter1d(curve, usual / 4, mode="nearest"), np.float64)
    stretch = max(_STRETCH, int(_STRETCH_WIDTHS * usual))
    floor = floor_of(curve, least_points=stretch)
    tops = _tops(curve, floor, floor.level + _LEAST_SIGNAL * floor.noise)
    _, _, left, right = peak_widths(curve, tops, rel_height=0.5)
    # The frame lies one sample before the first m/z.
    places = np.arange(mz.size)
    width = np.interp(right - 1, places, mz) - np.interp(left - 1, places, mz)
    at = _highest_near(intensity, tops - 1)
    half = np.clip(width, 2 * np.abs(np.gradient(mz)[at]), 0.5 + 1e-3 * mz[at])
    raw = floor_of(intensity, least_points=stretch)
    ratio = _ratio(intensity[at] - raw.level[at], raw.noise[at])
    return _Found(mz[at], intensity[at], half, ratio)


def _framed(values: Float64Array) -> Float64Array:
    """Put a zero at each end, so that a peak at the border has a top."""
    return np.concatenate([[0.0], values, [0.0]])


def _tops(curve: Float64Array, floor: Floor, height: Float64Array) -> IntArray:
    """Find the tops of a curve that are high enough, and rise enough above what is beside them.

    Height alone finds the bumps on the slope of a high peak; prominence alone the highest noise.
    """
    from scipy.signal import find_peaks

    above = np.maximum(curve - floor.level, 0)
    rise = np.maximum(_LEAST_SIGNAL * floor.noise, _LEAST_SHARE * above)
    rise = np.maximum(rise, _DARK * float(curve.max()))
    return np.asarray(find_peaks(curve, height=height, prominence=rise)[0], np.int64)


def _scattered_tops(curve: Float64Array) -> tuple[IntArray, Float64Array]:
    """Find the tops of sums of stray centroids, which are about gamma distributed.

    The cube root of such sums is about normal (Wilson & Hilferty 1931), so that is where they are
    told from chance; in the sums themselves chance is skewed, and far higher than its spread.
    """
    floor, root = floor_of(curve, SPARSE), floor_of(np.cbrt(curve), SPARSE)
    tops = _tops(curve, floor, (root.level + _LEAST_SIGNAL * root.noise) ** 3)
    return tops, _ratio(curve[tops] - floor.level[tops], floor.noise[tops])


def _ratio(signal: Float64Array, noise: Float64Array) -> Float64Array:
    ratio = np.full(signal.size, np.nan)
    np.divide(signal, noise, out=ratio, where=noise > 0)
    return ratio


def _usual_width(curve: Float64Array) -> float:
    """Measure how many samples wide the most prominent peaks are, at half their height."""
    from scipy.signal import find_peaks, peak_widths

    tops, found = find_peaks(curve, prominence=0)
    if tops.size == 0:
        return 0.0
    rise = found["prominences"]
    # Of a rough top one only is prominent, and none of the noise.
    high = tops[rise >= _PROMINENT * rise.max()]
    return float(np.median(peak_widths(curve, high, rel_height=0.5)[0]))


def _highest_near(intensity: Float64Array, tops: IntArray) -> IntArray:
    """Find the highest sample next to each top: a smoothed curve has its top beside it."""
    around = np.clip(tops[:, None] + np.array([0, -1, 1]), 0, intensity.size - 1)
    best = np.argmax(intensity[around], axis=1)
    return np.asarray(around[np.arange(tops.size), best], np.int64)


def _is_sampled(mz: Float64Array) -> bool:
    """Whether the values lie at even steps, as samples and bins do and picked peaks do not."""
    steps = np.diff(mz)
    return steps.size >= _SAMPLES and bool(np.ptp(steps) <= 1e-3 * float(np.median(steps)))


# ---- centroids ----------------------------------------------------------------------------------


def _is_peak_list(mz: Float64Array) -> bool:
    """Whether the values are peaks already, and not the scattered centroids of many spectra."""
    if mz.size < 2:
        return True
    return float(np.median(np.diff(mz) / np.maximum(mz[1:], 1e-9))) > 50e-6


def _of_list(mz: Float64Array, intensity: Float64Array) -> _Found:
    """Take every value for a peak: somebody picked them."""
    gaps = np.concatenate([[np.inf], np.diff(mz), [np.inf]])
    half = np.minimum(0.45 * np.minimum(gaps[:-1], gaps[1:]), _WIDEST)
    at = np.flatnonzero(intensity > 0)
    return _Found(mz[at], intensity[at], half[at], np.full(at.size, np.nan))


def _of_scattered(mz: Float64Array, intensity: Float64Array) -> _Found:
    """Gather centroids that scatter around a mass: tops of a smoothed histogram, 5 ppm a bin."""
    place = np.log(np.maximum(mz, 1.0)) * (1e6 / _CLUSTER_PPM)
    bins = (place - place[0]).astype(np.int64)
    sums = np.bincount(bins, np.maximum(intensity, 0)).astype(np.float64)
    smooth = np.asarray(gaussian_filter1d(_framed(sums), 1.5, mode="constant"), np.float64)
    tops, ratio = _scattered_tops(smooth)
    tops = tops - 1
    borders = np.concatenate([[0], (tops[1:] + tops[:-1] + 1) // 2, [sums.size]])[: tops.size + 1]
    low, high = np.maximum(tops - 4, borders[:-1]), np.minimum(tops + 5, borders[1:])
    first, last = np.searchsorted(bins, low), np.searchsorted(bins, high)
    return _gathered(mz, intensity, np.stack([first, last]), ratio)


def _gathered(
    mz: Float64Array, intensity: Float64Array, ends: IntArray, ratio: Float64Array
) -> _Found:
    """Add up the centroids of each peak; the m/z is that of their middle."""
    weights = np.maximum(intensity, 0)
    total, weight, moment = (
        np.diff(np.concatenate([[0.0], np.cumsum(values)])[ends], axis=0)[0]
        for values in (intensity, weights, weights * mz)
    )
    keep = (ends[1] > ends[0]) & (total > 0) & (weight > 0)
    first, last = ends[:, keep]
    center = moment[keep] / weight[keep]
    reach = np.maximum(center - mz[first], mz[last - 1] - center)
    half = np.maximum(reach, center * _CLUSTER_PPM * 1e-6)
    return _Found(center, total[keep], half, ratio[keep])
