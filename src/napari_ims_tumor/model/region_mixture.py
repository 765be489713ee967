"""How much of each region is of its class, from one number per pixel.

The number is by how much the class beats healthy, for a model that has not seen the pixel's group.
Healthy pixels have it around one place, pixels of the class around another; all pixels of a region
are moved together by what makes its patient unlike others. How far such moves go is seen in the
groups of healthy pixels. What is left to find, region by region, is the move and the share: both on
a grid, weighed by how well they explain the region's pixels. The second place, and which shares are
usual, come from all regions (expectation maximization).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from napari_ims_tumor.msi.arrays import Float64Array

INDEPENDENT_PIXELS: Final = 20
"""Neighbors are nearly copies: a region says as much as so many pixels of its own would."""
SHARES: Final = 15
"""Steps from the least share to all."""
MOVES: Final = np.linspace(-2.5, 2.5, 21)
"""In standard deviations of the healthy groups' means."""
LOOKED_AT: Final = 60
"""Pixels of a region by which moves and shares are weighed, evenly spread in order of their number:
more would say the same."""
ITERATIONS: Final = 20
LEAST_MOVE: Final = 0.05
"""Least variance of moves, in that of healthy pixels: two groups may be alike by chance."""
SPREAD: Final = (0.25, 4.0)
"""Bounds of the variance of a class, in that of healthy pixels."""


@dataclass(frozen=True, eq=False)
class RegionShare:
    """What a region was found to hold.

    Attributes
    ----------
    of_class
        Shape (n,): probability of each pixel to be of the region's class.
    share
        Expected share of the region that is.
    """

    of_class: Float64Array
    share: float


@dataclass(eq=False)
class _Places:
    """Where healthy pixels and those of the class lie, how far regions move, which shares occur."""

    healthy: float
    healthy_variance: float
    move_variance: float
    of_class: float
    class_variance: float
    usual: Float64Array

    @property
    def moves(self) -> Float64Array:
        """Moves that are tried."""
        tried: Float64Array = MOVES * np.sqrt(self.move_variance)
        return tried


def region_shares(
    regions: Sequence[Float64Array], healthy: Sequence[Float64Array], least_share: float
) -> list[RegionShare]:
    """Find what each region holds of its class.

    Parameters
    ----------
    regions
        Numbers of the pixels of each region of one class.
    healthy
        Numbers of healthy pixels, by group.
    least_share
        No region holds less than this.

    Returns
    -------
    list of RegionShare
        In the order of the regions.
    """
    shares = np.linspace(least_share, 1.0, SHARES)
    places = _first_places(regions, healthy)
    few = [_evenly(numbers) for numbers in regions]
    for _ in range(ITERATIONS):
        weighed = [_weigh(numbers, shares, places) for numbers in few]
        _move_places(places, few, weighed)
    return [
        _share(numbers, _weigh(part, shares, places), shares, places)
        for numbers, part in zip(regions, few, strict=True)
    ]


def _evenly(numbers: Float64Array) -> Float64Array:
    """The middle of each of so many equal parts: the extremes count no more than their share."""
    n = min(LOOKED_AT, numbers.size)
    places = ((np.arange(n) + 0.5) * numbers.size / n).astype(np.int64)
    chosen: Float64Array = np.sort(numbers)[places]
    return chosen


def _share(
    numbers: Float64Array, weighed: _Weighed, shares: Float64Array, places: _Places
) -> RegionShare:
    """Ask every pixel of a region, under the moves and shares that explain the region."""
    of_class = np.zeros(numbers.shape)
    healthy, certain = _densities(numbers, places)
    for share, weights in zip(shares, weighed.weights.T, strict=True):
        with_class = certain * share
        each = with_class / (with_class + healthy * (1 - share) + 1e-300)
        of_class += each @ weights
    return RegionShare(of_class, float(weighed.of_shares @ shares))


@dataclass(frozen=True, eq=False)
class _Weighed:
    """A region under every move and share.

    Attributes
    ----------
    weights
        Shape (moves, shares), sum 1: how well each explains the region.
    of_class
        Shape (n, moves, shares): probability of each pixel to be of the class.
    """

    weights: Float64Array
    of_class: Float64Array

    @property
    def of_shares(self) -> Float64Array:
        """Weights of the shares alone."""
        alone: Float64Array = self.weights.sum(axis=0)
        return alone


def _first_places(regions: Sequence[Float64Array], healthy: Sequence[Float64Array]) -> _Places:
    means = np.array([group.mean() for group in healthy])
    within = sum(float(((group - group.mean()) ** 2).sum()) for group in healthy)
    variance = max(within / max(1, sum(len(group) - 1 for group in healthy)), 1e-6)
    moves = float(means.var(ddof=1)) if len(means) > 1 else variance
    return _Places(
        healthy=float(means.mean()),
        healthy_variance=variance,
        move_variance=max(moves, LEAST_MOVE * variance),
        of_class=float(np.quantile(np.concatenate(regions), 0.75)),
        class_variance=variance,
        usual=np.full(SHARES, 1 / SHARES),
    )


def _densities(numbers: Float64Array, places: _Places) -> tuple[Float64Array, Float64Array]:
    """Shape (n, moves): how likely each number is if healthy, and if of the class, to one scale."""
    moves, column = places.moves, numbers[:, None]
    healthy = _log_normal(column - places.healthy - moves, places.healthy_variance)
    of_class = _log_normal(column - places.of_class - moves, places.class_variance)
    highest = np.maximum(healthy, of_class)
    return np.exp(healthy - highest), np.exp(of_class - highest)


def _weigh(numbers: Float64Array, shares: Float64Array, places: _Places) -> _Weighed:
    moves, column = places.moves, numbers[:, None]
    healthy = _log_normal(column - places.healthy - moves, places.healthy_variance)
    of_class = _log_normal(column - places.of_class - moves, places.class_variance)
    highest = np.maximum(healthy, of_class)
    with_class = np.exp(of_class - highest)[..., None] * shares
    whole = with_class + np.exp(healthy - highest)[..., None] * (1 - shares)
    seen = (highest[..., None] + np.log(whole + 1e-300)).sum(axis=0)
    seen *= min(1.0, INDEPENDENT_PIXELS / len(numbers))
    seen += _log_normal(moves, places.move_variance)[:, None] + np.log(places.usual)
    weights = np.exp(seen - seen.max())
    return _Weighed(weights / weights.sum(), with_class / (whole + 1e-300))


def _move_places(
    places: _Places, regions: Sequence[Float64Array], weighed: Sequence[_Weighed]
) -> None:
    """Put the class where the pixels that were found to be of it lie, and count the shares."""
    total = place = spread = 0.0
    for numbers, one in zip(regions, weighed, strict=True):
        of_move = (one.of_class * one.weights).sum(axis=2)
        unmoved = numbers[:, None] - places.moves
        total += float(of_move.sum())
        place += float((of_move * unmoved).sum())
        spread += float((of_move * (unmoved - places.of_class) ** 2).sum())
    # The class beats healthy by more than healthy pixels do among themselves, or it is none.
    least = places.healthy + np.sqrt(places.healthy_variance)
    places.of_class = max(place / total, float(least))
    low, high = (bound * places.healthy_variance for bound in SPREAD)
    places.class_variance = float(np.clip(spread / total, low, high))
    counted = np.sum([one.of_shares for one in weighed], axis=0)
    places.usual = (counted + 1) / (counted.sum() + SHARES)


def _log_normal(distance: Float64Array, variance: float) -> Float64Array:
    density: Float64Array = -0.5 * distance**2 / variance - 0.5 * np.log(2 * np.pi * variance)
    return density
