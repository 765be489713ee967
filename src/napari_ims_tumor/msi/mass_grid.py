"""Fine m/z grids on which spectra with different m/z values can be added up."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Protocol

import numpy as np

from napari_ims_tumor.msi.arrays import Float64Array, FloatArray, IntArray
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.spectrum import Spectrum

GRID_PPM: Final = 5.0
"""Width of a centroid bin: below the mass error of most imaging instruments."""

MOST_NODES: Final = 2_000_000
_AT_ONCE: Final = 1 << 16
"""Points per step: many, as each step costs some microseconds whatever it adds, and few enough that
their arrays stay in the processor's cache."""
_BINS_PER_E: Final = 1e6 / GRID_PPM
_USUAL_HIGHEST: Final = 4000.0
"""Highest m/z that bins are laid out for at first."""
_HIGHEST: Final = 1e6
_HIGHEST_BIN: Final = int(np.log(_HIGHEST) * _BINS_PER_E)
_SAMPLED_SPECTRA: Final = 16
_CURVE_POINTS: Final = 4096
_LONG_RUN: Final = 1024
"""Samples in a row on as many nodes in a row, on average, from which on they are added as a row."""


class Accumulator(Protocol):
    """Adds points up; the sum of all that was added is kept."""

    def add(self, mz: Float64Array, intensity: FloatArray) -> None:
        """Add points: ascending or not, finite; shapes (n,)."""

    def result(self, divisor: float) -> tuple[Float64Array, Float64Array]:
        """Return (mz, intensity / divisor), ascending in m/z."""

    def highest(self) -> Float64Array:
        """Return the highest single point at each m/z of the result; −∞ where there was none."""


class CentroidSums:
    """Adds centroids up in bins of equal relative width.

    m/z below 1 share the first bin, and those above a million the last: only damage makes such, and
    it shall not take memory.
    The m/z of a bin is the intensity-weighted mean of what fell in, so a peak keeps its exact mass.
    """

    def __init__(self) -> None:
        n = int(np.log(_USUAL_HIGHEST) * _BINS_PER_E) + 1
        # Real: intensity. Imaginary: |intensity| · m/z. Both in one walk through the memory.
        self._sums = np.zeros(n, np.complex128)
        # In the type of the intensities: half the memory to walk through is half the time.
        self._highest: FloatArray = np.full(n, -np.inf, np.float32)
        # |intensity| less intensity: what negative values lack to be weights.
        self._lacking: Float64Array | None = None

    def add(self, mz: Float64Array, intensity: FloatArray) -> None:
        """Add points; shapes (n,)."""
        self._highest = self._highest.astype(
            np.promote_types(self._highest.dtype, intensity.dtype), copy=False
        )
        for start in range(0, mz.size, _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            self._add(mz[part], intensity[part])

    @np.errstate(over="ignore", invalid="ignore", divide="ignore")
    def _add(self, mz: Float64Array, intensity: FloatArray) -> None:
        # Each walk over the points that is not made counts.
        masses, bins = mz, _bins_of(mz)
        if bins.min() < 0 or bins.max() > _HIGHEST_BIN:
            masses = np.clip(mz, -_HIGHEST, _HIGHEST)
            bins = _bins_of(np.clip(mz, 1.0, _HIGHEST))
        self._grow(int(bins.max()) + 1)
        weight = intensity
        if intensity.min() < 0:
            weight = np.abs(intensity)
            self._note_lacking(bins, weight.astype(np.float64) - intensity)
        both = np.empty(mz.size, np.complex128)
        both.real = intensity
        np.multiply(weight, masses, out=both.imag)
        np.add.at(self._sums, bins, both)
        np.maximum.at(self._highest, bins, intensity)

    def _note_lacking(self, bins: IntArray, lacking: Float64Array) -> None:
        if self._lacking is None:
            self._lacking = np.zeros(self._sums.size)
        np.add.at(self._lacking, bins, lacking)

    def _grow(self, n: int) -> None:
        missing = n - self._sums.size
        if missing > 0:
            self._sums = np.pad(self._sums, (0, missing))
            self._highest = np.pad(self._highest, (0, missing), constant_values=-np.inf)
            if self._lacking is not None:
                self._lacking = np.pad(self._lacking, (0, missing))

    def result(self, divisor: float) -> tuple[Float64Array, Float64Array]:
        """Return (mz, intensity / divisor) of the bins that hold anything."""
        sums, weight = self._sums.real, self._weight()
        filled = np.flatnonzero(weight > 0)
        with np.errstate(invalid="ignore"):
            mz = self._sums.imag[filled] / weight[filled]
        # Intensities that only damage makes: too large to be weights.
        middle = np.exp((filled + 0.5) / _BINS_PER_E)
        return np.where(np.isfinite(mz), mz, middle), sums[filled] / divisor

    def highest(self) -> Float64Array:
        """Return the highest single point at each m/z of the result."""
        return self._highest[self._weight() > 0].astype(np.float64)

    def _weight(self) -> Float64Array:
        sums = self._sums.real
        return sums if self._lacking is None else sums + self._lacking


def _bins_of(mz: Float64Array) -> IntArray:
    """Find the bin of each m/z: below 0 or beyond the last one where it is hardly an m/z."""
    place = np.log(mz)
    place *= _BINS_PER_E
    return place.astype(np.intp)


@dataclass(slots=True)
class ProfileSums:
    """Adds samples of curves up on a grid as fine as the curves; each is split between two nodes.

    Attributes
    ----------
    curve_mz, curve_node
        Shape (4096,): m/z, evenly spaced, and the (fractional) node that lies there; both ascend.
    slope, start
        Shape (4096,): the straight line of each piece of that curve, over m/z above the first; the
        last one twice.
    sums, passed_on
        Shape (nodes,): what falls to a node, and what falls to the next one.
    tops
        Shape (nodes,): the highest point between a node and the next one.
    """

    curve_mz: Float64Array
    curve_node: Float64Array
    slope: Float64Array
    start: Float64Array
    sums: Float64Array
    passed_on: Float64Array
    tops: Float64Array

    @classmethod
    def like(cls, spectra: list[Spectrum], low: float, high: float) -> ProfileSums:
        """Make an empty grid from ``low`` to ``high``, sampled like ``spectra``."""
        mz = np.linspace(low, high, _CURVE_POINTS)
        density = 1 / _step_at(mz, spectra, (high - low) / MOST_NODES)
        pieces = np.diff(mz) * (density[1:] + density[:-1]) / 2
        node = np.concatenate([[0.0], np.cumsum(pieces)])
        n = int(np.clip(np.ceil(node[-1]), 1, MOST_NODES)) + 1
        node *= (n - 1) / node[-1]
        slope = np.diff(node) / np.diff(mz)
        start = node[:-1] - slope * (mz[:-1] - low)
        # Once more, for a sample at the very end.
        slope, start = np.append(slope, slope[-1]), np.append(start, start[-1])
        return cls(mz, node, slope, start, np.zeros(n), np.zeros(n), np.full(n, -np.inf))

    def add(self, mz: Float64Array, intensity: FloatArray) -> None:
        """Add points; shapes (n,)."""
        for start in range(0, mz.size, _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            self._add(mz[part], intensity[part].astype(np.float64, copy=False))

    def _add(self, mz: Float64Array, intensity: Float64Array) -> None:
        place = self._places(mz)
        left = place.astype(np.intp)
        place -= left
        passed_on = np.multiply(place, intensity, out=place)
        kept = intensity - passed_on
        ends = np.flatnonzero(left[1:] - left[:-1] != 1) + 1
        if ends.size * _LONG_RUN > left.size:
            np.add.at(self.passed_on, left, passed_on)
            np.add.at(self.sums, left, kept)
            np.maximum.at(self.tops, left, intensity)
            return
        # A grid as fine as the samples: node after node; sums of slices are much faster.
        for first, last in pairwise((0, *ends.tolist(), left.size)):
            nodes, part = slice(left[first], left[first] + last - first), slice(first, last)
            self.passed_on[nodes] += passed_on[part]
            self.sums[nodes] += kept[part]
            np.maximum(self.tops[nodes], intensity[part], out=self.tops[nodes])

    def _places(self, mz: Float64Array) -> Float64Array:
        """Interpolate the curve: its pieces are of one width, so that none has to be looked for."""
        length = self.curve_mz[-1] - self.curve_mz[0]
        along: Float64Array = mz - self.curve_mz[0]
        np.clip(along, 0.0, length, out=along)
        piece = (along * ((self.slope.size - 1) / length)).astype(np.intp)
        along *= self.slope.take(piece)
        along += self.start.take(piece)
        return along

    def result(self, divisor: float) -> tuple[Float64Array, Float64Array]:
        """Return (mz, intensity / divisor) of all nodes."""
        nodes = np.arange(self.sums.size, dtype=np.float64)
        intensity = self.sums.copy()
        intensity[1:] += self.passed_on[:-1]
        return np.interp(nodes, self.curve_node, self.curve_mz), intensity / divisor

    def highest(self) -> Float64Array:
        """Return the highest point within a node of each: samples lie between two of them."""
        found = self.tops.copy()
        np.maximum(found[1:], self.tops[:-1], out=found[1:])
        return found


def accumulator_for(dataset: MsiDataset) -> Accumulator:
    """Make a fitting empty grid for a processed dataset."""
    if dataset.mode == "profile":
        spectra = [dataset.spectrum(i) for i in _sample(dataset.n_spectra).tolist()]
        filled = [spectrum for spectrum in spectra if len(spectrum) > 2]
        low, high = dataset.mass_range if filled else (0.0, 0.0)
        if low < high:
            return ProfileSums.like(filled, low, high)
    return CentroidSums()


def _sample(n: int) -> IntArray:
    return np.unique(np.linspace(0, n - 1, min(n, _SAMPLED_SPECTRA)).astype(np.int64))


def _step_at(mz: Float64Array, spectra: list[Spectrum], smallest: float) -> Float64Array:
    """Distance between samples at each m/z: a power law through the spectra's own distances.

    Time-of-flight samples at steps ~ √(m/z), Fourier transform instruments ~ (m/z)^1.5 or ².
    Gaps where an exporter left out zeros are far above the median and do not count.
    """
    places = np.concatenate([(s.mz[1:] + s.mz[:-1]) / 2 for s in spectra])
    steps = np.concatenate([np.diff(s.mz) for s in spectra])
    usable = (steps > 0) & (places > 0)
    if usable.sum() < 8:
        return np.full(mz.size, max(smallest, (mz[-1] - mz[0]) / 1000))
    places, steps = _medians(np.log(places[usable]), np.log(steps[usable]))
    slope = np.polyfit(places, steps, 1) if places.size > 1 else np.array([0.0, steps[0]])
    fitted = np.exp(np.polyval(slope, np.log(np.maximum(mz, 1e-6))))
    return np.asarray(np.maximum(fitted, smallest), np.float64)


def _medians(places: Float64Array, steps: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Median place and step in up to 32 stretches with equally many samples."""
    order = np.argsort(places, kind="stable")
    parts = np.array_split(order, min(32, max(order.size // 8, 1)))
    centers = np.array([np.median(places[part]) for part in parts])
    middles = np.array([np.median(steps[part]) for part in parts])
    keep = np.concatenate([[True], np.diff(centers) > 0])
    return centers[keep], middles[keep]
