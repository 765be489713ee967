"""Ion images: where on the slide an m/z window is bright."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any, Final, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.msi.arrays import Float64Array, FloatArray, IntArray
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.mass_axis import MassWindow
from napari_ims_tumor.msi.reduction import (
    Reduction,
    check_reduction,
    reduce_channels,
    reduce_points,
)
from napari_ims_tumor.msi.spectrum import RaggedBlock, SharedAxisBlock, SpectrumBlock

_AT_ONCE: Final = 1 << 16
"""Values converted to float64 at once."""


@runtime_checkable
class WindowReader(Protocol):
    """A slide that has faster ways to the numbers of windows than to look at all spectra."""

    def window_values(self, bounds: Float64Array, reduce: Reduction) -> Float64Array:
        """Return the numbers of windows, (2, windows) bounds, as (windows, n_spectra)."""


def ion_images(
    dataset: MsiDataset, windows: Sequence[MassWindow], reduce: Reduction = "sum"
) -> Float64Array:
    """Make one number of the raw intensity inside each m/z window at every pixel.

    Parameters
    ----------
    dataset
        The slide.
    windows
        Bounds are inclusive.
    reduce
        ``"sum"``, ``"max"`` or ``"mean"`` of the points inside.

    Returns
    -------
    ndarray
        Shape (windows, *image_shape), float64. NaN where nothing was measured, 0 where nothing
        was found. Intensities that are not finite are left out.
    """
    return dataset.pixels.as_image(ion_vectors(dataset, windows, reduce))


def ion_vectors(
    dataset: MsiDataset, windows: Sequence[MassWindow], reduce: Reduction = "sum"
) -> Float64Array:
    """Make one number of the raw intensity inside each m/z window of every spectrum, in one pass.

    Returns
    -------
    ndarray
        Shape (windows, n_spectra), float64, accumulated in float64.
    """
    check_reduction(reduce)
    if len(windows) == 0:
        return np.zeros((0, dataset.n_spectra))
    bounds = np.array([[w.low for w in windows], [w.high for w in windows]], np.float64)
    if _reads_windows(type(dataset)):
        return cast(WindowReader, dataset).window_values(bounds, reduce)
    return values_of_blocks(dataset, bounds, reduce)


@cache
def _reads_windows(kind: type) -> bool:
    # To look a protocol's methods up takes longer than some images do.
    return issubclass(kind, WindowReader)


def values_of_blocks(dataset: MsiDataset, bounds: Float64Array, reduce: Reduction) -> Float64Array:
    """Make the numbers of windows out of all spectra of a slide: what they are by definition."""
    values = np.zeros((bounds.shape[1], dataset.n_spectra))
    for block in dataset.blocks():
        values[:, block.indices] = block_values(block, bounds, reduce)
    return values


def block_values(
    block: SpectrumBlock, bounds: Float64Array, reduce: Reduction = "sum"
) -> Float64Array:
    """Sum, maximum or mean of the finite intensities of a block between m/z bounds.

    Parameters
    ----------
    block
        Spectra.
    bounds
        Shape (2, windows): lowest and highest m/z of each, inclusive.

    Returns
    -------
    ndarray
        Shape (windows, spectra of the block), float64.
    """
    if isinstance(block, SharedAxisBlock):
        return _shared_values(block, bounds, reduce)
    return _ragged_values(block, bounds, reduce)


def _shared_values(block: SharedAxisBlock, bounds: Float64Array, reduce: Reduction) -> Float64Array:
    first = np.searchsorted(block.mz, bounds[0], "left")
    last = np.searchsorted(block.mz, bounds[1], "right")
    pairs = zip(first.tolist(), last.tolist(), strict=True)
    parts = (np.ascontiguousarray(block.intensity[:, a : max(a, b)].T) for a, b in pairs)
    return np.stack([reduce_channels(part, reduce) for part in parts])


def _ragged_values(block: RaggedBlock, bounds: Float64Array, reduce: Reduction) -> Float64Array:
    values = np.empty((bounds.shape[1], block.indices.size))
    for w, (low, high) in enumerate(bounds.T.tolist()):
        first = positions_in_spectra(block, low, "left")
        last = positions_in_spectra(block, high, "right")
        values[w] = _of_ranges(block.intensity, first, last, reduce)
    return values


def positions_in_spectra(block: RaggedBlock, mz: float, side: str) -> IntArray:
    """Bisect all spectra of a block at once: where ``mz`` would be inserted in each.

    Returns
    -------
    ndarray
        Shape (spectra,), positions in the block's flat arrays.
    """
    low, high = block.bounds[:-1].copy(), block.bounds[1:].copy()
    if block.mz.size == 0:
        return low
    top = block.mz.size - 1
    for _ in range(int((high - low).max(initial=0)).bit_length()):
        middle = (low + high) >> 1
        values = block.mz[np.minimum(middle, top)]
        right = (values < mz) if side == "left" else (values <= mz)
        right &= low < high
        low = np.where(right, middle + 1, low)
        high = np.where(right, high, middle)
    return low


def _of_ranges(
    intensity: FloatArray, first: IntArray, last: IntArray, reduce: Reduction
) -> Float64Array:
    """Reduce ``intensity[first[j]:last[j]]`` for each j; only the points inside are touched."""
    counts = np.maximum(last - first, 0)
    ends = np.cumsum(counts)
    points = np.arange(int(ends[-1]) if ends.size else 0)
    picked = intensity[points + np.repeat(first - (ends - counts), counts)]
    spectra = np.repeat(np.arange(counts.size), counts)
    return reduce_points(spectra, picked, counts.size, reduce)


@np.errstate(invalid="ignore", over="ignore")
def finite_row_sums(matrix: NDArray[Any]) -> Float64Array:
    """Sum the finite values of each row of (rows, columns), in float64."""
    sums: Float64Array = matrix.sum(axis=1, dtype=np.float64)
    odd = np.flatnonzero(~np.isfinite(sums))
    if odd.size:
        rows = matrix[odd].astype(np.float64)
        sums[odd] = np.where(np.isfinite(rows), rows, 0).sum(axis=1)
    return sums


@np.errstate(invalid="ignore", over="ignore")
def finite_sums_between(values: NDArray[Any], bounds: IntArray) -> Float64Array:
    """Sum the finite values of each slice ``values[bounds[j]:bounds[j + 1]]``, in float64."""
    sums = np.zeros(bounds.size - 1)
    filled = np.flatnonzero(np.diff(bounds) > 0)
    if filled.size == 0:
        return sums
    starts, end = bounds[:-1][filled], int(bounds[-1])
    # Converted beforehand, and no more at once than stays in a processor's cache: reduceat would
    # convert in portions so small that it takes twice the time.
    cuts = np.unique(np.searchsorted(starts, np.arange(0, end, _AT_ONCE)))
    for a, b in pairwise([*cuts[cuts < starts.size].tolist(), starts.size]):
        low, high = int(starts[a]), int(starts[b]) if b < starts.size else end
        exact = values[low:high].astype(np.float64, copy=False)
        sums[filled[a:b]] = np.add.reduceat(exact, starts[a:b] - low)
    for j in np.flatnonzero(~np.isfinite(sums)).tolist():
        part = values[bounds[j] : bounds[j + 1]].astype(np.float64)
        sums[j] = part[np.isfinite(part)].sum()
    return sums
