"""Which m/z become columns of a table or planes of a stack, and their values block by block.

A channel is one m/z value of a shared axis, taken as it is, or a window, over which is summed (or
the maximum or the mean is taken).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.errors import QueryError
from napari_ims_tumor.msi.arrays import Float64Array, frozen
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.ion_image import block_values
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow
from napari_ims_tumor.msi.peaks import pick_peaks
from napari_ims_tumor.msi.reduction import Reduction
from napari_ims_tumor.msi.spectrum import RaggedBlock, SharedAxisBlock, SpectrumBlock

USUAL_TOLERANCE: Final = MassTolerance(0.1, "Da")
MOST_PEAKS: Final = 2000
"""Channels of a processed slide by default: as many as its slider has."""
MOST_BINS: Final = 2_000_000
_AT_ONCE: Final = 1 << 18
"""Values converted to float64 at once."""
_FEW: Final = 16
"""Up to so many windows are looked up one by one; beyond, each point is looked up in all."""


@dataclass(frozen=True, slots=True)
class ChannelChoice:
    """What the user asked for; by default the axis of a continuous slide, else its peaks.

    Attributes
    ----------
    mz
        Centers of windows.
    peaks
        Instead: how many picked peaks of the mean spectrum.
    bins
        Instead: the width of bins that cover the whole range.
    tolerance
        Half-width of the windows around ``mz`` (by default 0.1 Da) or ``peaks`` (by default as
        wide as each peak is).
    """

    mz: tuple[float, ...] = ()
    peaks: int | None = None
    bins: MassTolerance | None = None
    tolerance: MassTolerance | None = None

    def __post_init__(self) -> None:
        if sum((bool(self.mz), self.peaks is not None, self.bins is not None)) > 1:
            raise QueryError("mz, peaks and bins exclude each other: give one of them")
        if self.peaks is not None and self.peaks < 1:
            raise QueryError(f"{self.peaks} peaks: give 1 or more")
        if self.bins is not None and self.bins.value <= 0:
            raise QueryError(f"bins of {self.bins}: give a width above 0")
        if self.tolerance is not None and not self.mz and self.peaks is None:
            raise QueryError("a tolerance is for mz or peaks, and neither is given")

    @property
    def is_default(self) -> bool:
        """Whether nothing was asked for."""
        return self == ChannelChoice()

    @property
    def windows(self) -> list[MassWindow]:
        """The windows around ``mz``; none where something else was asked for."""
        return [MassWindow(mz, self.tolerance or USUAL_TOLERANCE) for mz in self.mz]


@dataclass(frozen=True, eq=False)
class Channels:
    """Columns of m/z.

    Attributes
    ----------
    mz, low, high
        Shape (k,): center and inclusive bounds.
    exact
        Whether they are the values of a shared axis themselves: then nothing is summed.
    """

    mz: Float64Array
    low: Float64Array
    high: Float64Array
    exact: bool = False

    def __post_init__(self) -> None:
        for name in ("mz", "low", "high"):
            object.__setattr__(self, name, frozen(getattr(self, name), np.float64))

    def __len__(self) -> int:
        return int(self.mz.size)

    @property
    def names(self) -> tuple[str, ...]:
        """One name each: ``"m/z 957.4900"``, with more digits where these are not enough."""
        for digits in (4, 6, 9):
            names = tuple(f"m/z {value:.{digits}f}" for value in self.mz.tolist())
            if len(set(names)) == len(names):
                return names
        return tuple(f"{name} ({number})" for number, name in enumerate(names, 1))

    def values(self, block: SpectrumBlock, reduce: Reduction = "sum") -> NDArray[Any]:
        """Value of every channel in every spectrum of a block, shape (k, spectra)."""
        if self.exact and isinstance(block, SharedAxisBlock):
            return block.intensity.T
        many = reduce == "sum" and len(self) > _FEW and self._apart
        if many and isinstance(block, RaggedBlock):
            return _sums_apart(block, self.low, self.high)
        if many and isinstance(block, SharedAxisBlock):
            return _column_sums_apart(block, self.low, self.high)
        return block_values(block, np.stack([self.low, self.high]), reduce)

    @property
    def _apart(self) -> bool:
        """Whether the windows ascend and none overlaps the next."""
        return bool((self.high[:-1] < self.low[1:]).all())


def _sums_apart(block: RaggedBlock, low: Float64Array, high: Float64Array) -> Float64Array:
    """Sum the finite intensities in many windows: every point is in one of them at most."""
    k, n = low.size, block.indices.size
    window = np.searchsorted(low, block.mz, "right") - 1
    inside = (window >= 0) & (block.mz <= high[np.maximum(window, 0)])
    inside &= np.isfinite(block.intensity)
    owner = np.repeat(np.arange(n), np.diff(block.bounds))[inside]
    sums = np.bincount(window[inside] * n + owner, block.intensity[inside], k * n)
    return np.asarray(sums, np.float64).reshape(k, n)


def _column_sums_apart(
    block: SharedAxisBlock, low: Float64Array, high: Float64Array
) -> Float64Array:
    """Sum the finite intensities in many windows of a shared axis, all in one call."""
    first = np.searchsorted(block.mz, low, "left")
    last = np.searchsorted(block.mz, high, "right")
    filled = np.flatnonzero(last > first)
    sums = np.zeros((low.size, block.indices.size))
    if filled.size == 0:
        return sums
    # Sums from each window's begin to its end, and from there to the next begin, which are dropped.
    edges = np.stack([first[filled], last[filled]], axis=1).ravel()
    edges = edges[:-1] if edges[-1] == block.mz.size else edges
    step = max(_AT_ONCE // block.mz.size, 1)
    for start in range(0, block.indices.size, step):
        values = block.intensity[start : start + step].astype(np.float64)
        if not np.isfinite(values).all():
            values[~np.isfinite(values)] = 0
        sums[filled, start : start + step] = np.add.reduceat(values, edges, axis=1)[:, ::2].T
    return sums


def choose_channels(dataset: MsiDataset, choice: ChannelChoice) -> Channels:
    """Settle which channels a slide has.

    Raises
    ------
    QueryError
        No peak was found, or bins are too many.
    """
    if choice.mz:
        return of_windows(choice.windows)
    if choice.bins is not None:
        return _bins(dataset, choice.bins)
    axis = dataset.mass_axis
    if choice.peaks is None and axis is not None:
        return Channels(axis.mz, axis.mz, axis.mz, exact=True)
    return _picked(dataset, choice)


def of_windows(windows: list[MassWindow]) -> Channels:
    """Make channels of windows, in their order."""
    return Channels(
        np.array([w.center for w in windows]),
        np.array([w.low for w in windows]),
        np.array([w.high for w in windows]),
    )


def _picked(dataset: MsiDataset, choice: ChannelChoice) -> Channels:
    peaks = pick_peaks(dataset.mean_spectrum(), choice.peaks or MOST_PEAKS)
    if not peaks:
        raise QueryError(f"the mean spectrum of {dataset.name} has no peak there")
    in_order = sorted(peaks, key=lambda peak: peak.mz)
    if choice.tolerance is None:
        return of_windows([peak.window for peak in in_order])
    return of_windows([MassWindow(peak.mz, choice.tolerance) for peak in in_order])


def _bins(dataset: MsiDataset, width: MassTolerance) -> Channels:
    edges = bin_edges(*dataset.mass_range, width)
    # Bounds are inclusive, so the upper one is the last number before the next bin.
    return Channels(
        (edges[:-1] + edges[1:]) / 2, edges[:-1], np.nextafter(edges[1:], -np.inf)
    )  # fmt: skip


def bin_edges(low: float, high: float, width: MassTolerance) -> Float64Array:
    """Edges of bins that cover ``low`` to ``high``, inclusive; in ppm each is wider than the last.

    Da: from a multiple of the width on, so that the same m/z has the same bin on other slides.
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        raise QueryError("there is no peak to bin")
    if width.unit == "ppm":
        if low <= 0:
            raise QueryError("bins in ppm begin above m/z 0: give a width in Da")
        ratio = math.log1p(width.value * 1e-6)
        first, last = math.floor(math.log(low) / ratio), math.floor(math.log(high) / ratio) + 1
    else:
        first, last = math.floor(low / width.value), math.floor(high / width.value) + 1
    if last - first > MOST_BINS:
        raise QueryError(f"bins of {width} would be {last - first}: at most {MOST_BINS} are made")
    numbers = np.arange(first, last + 1, dtype=np.float64)
    edges = np.exp(numbers * ratio) if width.unit == "ppm" else numbers * width.value
    # Rounding must not leave an end outside.
    edges[0], edges[-1] = min(edges[0], low), max(edges[-1], np.nextafter(high, np.inf))
    return edges
