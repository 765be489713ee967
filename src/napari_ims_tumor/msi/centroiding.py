"""Profile spectra to centroids: one m/z and one intensity for each top of the curve.

Where a top lies and how high it is follows from a parabola through the logarithms of its three
highest samples, which is exact for a Gaussian peak on any axis (Gasior & Gonzalez 2004 compare it
with other interpolations). Or its m/z is the mean of the samples above half its height, weighted by
what stands above that: so no sample comes in or drops out with a jump. An area is the integral of
the curve by trapezoids from valley to valley, in intensity times m/z: no part of it counts twice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from napari_ims_tumor.errors import QueryError
from napari_ims_tumor.msi.arrays import Float64Array, FloatArray, IntArray

Position = Literal["parabola", "mean"]
Measure = Literal["height", "area"]

_SIGMA_OF_STEPS = 0.6745 * math.sqrt(2)
"""Median size of the difference of two neighbors of white noise, in standard deviations."""
_GAP = 3.0
"""A step this many times those beside it is a gap where zeros were left out."""


@dataclass(frozen=True, slots=True)
class CentroidMethod:
    """How a curve becomes peaks.

    Attributes
    ----------
    position
        ``"parabola"`` through the top, or weighted ``"mean"`` of its upper half.
    measure
        ``"height"`` of the top, or ``"area"`` from valley to valley.
    noise
        A peak stands out of its surroundings by at least this many standard deviations of the
        noise, which is estimated from the differences of neighboring samples. 0 keeps every top.
    """

    position: Position = "parabola"
    measure: Measure = "height"
    noise: float = 3.0

    def __post_init__(self) -> None:
        if self.position not in get_args(Position):
            raise QueryError(f"position {self.position!r}: use {' or '.join(get_args(Position))}")
        if self.measure not in get_args(Measure):
            raise QueryError(f"intensity {self.measure!r}: use {' or '.join(get_args(Measure))}")
        if not math.isfinite(self.noise) or self.noise < 0:
            raise QueryError(f"noise {self.noise}: give a number that is 0 or more")

    def __str__(self) -> str:
        return f"{self.measure} at the {self.position}, above {self.noise:g} times the noise"


DEFAULT_METHOD = CentroidMethod()


def find_centroids(
    mz: Float64Array, intensity: FloatArray, method: CentroidMethod = DEFAULT_METHOD
) -> tuple[Float64Array, Float64Array]:
    """Turn one curve into peaks.

    Parameters
    ----------
    mz
        Shape (n,), ascending.
    intensity
        Shape (n,). What is not finite counts as 0.
    method
        What is made of a top.

    Returns
    -------
    tuple of ndarray
        m/z and intensity of each peak, float64, ascending in m/z.
    """
    from scipy.signal import find_peaks

    curve = np.where(np.isfinite(intensity), intensity, 0).astype(np.float64)
    least = method.noise * noise_of(curve)
    mz, curve = _with_gaps_closed(mz, curve)
    # Zeros around it make tops of the first and the last sample too.
    padded = np.concatenate([[0.0], curve, [0.0]])
    found, _ = find_peaks(padded, prominence=least if least > 0 else np.finfo(float).tiny)
    tops = found.astype(np.int64) - 1
    tops = tops[curve[tops] > 0]
    if tops.size == 0:
        return np.zeros(0), np.zeros(0)
    place, height = _parabolas(mz, curve, tops)
    if method.position == "mean":
        place, height = _upper_means(mz, curve, tops), curve[tops]
    if method.measure == "area":
        height = _areas(mz, curve, tops)
    return place, height


def noise_of(curve: Float64Array) -> float:
    """Standard deviation of the noise, from the median difference of neighboring samples."""
    if curve.size < 2:
        return 0.0
    return float(np.median(np.abs(np.diff(curve)))) / _SIGMA_OF_STEPS


def _with_gaps_closed(mz: Float64Array, curve: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Bring back zeros that an exporter left out: one on each side of a gap in the axis.

    Else the line across a gap would be taken for signal.
    """
    steps = np.diff(mz)
    if steps.size < 3:
        return mz, curve
    usual = np.minimum(steps[:-2], steps[2:])
    before = np.flatnonzero(steps[1:-1] > _GAP * usual) + 1
    if before.size == 0:
        return mz, curve
    step = usual[before - 1]
    places = np.repeat(before + 1, 2)
    zeros_at = np.stack([mz[before] + step, mz[before + 1] - step], axis=1).ravel()
    return np.insert(mz, places, zeros_at), np.insert(curve, places, 0.0)


def _parabolas(
    mz: Float64Array, curve: Float64Array, tops: IntArray
) -> tuple[Float64Array, Float64Array]:
    """Top of the parabola through three samples: of logarithms where all three are above 0."""
    place, height = mz[tops].copy(), curve[tops].copy()
    inner = np.flatnonzero((tops > 0) & (tops < mz.size - 1))
    at = tops[inner]
    left, right = mz[at - 1] - mz[at], mz[at + 1] - mz[at]
    three = np.stack([curve[at - 1], curve[at], curve[at + 1]])
    logs = (three > 0).all(axis=0)
    values = np.where(logs, np.log(np.where(logs, three, 1.0)), three)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Newton's form: slopes to both sides, and how they change.
        before, after = (values[0] - values[1]) / left, (values[2] - values[1]) / right
        bend = (after - before) / (right - left)
        slope = before - bend * left
        shift = -slope / (2 * bend)
        top = values[1] + slope * shift + bend * shift**2
    # A plateau has no bend; the middle of it is where the top was found.
    good = np.isfinite(shift) & (bend < 0) & (shift > left) & (shift < right)
    place[inner[good]] += shift[good]
    height[inner[good]] = np.where(logs, np.exp(np.where(logs, top, 0.0)), top)[good]
    return place, height


def _upper_means(mz: Float64Array, curve: Float64Array, tops: IntArray) -> Float64Array:
    """Mean m/z of the samples around each top, weighted by what stands above half its height."""
    valleys = _valleys(curve, tops)
    return np.array(
        [
            _upper_mean(mz[a : b + 1], curve[a : b + 1], int(top) - a)
            for top, a, b in zip(
                tops, valleys[:-1].tolist(), valleys[1:].tolist(), strict=True
            )
        ]
    )  # fmt: skip


def _upper_mean(mz: Float64Array, curve: Float64Array, top: int) -> float:
    half = curve[top] / 2
    low = np.flatnonzero(curve < half)
    first = int(low[low < top].max(initial=-1)) + 1
    last = int(low[low > top].min(initial=curve.size))
    return float(np.average(mz[first:last], weights=curve[first:last] - half))


def _areas(mz: Float64Array, curve: Float64Array, tops: IntArray) -> Float64Array:
    """Integrals by trapezoids between the valleys on both sides of each top."""
    pieces = np.diff(mz) * (curve[1:] + curve[:-1]) / 2
    until = np.concatenate([[0.0], np.cumsum(pieces)])
    return np.diff(until[_valleys(curve, tops)])


def _valleys(curve: Float64Array, tops: IntArray) -> IntArray:
    """Lowest sample between each two tops (the first of equal ones), and both ends."""
    if tops.size == 1:
        return np.array([0, curve.size - 1])
    lowest = np.minimum.reduceat(curve, tops)[:-1]
    owner = np.repeat(np.arange(tops.size - 1), np.diff(tops))
    between = np.flatnonzero(curve[tops[0] : tops[-1]] == lowest[owner])
    first = np.searchsorted(between, tops[:-1] - tops[0])
    return np.concatenate([[0], between[first] + tops[0], [curve.size - 1]])
