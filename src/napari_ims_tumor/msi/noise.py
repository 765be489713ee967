"""The floor of a spectrum at each m/z, and how far it scatters: robust against peaks."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np

from napari_ims_tumor.msi.arrays import Float64Array

DENSE: Final = (5.0, 25.0)
"""Percentiles that peaks do not reach until they take up most of a spectrum."""
SPARSE: Final = (25.0, 50.0)
"""Percentiles for where peaks are few, and much is exactly zero."""
_STRETCHES: Final = 64
_LEAST_POINTS: Final = 500
"""In a stretch; a spectrum of fewer than a few such is one stretch."""
_MAD_TO_SIGMA: Final = 1.4826


@dataclass(frozen=True, slots=True, eq=False)
class Floor:
    """The floor under each point of a spectrum, both of shape (n,).

    Attributes
    ----------
    level
        Middle of the noise of the surroundings.
    noise
        Standard deviation of the noise; 0 where there is none, as where all is zero.
    """

    level: Float64Array
    noise: Float64Array


def floor_of(
    intensity: Float64Array, quiet: tuple[float, float] = DENSE, least_points: int = _LEAST_POINTS
) -> Floor:
    """Estimate the floor of a spectrum in stretches of equally many points.

    Peaks reach upwards only, so the spread is measured between two low percentiles, and from point
    to point: the larger of the two, since a curve that was smoothed hardly differs from point to
    point.

    Parameters
    ----------
    intensity
        Shape (n,), about normally distributed where there is no peak.
    quiet
        The two percentiles.
    least_points
        In a stretch.
    """
    n = intensity.size
    pieces = np.array_split(np.arange(n), int(np.clip(n // least_points, 1, _STRETCHES)))
    # Where a normal distribution has the percentiles, in standard deviations from its middle.
    low, high = (NormalDist().inv_cdf(percent / 100) for percent in quiet)
    found = [_stretch(intensity[piece], quiet, high - low) for piece in pieces]
    upper, noise = np.array(found).T
    centers, every = np.array([piece.mean() for piece in pieces]), np.arange(n)
    return Floor(np.interp(every, centers, upper - high * noise), np.interp(every, centers, noise))


def _stretch(
    values: Float64Array, quiet: tuple[float, float], sigmas: float
) -> tuple[float, float]:
    """Return the upper percentile and the standard deviation of the noise."""
    low, high = np.percentile(values, quiet)
    spread, steps = float(high - low) / sigmas, 0.0
    if values.size > 2:
        bends = np.diff(values, 2)
        # The second difference of white noise has six times its variance.
        steps = _MAD_TO_SIGMA * float(np.median(np.abs(bends - np.median(bends)))) / np.sqrt(6)
    return float(high), max(spread, steps)
