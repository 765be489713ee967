"""Some pixels and some m/z of a slide, seen as a slide of its own; nothing is copied."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from napari_ims_tumor.errors import QueryError, SlideError
from napari_ims_tumor.msi.arrays import BoolArray, Float64Array, FloatArray, IntArray, frozen
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.ion_image import (
    finite_row_sums,
    finite_sums_between,
    ion_images,
    positions_in_spectra,
)
from napari_ims_tumor.msi.mass_axis import MassAxis, MassWindow
from napari_ims_tumor.msi.mean_spectrum import mean_and_max, mean_spectrum
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.reduction import Reduction
from napari_ims_tumor.msi.spectrum import (
    Layout,
    Mode,
    RaggedBlock,
    SharedAxisBlock,
    Spectrum,
    SpectrumBlock,
)


@dataclass(frozen=True, slots=True)
class MassRange:
    """A stretch of the m/z axis, bounds inclusive; infinite where it is open."""

    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        if math.isnan(self.low) or math.isnan(self.high) or self.low > self.high:
            raise QueryError(f"m/z range {self.low:g} to {self.high:g}: give the lower one first")

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left out."""
        return self.low == -math.inf and self.high == math.inf

    def inside(self, mz: Float64Array) -> BoolArray:
        """Which values lie inside."""
        found: BoolArray = (mz >= self.low) & (mz <= self.high)
        return found

    def __str__(self) -> str:
        return f"m/z {self.low:.10g} to {self.high:.10g}"


WHOLE_RANGE = MassRange()


@dataclass(frozen=True, eq=False)
class Subset:
    """Some spectra of a slide, cut to an m/z range: an :class:`MsiDataset` too.

    Attributes
    ----------
    slide
        The whole slide.
    indices
        Shape (k,): which of its spectra, in this order.
    mz_range
        What is kept of each.
    """

    slide: MsiDataset
    indices: IntArray
    mz_range: MassRange = field(default=WHOLE_RANGE)

    def __post_init__(self) -> None:
        indices = frozen(self.indices, np.int64)
        n = self.slide.n_spectra
        if indices.ndim != 1 or (indices.size and not 0 <= indices.min() <= indices.max() < n):
            raise SlideError(f"{self.slide.name} has spectra 0 to {n - 1}, not all asked for")
        object.__setattr__(self, "indices", indices)

    @property
    def name(self) -> str:
        """The slide's name."""
        return self.slide.name

    @property
    def source(self) -> Path | None:
        """The slide's file."""
        return self.slide.source

    @property
    def layout(self) -> Layout:
        """The slide's layout."""
        return self.slide.layout

    @property
    def mode(self) -> Mode:
        """The slide's mode."""
        return self.slide.mode

    @property
    def warnings(self) -> tuple[str, ...]:
        """The slide's warnings."""
        return self.slide.warnings

    @property
    def n_spectra(self) -> int:
        """How many spectra there are."""
        return int(self.indices.size)

    @cached_property
    def pixels(self) -> PixelGrid:
        """Where the spectra lie, in the bounding box of those that were chosen."""
        return grid_of(self.slide.pixels, self.indices)

    @cached_property
    def mass_axis(self) -> MassAxis | None:
        """The part of the shared axis that is kept; ``None`` for a processed slide."""
        axis = self.slide.mass_axis
        return axis if axis is None or self._columns is None else MassAxis(axis.mz[self._columns])

    @cached_property
    def _columns(self) -> slice | None:
        """The channels of a shared axis that are kept; ``None`` where all are."""
        axis = self.slide.mass_axis
        if axis is None or self.mz_range.is_whole:
            return None
        first = int(np.searchsorted(axis.mz, self.mz_range.low, "left"))
        last = int(np.searchsorted(axis.mz, self.mz_range.high, "right"))
        if first >= last:
            raise QueryError(
                f"no m/z value of {self.name} lies in {self.mz_range}: it goes from "
                f"{axis.low:.4f} to {axis.high:.4f}"
            )
        return None if last - first == len(axis) else slice(first, last)

    @cached_property
    def mass_range(self) -> tuple[float, float]:
        """Lowest and highest m/z of any chosen spectrum; NaN where there is no peak at all."""
        axis = self.mass_axis
        if axis is not None:
            return axis.low, axis.high
        parts = [block.mz for block in self.blocks() if block.mz.size]
        extremes = [(float(mz.min()), float(mz.max())) for mz in parts]
        if not extremes:
            return math.nan, math.nan
        return min(low for low, _ in extremes), max(high for _, high in extremes)

    def spectrum(self, i: int) -> Spectrum:
        """Spectrum ``i`` of those chosen."""
        if not 0 <= i < self.n_spectra:
            raise SlideError(f"{self.name} has spectra 0 to {self.n_spectra - 1} here, not {i}")
        whole = self.slide.spectrum(int(self.indices[i]))
        if self.mz_range.is_whole:
            return whole
        first = int(np.searchsorted(whole.mz, self.mz_range.low, "left"))
        last = int(np.searchsorted(whole.mz, self.mz_range.high, "right"))
        return Spectrum(whole.mz[first:last], whole.intensity[first:last], whole.mode)

    def blocks(self, indices: IntArray | None = None) -> Iterator[SpectrumBlock]:
        """Read spectra (all, or those given) in blocks of bounded memory, in the given order."""
        chosen = np.arange(self.n_spectra) if indices is None else np.asarray(indices, np.int64)
        wanted = self.indices[chosen]
        n = self.slide.n_spectra
        # A slide that is read whole may come from memory, or leave behind what it learned.
        is_all = wanted.size == n and bool((wanted == np.arange(n)).all())
        done = 0
        for block in self.slide.blocks(None if is_all else wanted):
            here = chosen[done : done + block.indices.size]
            done += block.indices.size
            yield self._cut(block, here)

    def _cut(self, block: SpectrumBlock, numbers: IntArray) -> SpectrumBlock:
        if isinstance(block, SharedAxisBlock):
            if self._columns is None:
                return SharedAxisBlock(numbers, block.mz, block.intensity)
            part = self._columns
            return SharedAxisBlock(numbers, block.mz[part], block.intensity[:, part])
        if self.mz_range.is_whole:
            return RaggedBlock(numbers, block.mz, block.intensity, block.bounds)
        return cut_spectra(block, numbers, self.mz_range)

    def ion_images(self, windows: Sequence[MassWindow], reduce: Reduction = "sum") -> FloatArray:
        """Sum, maximum or mean inside each window, (windows, *image_shape); NaN = unmeasured."""
        return ion_images(self, windows, reduce)

    def total_ion_current(self) -> Float64Array:
        """Sum of each spectrum's finite intensities, shape (n_spectra,)."""
        sums = np.zeros(self.n_spectra)
        for block in self.blocks():
            if isinstance(block, SharedAxisBlock):
                sums[block.indices] = finite_row_sums(block.intensity)
            else:
                sums[block.indices] = finite_sums_between(block.intensity, block.bounds)
        return sums

    def mean_spectrum(self) -> Spectrum:
        """Mean over the chosen spectra."""
        return mean_spectrum(self)

    def max_spectrum(self) -> Spectrum:
        """Largest intensity of any of the chosen spectra."""
        return mean_and_max(self).max


def cut_spectra(block: RaggedBlock, numbers: IntArray, mz_range: MassRange) -> RaggedBlock:
    """Keep what lies inside a range of every spectrum of a block, numbered ``numbers``."""
    first = positions_in_spectra(block, mz_range.low, "left")
    last = positions_in_spectra(block, mz_range.high, "right")
    lengths = np.maximum(last - first, 0)
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    take = np.repeat(first - bounds[:-1], lengths) + np.arange(int(bounds[-1]))
    return RaggedBlock(numbers, block.mz[take], block.intensity[take], bounds)


def grid_of(pixels: PixelGrid, indices: ArrayLike) -> PixelGrid:
    """Lay some spectra of a grid out in their own bounding box; planes are numbered anew.

    Parameters
    ----------
    pixels
        The grid of the whole slide.
    indices
        Shape (k,): which spectra, at least one.
    """
    chosen = np.asarray(indices, np.int64)
    if chosen.size == 0:
        raise SlideError("no pixel is chosen")
    rows, columns = pixels.rows[chosen], pixels.columns[chosen]
    _, planes = np.unique(pixels.planes[chosen], return_inverse=True)
    top, left = int(rows.min()), int(columns.min())
    return PixelGrid(
        rows=rows - top,
        columns=columns - left,
        shape=(int(rows.max()) - top + 1, int(columns.max()) - left + 1),
        pixel_size_um=pixels.pixel_size_um,
        origin=(pixels.origin[0] + top, pixels.origin[1] + left),
        planes=planes.astype(np.int64),
    )
