"""Peaks of a spectrum, and the ions that show a tissue best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.ndimage import gaussian_filter1d

from napari_ims_tumor.msi.arrays import Float64Array, IntArray
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.ion_image import ion_vectors
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.spectrum import Spectrum

_CANDIDATES: Final = 40
_CLUSTER_PPM: Final = 5.0
"""Grid on which centroids of many spectra are gathered into peaks."""
_WIDEST: Final = 0.3
"""Largest half-width of a centroid's window, Da: keeps unit-resolution peaks apart."""


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
    """

    mz: float
    intensity: float
    window: MassWindow


def pick_peaks(spectrum: Spectrum, max_peaks: int) -> tuple[Peak, ...]:
    """Find the strongest peaks of a spectrum.

    Parameters
    ----------
    spectrum
        Usually the mean spectrum of a slide.
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
    if spectrum.mode == "profile" and len(spectrum) > 2:
        peaks = _profile_peaks(spectrum.mz, intensity)
    elif _is_peak_list(spectrum.mz):
        peaks = _listed_peaks(spectrum.mz, intensity)
    else:
        peaks = _clustered_peaks(spectrum.mz, intensity)
    strongest = sorted(peaks, key=lambda peak: (-peak.intensity, peak.mz))
    return tuple(strongest[:max_peaks])


def _local_maxima(values: Float64Array) -> IntArray:
    from scipy.signal import find_peaks

    return find_peaks(values)[0].astype(np.int64, copy=False)


def _profile_peaks(mz: Float64Array, intensity: Float64Array) -> list[Peak]:
    # Loads for a second: not while the dock opens, but when the first peak is looked for.
    from scipy.signal import find_peaks, peak_widths

    padded = np.concatenate([[0.0], intensity, [0.0]])
    noise = float(np.median(np.abs(np.diff(intensity))))
    tops, _ = find_peaks(padded, prominence=max(3 * noise, 1e-3 * float(intensity.max())))
    if tops.size == 0:
        return []
    widths = peak_widths(padded, tops, rel_height=0.5)[0]
    tops = tops - 1
    steps = np.gradient(mz)
    half = np.maximum(widths, 2.0) * np.abs(steps[tops])
    half = np.minimum(half, 0.5 + 1e-3 * mz[tops])
    return _as_peaks(mz[tops], intensity[tops], half)


def _is_peak_list(mz: Float64Array) -> bool:
    """Whether the values are peaks already, and not the scattered centroids of many spectra."""
    if mz.size < 2:
        return True
    return float(np.median(np.diff(mz) / np.maximum(mz[1:], 1e-9))) > 50e-6


def _listed_peaks(mz: Float64Array, intensity: Float64Array) -> list[Peak]:
    gaps = np.concatenate([[np.inf], np.diff(mz), [np.inf]])
    half = np.minimum(0.45 * np.minimum(gaps[:-1], gaps[1:]), _WIDEST)
    found = np.flatnonzero(intensity > 0)
    return _as_peaks(mz[found], intensity[found], half[found])


def _clustered_peaks(mz: Float64Array, intensity: Float64Array) -> list[Peak]:
    """Gather centroids that scatter around a mass: tops of a smoothed histogram, 5 ppm a bin."""
    place = np.log(np.maximum(mz, 1.0)) * (1e6 / _CLUSTER_PPM)
    bins = (place - place[0]).astype(np.int64)
    width = int(bins[-1]) + 1
    sums = np.bincount(bins, intensity, width)
    padded = np.concatenate([[0.0], gaussian_filter1d(sums, 1.5, mode="constant"), [0.0]])
    tops = _local_maxima(padded) - 1
    borders = np.concatenate([[0], (tops[1:] + tops[:-1] + 1) // 2, [width]])
    low, high = np.maximum(tops - 4, borders[:-1]), np.minimum(tops + 5, borders[1:])
    first, last = np.searchsorted(bins, low), np.searchsorted(bins, high)
    peaks = [_gathered(mz[a:b], intensity[a:b]) for a, b in zip(first, last, strict=True)]
    return [peak for peak in peaks if peak is not None]


def _gathered(mz: Float64Array, intensity: Float64Array) -> Peak | None:
    total = float(intensity.sum())
    if mz.size == 0 or total <= 0:
        return None
    weights = np.maximum(intensity, 0)
    center = float(np.average(mz, weights=weights))
    reach = max(center - float(mz[0]), float(mz[-1]) - center, center * _CLUSTER_PPM * 1e-6)
    return Peak(center, total, MassWindow(center, MassTolerance(reach)))


def _as_peaks(mz: Float64Array, intensity: Float64Array, half: Float64Array) -> list[Peak]:
    return [
        Peak(m, value, MassWindow(m, MassTolerance(width)))
        for m, value, width in zip(mz.tolist(), intensity.tolist(), half.tolist(), strict=True)
    ]


def strongest_tissue_peaks(
    dataset: MsiDataset, n: int = 3, mean: Spectrum | None = None
) -> tuple[Peak, ...]:
    """Find strong ions whose images show structure: not noise, not the same picture twice.

    Parameters
    ----------
    dataset
        The slide.
    n
        How many.
    mean
        The slide's mean spectrum, if it is at hand.

    Returns
    -------
    tuple of Peak
        Best first; fewer than ``n`` where the slide has fewer peaks.
    """
    peaks = pick_peaks(dataset.mean_spectrum() if mean is None else mean, _CANDIDATES)
    if len(peaks) <= 1:
        return peaks[:n]
    values = np.sqrt(np.maximum(ion_vectors(dataset, [peak.window for peak in peaks]), 0))
    score = np.array([_score(dataset.pixels, row) for row in values])
    return tuple(peaks[i] for i in _different(values, np.argsort(-score, kind="stable"), n))


def _score(pixels: PixelGrid, values: Float64Array) -> float:
    """Height of the bright pixels times the likeness of neighbors (0 noise, 1 smooth regions).

    An ion that is bright along the border of the image comes from the matrix or the glass around a
    tissue, and counts a quarter.
    """
    image = pixels.as_image(values)
    like = _likeness(image)
    rim = _rim(image)
    if rim.any() and not rim.all():
        inside = image[np.isfinite(image) & ~rim]
        if inside.size and image[rim].mean() > 1.3 * inside.mean():
            like /= 4
    return (max(like, 0.0) + 1e-3) * float(np.percentile(values, 95))


def _likeness(image: Float64Array) -> float:
    pairs = [(image[..., 1:], image[..., :-1]), (image[..., 1:, :], image[..., :-1, :])]
    one = np.concatenate([a.ravel() for a, _ in pairs])
    other = np.concatenate([b.ravel() for _, b in pairs])
    both = np.isfinite(one) & np.isfinite(other)
    one, other = one[both], other[both]
    if one.size < 3 or one.std() == 0 or other.std() == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def _rim(image: Float64Array) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Measured pixels at the border of the image."""
    rim = np.zeros(image.shape, bool)
    rim[..., [0, -1], :] = True
    rim[..., :, [0, -1]] = True
    return rim & np.isfinite(image)


def _different(values: Float64Array, ranked: IntArray, n: int) -> list[int]:
    """Take ions in rank order, passing over pictures like one already taken (isotopes)."""
    chosen: list[int] = []
    for limit in (0.9, 1.1):
        for i in ranked.tolist():
            if len(chosen) < n and i not in chosen and _unlike(values, i, chosen, limit):
                chosen.append(i)
    return chosen


def _unlike(values: Float64Array, i: int, chosen: list[int], limit: float) -> bool:
    for j in chosen:
        spread = values[i].std() * values[j].std()
        if spread > 0:
            product = (values[i] - values[i].mean()) * (values[j] - values[j].mean())
            if float(product.mean() / spread) > limit:
                return False
    return True
