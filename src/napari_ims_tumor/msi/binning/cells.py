"""How far an m/z value reaches: to the midpoints of its neighbors, but not across a gap.

The same rule serves the bins of a model's axis and the samples of a profile spectrum, so an axis
laid onto itself is the identity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.ndimage import percentile_filter

from napari_ims_tumor.msi.arrays import Float64Array, IntArray

# Half of the local step, and a fifth more: room for the growing steps of a time-of-flight axis and
# the unequal spacing of picked peaks, yet short of the next peak where a gap follows.
REACH: Final = 0.6
NEIGHBORS: Final = 15
LOW_QUARTILE: Final = 25
LONE_REACH_DA: Final = 0.5
SLIVER: Final = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """The m/z interval that each value stands for; intervals of one axis never overlap.

    Attributes
    ----------
    low, high
        Shape (n,), float64. Where two values are neighbors, ``high[i] == low[i + 1]`` exactly.
    """

    low: Float64Array
    high: Float64Array


def cells_of(mz: Float64Array, bounds: IntArray | None = None, lone_reach: float = 0.0) -> Cells:
    """Give every m/z value its cell.

    Parameters
    ----------
    mz
        Shape (n,), ascending within each spectrum.
    bounds
        Where spectra begin and end in ``mz`` if there are several; cells never leave a spectrum.
    lone_reach
        Half-width in Da of a value that has no neighbor at all.

    Returns
    -------
    Cells
        In the order of ``mz``.
    """
    if mz.size == 0:
        return Cells(np.zeros(0), np.zeros(0))
    ends = np.array([0, mz.size]) if bounds is None else bounds
    step = np.diff(mz)
    inner = ends[1:-1]
    step[inner[(inner > 0) & (inner < mz.size)] - 1] = np.inf
    reach = REACH * _local_step(step, ends, lone_reach / REACH)
    before, after = np.append(np.inf, step), np.append(step, np.inf)
    # The outer side of a first or last value mirrors its inner side.
    before, after = _mirrored(before, after), _mirrored(after, before)
    middle = mz[:-1] + step / 2
    high, low = mz + np.minimum(after / 2, reach), mz - np.minimum(before / 2, reach)
    high[:-1] = np.where(step / 2 <= reach[:-1], middle, high[:-1])
    low[1:] = np.where(step / 2 <= reach[1:], middle, low[1:])
    # A value with no width (a duplicate m/z) keeps a sliver, so that its intensity is not lost.
    return Cells(np.minimum(low, mz * (1 - SLIVER)), np.maximum(high, mz * (1 + SLIVER)))


def _mirrored(side: Float64Array, other: Float64Array) -> Float64Array:
    return np.where(np.isfinite(side), side, other)


def _local_step(step: Float64Array, bounds: IntArray, lone: float) -> Float64Array:
    """Return the usual distance between neighbors around each value, within its own spectrum.

    The lower quartile of the distances nearby: gaps, however many, do not make it wide, and one
    close pair does not make it narrow.
    """
    around = _reflected(bounds)
    usual = np.full(int(bounds[-1]), lone)
    if around.source.size == 0:
        return usual
    positive = np.where(step > 0, step, np.inf)[around.source]
    quartile = percentile_filter(positive, LOW_QUARTILE, size=NEIGHBORS, mode="nearest")
    found = np.minimum(quartile[around.before], quartile[around.before + 1])
    usual[around.value] = np.where(np.isfinite(found), found, lone)
    return usual


@dataclass(frozen=True, slots=True, eq=False)
class _Reflected:
    """Distances of many spectra end to end, each spectrum continued by its own mirror image.

    So a filter that runs over all of them at once mixes no two spectra, and a spectrum's cells do
    not depend on what happens to lie beside it in a block.
    """

    source: IntArray
    value: IntArray
    before: IntArray


def _reflected(bounds: IntArray) -> _Reflected:
    margin = NEIGHBORS // 2 + 1
    several = np.diff(bounds) > 1
    start, n_steps = bounds[:-1][several], np.diff(bounds)[several] - 1
    padded = n_steps + 2 * margin
    place = _counted(padded) - margin
    period = np.repeat(2 * n_steps, padded)
    turned = place % period
    mirrored = np.where(turned < period // 2, turned, period - 1 - turned)
    first = np.cumsum(padded) - padded
    within = _counted(n_steps + 1)
    return _Reflected(
        np.repeat(start, padded) + mirrored,
        np.repeat(start, n_steps + 1) + within,
        np.repeat(first + margin - 1, n_steps + 1) + within,
    )


def _counted(lengths: IntArray) -> IntArray:
    """Count 0, 1, … anew for each of several lengths, end to end."""
    total = int(lengths.sum())
    return np.arange(total) - np.repeat(np.cumsum(lengths) - lengths, lengths)
