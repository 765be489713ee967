"""Learning from "this whole core is tumor, roughly" which pixels of the core are meant.

Multiple-instance learning. A region of a class holds pixels of that class and, if it is not the
first class (healthy), healthy ones among them; a healthy region is healthy throughout. Pixels that
were labelled by hand are certain and never change. As in mi-SVM (Andrews et al., NIPS 2002) and
mi-CNN (Guo et al., *Bioinformatics* 36(Suppl. 1):i300, 2020) a model is fitted, relabels the pixels
of the regions, and is fitted again; here with soft labels, and with a share of pixels that is
looked for instead of set:

1. The model of all labels as they were told.
2. Rounds in which every region keeps its class in the half of its pixels that look most like it.
   The half is taken region by region: what makes one patient's core unlike another's moves all
   of its pixels, and would otherwise turn whole cores over.
3. How much of the regions is their class at all: from pixels whose groups a model has not seen,
   compared with healthy ones (Blanchard et al., JMLR 11:2973, 2010). Never less than the least
   share that "roughly" stands for; and where it comes near 1 the regions are taken as told, so that
   regions drawn with care lose nothing.
4. The last rounds with that share.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final

import numpy as np

from napari_ims_tumor.annotation.split import grouped_folds
from napari_ims_tumor.model.config import REGION_SHARE
from napari_ims_tumor.model.linear_path import LinearPath, fit_linear
from napari_ims_tumor.msi.arrays import BoolArray, Float32Array, Float64Array, FloatArray, IntArray

ROUNDS: Final = 6
LAST_ROUNDS: Final = 2
CHECK_FOLDS: Final = 3
STARTING_SHARE: Final = 0.5
TAKEN_AS_TOLD: Final = 0.8
"""From this share on nothing is relabelled: pure regions would only lose by it."""
SHARPNESS: Final = 3.0
"""A penalized model is less sure than its order of pixels deserves."""
SETTLED: Final = 0.01
"""Mean change of a label from round to round that ends the rounds."""
LOOKED_AT: Final = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Quantiles of healthy pixels below which the healthy ones of a region are counted."""


@dataclass(frozen=True, eq=False)
class ToldLabels:
    """What was said of some pixels.

    Attributes
    ----------
    classes, groups
        Shape (n,).
    regions
        Shape (n,): −1 by hand, else the region's number; ``None`` where all are by hand.
    least_share
        Share of a region that is of its class at least.
    """

    classes: IntArray
    groups: IntArray
    regions: IntArray | None = None
    least_share: float = REGION_SHARE

    def take(self, rows: IntArray) -> ToldLabels:
        """Only these pixels."""
        regions = None if self.regions is None else self.regions[rows]
        return ToldLabels(self.classes[rows], self.groups[rows], regions, self.least_share)

    def rough(self, value: int) -> BoolArray:
        """Which pixels lie in regions of a class."""
        assert self.regions is not None  # noqa: S101 - only asked where there are regions
        found: BoolArray = (self.regions >= 0) & (self.classes == value)
        return found

    @property
    def in_doubt(self) -> tuple[int, ...]:
        """Classes of the regions that may hold healthy pixels."""
        if self.regions is None:
            return ()
        told = np.unique(self.classes[self.regions >= 0])
        return tuple(int(value) for value in told if value > 0)


@dataclass(frozen=True, eq=False)
class Learned:
    """The linear model, and what the pixels were taken for in the end.

    Attributes
    ----------
    linear
        The model.
    classes
        Shape (n,), or (n, K): how much of each pixel is of each class.
    shares
        Class → share of its regions that was taken for it.
    """

    linear: LinearPath
    classes: IntArray | Float64Array
    shares: dict[int, float]


def fit_told(
    inputs: Float32Array,
    told: ToldLabels,
    start: LinearPath,
    should_stop: Callable[[], bool] = lambda: False,
) -> Generator[float, None, Learned]:
    """Fit the linear model to certain and to rough labels; yields after every step.

    Without rough labels this is :func:`.fit_linear`.
    """
    linear = yield from fit_linear(inputs, told.classes, start, should_stop)
    doubts = told.in_doubt
    if not doubts:
        return Learned(linear, told.classes, dict.fromkeys(_told_classes(told), 1.0))
    search = _Search(inputs, told, start, should_stop)
    as_told = dict.fromkeys(doubts, 1.0)
    shares = dict.fromkeys(doubts, STARTING_SHARE)
    linear, soft = yield from search.rounds(linear, search.as_told, shares, ROUNDS)
    shares = yield from search.shares_of(soft)
    if should_stop() or all(share == 1.0 for share in shares.values()):
        linear = yield from fit_linear(inputs, told.classes, start, should_stop, linear)
        return Learned(linear, told.classes, as_told)
    linear, soft = yield from search.rounds(linear, soft, shares, LAST_ROUNDS)
    return Learned(linear, soft, shares)


def _told_classes(told: ToldLabels) -> tuple[int, ...]:
    if told.regions is None:
        return ()
    return tuple(int(value) for value in np.unique(told.classes[told.regions >= 0]))


@dataclass(frozen=True, eq=False)
class _Search:
    """Rounds of relabelling and fitting on one set of pixels."""

    inputs: Float32Array
    told: ToldLabels
    start: LinearPath
    should_stop: Callable[[], bool]

    @property
    def as_told(self) -> Float64Array:
        """Labels as they were told, shape (n, K)."""
        found: Float64Array = np.eye(len(self.start.bias))[self.told.classes]
        return found

    def rounds(
        self, linear: LinearPath, soft: Float64Array, shares: dict[int, float], most: int
    ) -> Generator[float, None, tuple[LinearPath, Float64Array]]:
        """Relabel and fit until labels settle, at most so many times."""
        for _ in range(most):
            if self.should_stop():
                break
            before, soft = soft, self.relabelled(linear, shares)
            linear = yield from fit_linear(self.inputs, soft, self.start, self.should_stop, linear)
            if np.abs(soft - before).mean() < SETTLED:
                break
        return linear, soft

    def relabelled(self, linear: LinearPath, shares: dict[int, float]) -> Float64Array:
        """Let each region keep its class in a share of its pixels, those most like it."""
        soft, logits = self.as_told, linear.logits(self.inputs)
        assert self.told.regions is not None  # noqa: S101 - there are regions to relabel
        for value, share in shares.items():
            if share == 1.0:
                continue
            rough = self.told.rough(value)
            for region in np.unique(self.told.regions[rough]):
                rows = np.flatnonzero(rough & (self.told.regions == region))
                of_class = at_share(SHARPNESS * _margin(logits[rows], value), share)
                soft[rows] = 0.0
                soft[rows, value], soft[rows, 0] = of_class, 1 - of_class
        return soft

    def shares_of(self, soft: Float64Array) -> Generator[float, None, dict[int, float]]:
        """How much of the regions of each class is of it, by models that have not seen them."""
        told = self.told
        folds = grouped_folds(told.classes, told.groups, CHECK_FOLDS).folds
        logits = np.full(soft.shape, np.nan, np.float32)
        for fold in folds:
            known = self.inputs[fold.training]
            linear = yield from fit_linear(known, soft[fold.training], self.start, self.should_stop)
            logits[fold.held_out] = linear.logits(self.inputs[fold.held_out])
        return {value: self._share(value, logits) for value in told.in_doubt}

    def _share(self, value: int, logits: Float32Array) -> float:
        if np.isnan(logits).any():
            # Nothing could be held out: what was told is all that is known.
            return 1.0
        margin = _margin(logits, value)
        share = share_beyond(margin[self.told.rough(value)], margin[self.told.classes == 0])
        return 1.0 if share >= TAKEN_AS_TOLD else max(self.told.least_share, share)


def share_beyond(mixed: FloatArray, healthy: FloatArray) -> float:
    """Share of a mixture that cannot be healthy.

    A mixture that is healthy to a share h has at least h times as many of its values below any
    place as the healthy have. So the least ratio found is the most that h can be.
    """
    if not len(mixed) or not len(healthy):
        return 1.0
    places = np.quantile(healthy, LOOKED_AT)
    ratios = [(mixed <= place).mean() / (healthy <= place).mean() for place in places]
    return float(1 - min(1.0, *ratios))


def at_share(margins: FloatArray, share: float) -> Float64Array:
    """Probabilities with the given mean that order pixels as their margins do."""
    exact = margins.astype(np.float64)
    low, high = -1.0 - exact.max() - 40.0, 1.0 - exact.min() + 40.0
    for _ in range(60):
        middle = (low + high) / 2
        if _sigmoid(exact + middle).mean() < share:
            low = middle
        else:
            high = middle
    return _sigmoid(exact + high)


def _margin(logits: Float32Array, value: int) -> Float64Array:
    """By how much a class beats the first one."""
    margin: Float64Array = logits[:, value].astype(np.float64) - logits[:, 0]
    return margin


def _sigmoid(values: Float64Array) -> Float64Array:
    result: Float64Array = 1 / (1 + np.exp(-np.clip(values, -60, 60)))
    return result
