"""The floor of a spectrum at each m/z, and how far it scatters: robust against peaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from napari_ims_tumor.msi.arrays import Float64Array

_STRETCHES: Final = 64
_LEAST_POINTS: Final = 100
"""In a stretch; a spectrum of fewer than a few such is one stretch."""
_QUIET: Final = (5.0, 25.0)
"""Percentiles that peaks do not reach until they take up most of a spectrum."""
_QUIET_SIGMAS: Final = (-1.645, -0.674)
"""Where a normal distribution has them, in standard deviations from its middle."""
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


def floor_of(intensity: Float64Array) -> Floor:
    """Estimate the floor of a profile in stretches of equally many points.

    Peaks reach upwards only, so the spread is measured among the lowest quarter of the points, and
    from point to point: the larger of the two, since a curve that was smoothed hardly differs from
    point to point.
    """
    n = intensity.size
    pieces = np.array_split(np.arange(n), int(np.clip(n // _LEAST_POINTS, 1, _STRETCHES)))
    centers = np.array([piece.mean() for piece in pieces])
    noise = np.array([_noise(intensity[piece]) for piece in pieces])
    quiet = np.array([np.percentile(intensity[piece], _QUIET[1]) for piece in pieces])
    level, every = quiet - _QUIET_SIGMAS[1] * noise, np.arange(n)
    return Floor(np.interp(every, centers, level), np.interp(every, centers, noise))


def _noise(values: Float64Array) -> float:
    low, high = np.percentile(values, _QUIET)
    spread = float(high - low) / (_QUIET_SIGMAS[1] - _QUIET_SIGMAS[0])
    if values.size < 3:
        return spread
    bends = np.diff(values, 2)
    # The second difference of white noise has six times its variance.
    steps = _MAD_TO_SIGMA * float(np.median(np.abs(bends - np.median(bends)))) / np.sqrt(6)
    return float(max(spread, steps))
