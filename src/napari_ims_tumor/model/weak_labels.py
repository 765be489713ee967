"""Learning from "this whole core is tumor, roughly" which pixels of the core are meant.

Multiple-instance learning. A region of a class holds pixels of that class and, if it is not the
first class (healthy), healthy ones among them; a healthy region is healthy throughout. Pixels that
were labelled by hand are certain and never change. As in mi-SVM (Andrews et al., NIPS 2002) and
mi-CNN (Guo et al., *Bioinformatics* 36(Suppl. 1):i300, 2020) a model is fitted, relabels the pixels
of the regions, and is fitted again; here with soft labels:

1. The model of all labels as they were told.
2. Rounds in which every region keeps its class in the half of its pixels that look most like it.
   The half is taken region by region: what makes one patient's core unlike another's moves all
   of its pixels, and would otherwise turn whole cores over.
3. Rounds in which models that have not seen a region say how much of it is its class, and which
   pixels (:mod:`.region_mixture`). A region that is nearly all of its class is taken as told.

Where labels made by hand are suspected (:mod:`.label_doubt`), those that seem wrong are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from napari_ims_tumor.annotation.split import grouped_folds
from napari_ims_tumor.model.calibration import fit_temperature, softmax
from napari_ims_tumor.model.config import REGION_SHARE
from napari_ims_tumor.model.label_doubt import seem_wrong, wrong_share
from napari_ims_tumor.model.linear_path import LinearPath, fit_linear
from napari_ims_tumor.model.region_mixture import region_shares
from napari_ims_tumor.msi.arrays import BoolArray, Float32Array, Float64Array, FloatArray, IntArray

HALF_ROUNDS: Final = 3
ROUNDS: Final = 3
CHECK_FOLDS: Final = 3
DOUBT_FOLDS: Final = 5
TAKEN_AS_TOLD: Final = 0.9
"""A region that holds this share of its class is left alone: it would only lose by it."""
ALL_AS_TOLD: Final = 0.87
"""Where the regions hold this share together, what is left are mistakes rather than healthy pixels:
of regions that were drawn exactly, some are always found a little impure."""
SHARPNESS: Final = 3.0
"""A penalized model is less sure than its order of pixels deserves."""
SETTLED: Final = 0.005
"""Mean change of a label from round to round that ends the rounds."""


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
    suspect
        Whether single labels are suspected to be wrong.
    """

    classes: IntArray
    groups: IntArray
    regions: IntArray | None = None
    least_share: float = REGION_SHARE
    suspect: bool = False

    def take(self, rows: IntArray) -> ToldLabels:
        """Only these pixels."""
        regions = None if self.regions is None else self.regions[rows]
        return replace(self, classes=self.classes[rows], groups=self.groups[rows], regions=regions)

    def rough(self, value: int) -> BoolArray:
        """Which pixels lie in regions of a class."""
        if self.regions is None:
            return np.zeros(self.classes.shape, np.bool_)
        found: BoolArray = (self.regions >= 0) & (self.classes == value)
        return found

    def regions_of(self, value: int) -> list[IntArray]:
        """The pixels of each region of a class."""
        if self.regions is None:
            return []
        rough = self.rough(value)
        numbers = np.unique(self.regions[rough])
        return [np.flatnonzero(rough & (self.regions == number)) for number in numbers]

    @property
    def in_doubt(self) -> tuple[int, ...]:
        """Classes of the regions that may hold healthy pixels."""
        values = np.unique(self.classes[self.classes > 0])
        return tuple(int(value) for value in values if self.rough(int(value)).any())


@dataclass(frozen=True, eq=False)
class Learned:
    """The linear model, and what the pixels were taken for in the end.

    Attributes
    ----------
    linear
        The model.
    classes
        Shape (n,), or (n, K): how much of each pixel is of each class; nothing of any where a label
        was left out.
    shares
        Class → share of its regions that was taken for it.
    """

    linear: LinearPath
    classes: IntArray | Float64Array
    shares: dict[int, float] = field(default_factory=dict)


def fit_told(
    inputs: Float32Array,
    told: ToldLabels,
    start: LinearPath,
    should_stop: Callable[[], bool] = lambda: False,
) -> Generator[float, None, Learned]:
    """Fit the linear model to certain and to rough labels; yields after every step.

    Without rough labels this is :func:`.fit_linear`. Where no group can be held out, regions are
    taken as told.
    """
    linear = yield from fit_linear(inputs, told.classes, start, should_stop)
    as_told = Learned(linear, told.classes, dict.fromkeys(told.in_doubt, 1.0))
    search = _Search(inputs, told, start, should_stop)
    if told.suspect:
        return (yield from search.without_wrong(as_told))
    if not told.in_doubt or not search.can_hold_out:
        return as_told
    soft = search.as_told
    for number in range(HALF_ROUNDS + ROUNDS):
        if should_stop():
            break
        before = soft
        if number < HALF_ROUNDS:
            soft = search.halved(linear)
        else:
            soft = yield from search.found(soft)
        linear = yield from fit_linear(inputs, soft, start, should_stop, linear)
        if number > HALF_ROUNDS and np.abs(soft - before).mean() < SETTLED:
            break
    shares = {value: float(soft[told.rough(value), value].mean()) for value in told.in_doubt}
    nearly_all = all(share >= ALL_AS_TOLD for share in shares.values())
    return as_told if nearly_all else Learned(linear, soft, shares)


@dataclass(frozen=True, eq=False)
class _Search:
    """Ways to relabel the pixels of the regions."""

    inputs: Float32Array
    told: ToldLabels
    start: LinearPath
    should_stop: Callable[[], bool]

    @property
    def as_told(self) -> Float64Array:
        """Labels as they were told, shape (n, K)."""
        found: Float64Array = np.eye(len(self.start.bias))[self.told.classes]
        return found

    @property
    def can_hold_out(self) -> bool:
        """Whether models can be asked that have not seen a region."""
        return bool(grouped_folds(self.told.classes, self.told.groups, CHECK_FOLDS).folds)

    def without_wrong(self, as_told: Learned) -> Generator[float, None, Learned]:
        """Fit again without the labels that models contradict that have not seen their group."""
        told, kept = self.told, self.as_told
        logits = yield from self._held_out(kept, DOUBT_FOLDS)
        temperature = fit_temperature(logits, told.classes, told.groups)
        if temperature is None or self.should_stop():
            return as_told
        probabilities = softmax(logits / temperature)
        share = wrong_share(probabilities, told.classes, told.groups)
        if share is None:
            return as_told
        kept[seem_wrong(probabilities, told.classes, share)] = 0.0
        if not kept[:, np.unique(told.classes)].any(axis=0).all():
            return as_told
        linear = yield from fit_linear(
            self.inputs, kept, self.start, self.should_stop, as_told.linear
        )
        return Learned(linear, kept)

    def halved(self, linear: LinearPath) -> Float64Array:
        """Let each region keep its class in half of its pixels, those most like it."""
        soft, logits = self.as_told, linear.logits(self.inputs)
        for value in self.told.in_doubt:
            for rows in self.told.regions_of(value):
                of_class = at_share(SHARPNESS * _margin(logits[rows], value), 0.5)
                _relabel(soft, rows, value, of_class)
        return soft

    def found(self, soft: Float64Array) -> Generator[float, None, Float64Array]:
        """Label the regions as models say that have not seen them."""
        logits = yield from self._held_out(soft, CHECK_FOLDS)
        soft, told = self.as_told, self.told
        for value in told.in_doubt:
            margin = _margin(logits, value)
            regions, healthy = told.regions_of(value), told.classes == 0
            by_group = [
                margin[healthy & (told.groups == group)]
                for group in np.unique(told.groups[healthy])
            ]
            shares = region_shares([margin[rows] for rows in regions], by_group, told.least_share)
            for rows, found in zip(regions, shares, strict=True):
                if found.share < TAKEN_AS_TOLD:
                    _relabel(soft, rows, value, found.of_class)
        return soft

    def _held_out(self, soft: Float64Array, n_folds: int) -> Generator[float, None, Float32Array]:
        """Logits of each pixel from a model that has not seen its group."""
        logits = np.zeros(soft.shape, np.float32)
        for fold in grouped_folds(self.told.classes, self.told.groups, n_folds).folds:
            known = self.inputs[fold.training]
            # From the start: what a model begins at, it remembers a little.
            apart = yield from fit_linear(known, soft[fold.training], self.start, self.should_stop)
            logits[fold.held_out] = apart.logits(self.inputs[fold.held_out])
        return logits


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


def _relabel(soft: Float64Array, rows: IntArray, value: int, of_class: Float64Array) -> None:
    soft[rows] = 0.0
    soft[rows, value], soft[rows, 0] = of_class, 1 - of_class


def _margin(logits: Float32Array, value: int) -> Float64Array:
    """By how much a class beats the first one."""
    margin: Float64Array = logits[:, value].astype(np.float64) - logits[:, 0]
    return margin


def _sigmoid(values: Float64Array) -> Float64Array:
    result: Float64Array = 1 / (1 + np.exp(-np.clip(values, -60, 60)))
    return result
