"""Fine m/z grids on which spectra with different m/z values can be added up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from napari_ims_tumor.msi.arrays import Float64Array, FloatArray, IntArray
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.spectrum import Spectrum

GRID_PPM: Final = 5.0
"""Width of a centroid bin: below the mass error of most imaging instruments."""

MOST_NODES: Final = 2_000_000
_AT_ONCE: Final = 1 << 20
"""Points per step: intermediate arrays small enough to be used again."""
_SAMPLED_SPECTRA: Final = 16
_CURVE_POINTS: Final = 4096


class Accumulator(Protocol):
    """Adds points up; the sum of all that was added is kept."""

    def add(self, mz: Float64Array, intensity: FloatArray) -> None:
        """Add points: ascending or not, finite; shapes (n,)."""

    def result(self, divisor: float) -> tuple[Float64Array, Float64Array]:
        """Return (mz, intensity / divisor), ascending in m/z."""


@dataclass(slots=True)
class CentroidSums:
    """Adds centroids up in bins of equal relative width; m/z below 1 share the first bin.

    The m/z of a bin is the intensity-weighted mean of what fell in, so a peak keeps its exact mass.
    """

    low: float
    intensity: Float64Array
    weight: Float64Array
    moment: Float64Array

    @classmethod
    def over(cls, low: float, high: float) -> CentroidSums:
        """Make empty bins from ``low`` to ``high``."""
        bottom = float(np.log(max(low, 1.0)))
        n = int((np.log(max(high, 1.0)) - bottom) / (GRID_PPM * 1e-6)) + 2
        return cls(bottom, np.zeros(n), np.zeros(n), np.zeros(n))

    def add(self, mz: Float64Array, intensity: FloatArray) -> None:
        """Add points; shapes (n,)."""
        for start in range(0, mz.size, _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            self._add(mz[part], intensity[part])

    def _add(self, mz: Float64Array, intensity: FloatArray) -> None:
        n = self.intensity.size
        place = np.log(np.maximum(mz, 1.0))
        place -= self.low
        place *= 1e6 / GRID_PPM
        bins = place.astype(np.int64)
        if bins.size and (int(bins.min()) < 0 or int(bins.max()) >= n):
            bins = np.clip(bins, 0, n - 1)
        values = intensity.astype(np.float64, copy=False)
        sums = np.bincount(bins, values, n)
        self.intensity += sums
        weight = values
        if values.size and values.min() < 0:
            weight = np.abs(values)
            sums = np.bincount(bins, weight, n)
        self.weight += sums
        self.moment += np.bincount(bins, weight * mz, n)

    def result(self, divisor: float) -> tuple[Float64Array, Float64Array]:
        """Return (mz, intensity / divisor) of the bins that hold anything."""
        filled = np.flatnonzero(self.weight > 0)
        mz = self.moment[filled] / self.weight[filled]
        return mz, self.intensity[filled] / divisor


@dataclass(slots=True)
class ProfileSums:
    """Adds samples of curves up on a grid as fine as the curves; each is split between two nodes.

    Attributes
    ----------
    curve_mz, curve_node
        Shape (4096,): m/z, and the (fractional) node that lies there; both ascending.
    intensity
        Shape (nodes,).
    """

    curve_mz: Float64Array
    curve_node: Float64Array
    intensity: Float64Array

    @classmethod
    def like(cls, spectra: list[Spectrum], low: float, high: float) -> ProfileSums:
        """Make an empty grid from ``low`` to ``high``, sampled like ``spectra``."""
        mz = np.linspace(low, high, _CURVE_POINTS)
        density = 1 / _step_at(mz, spectra, (high - low) / MOST_NODES)
        pieces = np.diff(mz) * (density[1:] + density[:-1]) / 2
        node = np.concatenate([[0.0], np.cumsum(pieces)])
        n = int(np.clip(np.ceil(node[-1]), 1, MOST_NODES)) + 1
        return cls(mz, node * ((n - 1) / node[-1]), np.zeros(n))

    def add(self, mz: Float64Array, intensity: FloatArray) -> None:
        """Add points; shapes (n,)."""
        n = self.intensity.size
        place = np.interp(mz, self.curve_mz, self.curve_node)
        left = np.minimum(place.astype(np.int64), n - 2)
        upper = (place - left) * intensity
        self.intensity += np.bincount(left, intensity - upper, n)
        self.intensity += np.bincount(left + 1, upper, n)

    def result(self, divisor: float) -> tuple[Float64Array, Float64Array]:
        """Return (mz, intensity / divisor) of all nodes."""
        nodes = np.arange(self.intensity.size, dtype=np.float64)
        return np.interp(nodes, self.curve_node, self.curve_mz), self.intensity / divisor


def accumulator_for(dataset: MsiDataset) -> Accumulator | None:
    """A fitting empty grid for a processed dataset; ``None`` where it holds no point at all."""
    low, high = dataset.mass_range
    if not low <= high:
        return None
    if dataset.mode == "profile" and high > low:
        spectra = [dataset.spectrum(i) for i in _sample(dataset.n_spectra).tolist()]
        filled = [spectrum for spectrum in spectra if len(spectrum) > 2]
        if filled:
            return ProfileSums.like(filled, low, high)
    return CentroidSums.over(low, high)


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
