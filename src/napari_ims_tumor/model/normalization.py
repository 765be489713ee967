"""From raw intensities to what the classifier sees: total ion current, square root, center, scale.

On a finely sampled axis intensities are summed over a peak before, and spectra moved into place
between root and center: see :mod:`.preparation`. The square root makes counting noise about equal
for weak and strong peaks (Poisson); centers and scales are learned from the labelled spectra and
stored in the model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from napari_ims_tumor.model.mass_alignment import MassAlignment
from napari_ims_tumor.model.preparation import AS_IT_IS, Preparation, sums_of_neighbors
from napari_ims_tumor.msi.arrays import (
    BoolArray,
    Float32Array,
    Float64Array,
    FloatArray,
    IntArray,
    frozen,
)
from napari_ims_tumor.msi.matrix_room import IN_CACHE, pieces
from napari_ims_tumor.msi.normalization import scale_factors
from napari_ims_tumor.msi.turns import by_turns

SCALE_FLOOR: Final = 0.3
"""Least scale, as a share of the typical scale: a peak seen once must not become a giant."""
LIMIT: Final = 6.0
"""Largest absolute input: one wild peak must not decide a pixel."""
LOOKED_AT_FIRST: Final = 512
"""Bins in the middle of a spectrum: most show there already that they hold something."""

_LEAST: Final = 1e-30
"""Factors beyond this and its inverse are outside what 32 bits hold well."""


def has_intensity(values: FloatArray) -> BoolArray:
    """Which of (n, bins) spectra hold anything: the others become all 0 and say nothing."""
    middle = max(0, (values.shape[1] - LOOKED_AT_FIRST) // 2)
    full = _holds_any(values[:, middle : middle + LOOKED_AT_FIRST])
    left = np.flatnonzero(~full)
    if left.size:
        full[left] = _holds_any(values[left])
    return full


def _holds_any(values: FloatArray) -> BoolArray:
    top = values.max(axis=1, initial=0)
    # Where nothing is wrong, as nearly always, one pass says it.
    full = np.asarray(top > 0, np.bool_)
    odd = np.flatnonzero(~np.isfinite(top))
    full[odd] = ((values[odd] > 0) & np.isfinite(values[odd])).any(axis=1)
    return full


def root_of_shares(values: FloatArray, width: int = 1) -> Float32Array:
    """Square root of each intensity's share of its spectrum, times √bins.

    Parameters
    ----------
    values
        Shape (n, bins), raw. Negative and non-finite intensities count as 0.
    width
        Bins that are summed before: a model's own, see :meth:`InputNormalization.roots`.

    Returns
    -------
    ndarray
        Shape (n, bins), float32, root mean square 1 per spectrum; an empty spectrum is all 0.
    """
    clean = _without_nonsense(values)
    summed = clean.copy() if width == 1 else np.asarray(sums_of_neighbors(clean, width))
    total = summed.sum(axis=1, dtype=np.float64)
    # Each spectrum for itself: what a model sees of it is the same alone and among thousands.
    _scale_rows(summed, scale_factors(total, "tic", target=summed.shape[1]))
    return np.sqrt(summed, out=summed)


def _without_nonsense(values: FloatArray) -> Float32Array:
    """The same with 0 for what is negative or not finite; no copy where nothing is."""
    clean = np.asarray(values, np.float32)
    if clean.size and not (clean.min() >= 0 and clean.max() < np.inf):
        clean = np.nan_to_num(clean, nan=0.0, posinf=0.0, neginf=0.0)
        np.maximum(clean, 0, out=clean)
    return clean


def _scale_rows(values: Float32Array, factors: Float64Array) -> None:
    """Multiply each row by its factor; in 32 bits, which is three times as fast, where it fits."""
    fits = (factors == 0) | ((factors > _LEAST) & (factors < 1 / _LEAST))
    wild = np.flatnonzero(~fits)
    scaled = (values[wild] * factors[wild, None]).astype(np.float32)
    values *= np.where(fits, factors, 0).astype(np.float32)[:, None]
    values[wild] = scaled


def _summed(
    roots: Float32Array, rows: IntArray, change: Callable[[Float32Array], FloatArray]
) -> Float64Array:
    """Add up what some spectra become, a few at a time: every other piece by each of two threads.

    It is two sums on any machine, so that the last digit is the same as well.
    """
    parts = list(pieces(len(rows), roots.shape[1], IN_CACHE))

    def half(first: int) -> Float64Array:
        total = np.zeros(roots.shape[1])
        for part in parts[first::2]:
            total += change(roots[rows[part]]).sum(axis=0, dtype=np.float64)
        return total

    halves = by_turns(lambda mine: [half(first) for first in [0, 1][mine]], 2)
    total: Float64Array = np.sum([one for some in halves for one in some], axis=0)
    return total


def _not_empty(roots: Float32Array, rows: IntArray | None) -> IntArray:
    some = np.arange(len(roots)) if rows is None else rows
    parts = pieces(len(some), roots.shape[1], IN_CACHE)
    full = [some[part][has_intensity(roots[some[part]])] for part in parts]
    return np.concatenate([np.zeros(0, np.int64), *full])


def _no_move(roots: Float32Array) -> Float32Array:
    return roots


def _into_place(template: Float64Array, reach: int) -> Callable[[Float32Array], Float32Array]:
    return MassAlignment(template.astype(np.float32), reach).aligned


@dataclass(frozen=True, eq=False)
class InputNormalization:
    """Center and scale of every bin.

    Attributes
    ----------
    center, scale
        Shape (bins,), float32; ``scale`` > 0 everywhere.
    preparation
        What is done to spectra before.
    """

    center: Float32Array
    scale: Float32Array
    preparation: Preparation = AS_IT_IS

    def __post_init__(self) -> None:
        object.__setattr__(self, "center", frozen(self.center, np.float32))
        object.__setattr__(self, "scale", frozen(self.scale, np.float32))

    @classmethod
    def learn(
        cls,
        roots: Float32Array,
        rows: IntArray | None = None,
        preparation: Preparation = AS_IT_IS,
    ) -> InputNormalization:
        """Centers and scales of (n, bins) rooted spectra, or of some rows of them.

        Empty spectra do not count. Where spectra are moved into place, that is first where their
        mean has its peaks, then where the mean of those moved has them.
        """
        full = _not_empty(roots, rows)
        n = len(full)
        if not n:
            bins = roots.shape[1]
            return cls(np.zeros(bins, np.float32), np.ones(bins, np.float32), preparation)
        place: Callable[[Float32Array], Float32Array] = _no_move
        center = _summed(roots, full, place) / n
        if preparation.reach:
            place = _into_place(center, preparation.reach)
            center = _summed(roots, full, place) / n
            place = _into_place(center, preparation.reach)

        def squares(seen: Float32Array) -> Float64Array:
            away = place(seen) - center
            return np.multiply(away, away, out=away)

        deviation = np.sqrt(_summed(roots, full, squares) / n)
        floor = SCALE_FLOOR * float(np.sqrt(np.mean(deviation**2)))
        scale = np.maximum(deviation, floor) if floor > 0 else np.ones_like(deviation)
        return cls(center.astype(np.float32), scale.astype(np.float32), preparation)

    def roots(self, values: FloatArray) -> Float32Array:
        """Rooted shares of (n, bins) raw intensities, as :meth:`apply` expects them."""
        return root_of_shares(values, self.preparation.width)

    @cached_property
    def _alignment(self) -> MassAlignment:
        return MassAlignment(self.center, self.preparation.reach)

    def aligned(self, roots: Float32Array) -> Float32Array:
        """Move rooted spectra (n, bins) to where this normalization expects their peaks."""
        return self._alignment.aligned(roots) if self.preparation.reach else roots

    def apply(self, roots: Float32Array) -> Float32Array:
        """Move into place, center and scale (n, bins); an empty spectrum becomes all 0."""
        return self.centered(self.aligned(roots))

    def centered(self, roots: Float32Array) -> Float32Array:
        """Center and scale rooted spectra (n, bins) that lie in their place."""
        inputs: Float32Array = roots - self.center
        inputs /= self.scale
        np.clip(inputs, -LIMIT, LIMIT, out=inputs)
        inputs[~has_intensity(roots)] = 0
        return inputs
