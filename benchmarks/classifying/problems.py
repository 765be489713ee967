"""What one model is asked: which spectra it may learn from, which it must answer, and how changed.

A pixel never sees a neighbor on the other side: not when its neighborhood is described, and not
when answers are smoothed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from scipy.sparse import csr_matrix

from classifying.cohorts import Cohort
from classifying.neighbors import mean_of_neighbors
from napari_ims_tumor.annotation.split import grouped_folds
from napari_ims_tumor.model.samples import LabelledSpectra

Change: TypeAlias = Callable[[np.ndarray], np.ndarray]
"""Raw intensities (n, bins) → the same as another instrument would have measured them."""

N_FOLDS = 5
WINDOW = 5
"""Side of the square that the neighborhood features describe."""


@dataclass(frozen=True, eq=False)
class Problem:
    """One division of a cohort, to be answered by every model.

    Attributes
    ----------
    cohort
        Where the spectra are.
    split, fold
        Name of the division, and number of its part.
    training, held_out
        Indices of the spectra with labels to learn from, and of those to answer.
    sides
        Shape (n,): pixels of different sides are never neighbors of each other.
    of
        How many parts the division has; 1 where each part is a result of its own.
    changes
        Name → what happens to spectra before they are answered; ``""`` is nothing.
    """

    cohort: Cohort
    split: str
    fold: int
    training: np.ndarray
    held_out: np.ndarray
    sides: np.ndarray
    of: int = 1
    changes: Mapping[str, Change] = field(default_factory=lambda: {"": lambda values: values})

    @property
    def spectra(self) -> LabelledSpectra:
        """To learn from."""
        return self.cohort.spectra.take(self.training)

    def neighbors(self, window: int) -> csr_matrix:
        """Shape (n, n): weights of the mean over the measured neighbors on the same side."""
        places = (self.cohort.images, self.cohort.gathered.row, self.cohort.gathered.column)
        return mean_of_neighbors(places, self.sides, window)

    def smoothed(self, probabilities: np.ndarray) -> np.ndarray:
        """Held-out probabilities averaged twice over the 3 × 3 measured neighbors."""
        here = self.neighbors(3)[self.held_out][:, self.held_out]
        # Neighbors on the same side that nobody asked about leave the mean to the others.
        weights = csr_matrix(here.multiply(1 / np.maximum(here.sum(axis=1), 1e-12)))
        return np.asarray(weights @ (weights @ probabilities))


def assignments(cohort: Cohort, n_random: int) -> Iterator[Problem]:
    """The stratified folds by group, then random assignments of whole groups to five folds."""
    spectra = cohort.spectra
    folds = grouped_folds(spectra.classes, spectra.groups, N_FOLDS).folds
    yield from _parts(cohort, "stratified", [fold.held_out for fold in folds])
    names = np.unique(spectra.groups)
    for seed in range(n_random):
        order = np.random.default_rng(seed).permutation(names)
        held = [np.flatnonzero(np.isin(spectra.groups, order[k::N_FOLDS])) for k in range(N_FOLDS)]
        yield from _parts(cohort, f"random {seed}", held)


def by_slide(cohort: Cohort) -> Iterator[Problem]:
    """Every slide held out once; nobody is learned from who lies on it, on whatever slide."""
    slide, groups = cohort.gathered.slide, cohort.spectra.groups
    held = [np.flatnonzero(slide == s) for s in np.unique(slide)]
    yield from _parts(cohort, "by slide", held, groups)


def thirds(cohort: Cohort, changes: Mapping[str, Change]) -> Iterator[Problem]:
    """One third of the groups held out, once, and answered in every changed form."""
    spectra = cohort.spectra
    held_out = grouped_folds(spectra.classes, spectra.groups, 3).folds[0].held_out
    for problem in _parts(cohort, "a third held out", [held_out]):
        yield replace(problem, changes=changes)


def every_third(cohort: Cohort) -> Iterator[Problem]:
    """Every third of the groups held out once."""
    spectra = cohort.spectra
    folds = grouped_folds(spectra.classes, spectra.groups, 3).folds
    yield from _parts(cohort, "thirds", [fold.held_out for fold in folds])


def few_labels(cohort: Cohort, pixels: int, n_groups: int, draws: int) -> Iterator[Problem]:
    """Strokes of a brush on some groups; the groups without a stroke are to be answered."""
    spectra = cohort.spectra
    names = np.unique(spectra.groups)
    for number in range(draws):
        draw = np.random.default_rng((pixels, n_groups, number))
        for _ in range(1000):
            painted = draw.permutation(names)[:n_groups]
            training = strokes(cohort, painted, pixels, draw)
            counts = np.bincount(spectra.classes[training], minlength=2)
            if counts.min() >= min(5, pixels // 4):
                break
        on_painted = np.isin(spectra.groups, painted)
        held_out = np.flatnonzero(~on_painted)
        split = f"{pixels} pixels"
        yield Problem(cohort, split, number, training, held_out, on_painted.astype(int))


def one_sided(cohort: Cohort, rare: int, common: int, draws: int) -> Iterator[Problem]:
    """A few pixels of one class on one group beside many of the other on three.

    The first stroke of a session is like that. Which class is the rare one changes from draw to
    draw; the groups without a stroke are to be answered.
    """
    spectra = cohort.spectra
    for number in range(draws):
        draw = np.random.default_rng((rare, common, number))
        of_class = [np.flatnonzero(spectra.classes == value) for value in (0, 1)]
        few, many = of_class if number % 2 else of_class[::-1]
        patches = [_patch(cohort, few, rare, draw)]
        patches += [_patch(cohort, many, common // 3, draw) for _ in range(3)]
        training = np.unique(_joined(patches))
        on_painted = np.isin(spectra.groups, spectra.groups[training])
        held_out = np.flatnonzero(~on_painted)
        split = f"{rare} beside {common}"
        yield Problem(cohort, split, number, training, held_out, on_painted.astype(int))


def _patch(cohort: Cohort, among: np.ndarray, n: int, draw: np.random.Generator) -> np.ndarray:
    """The n pixels of one group that lie nearest to one of them, drawn from ``among``."""
    start = draw.choice(among)
    own = among[cohort.spectra.groups[among] == cohort.spectra.groups[start]]
    return own[np.argsort(_away(cohort, own, start), kind="stable")[:n]]


def _away(cohort: Cohort, pixels: np.ndarray, start: int) -> np.ndarray:
    """Distances to a pixel."""
    row, column = cohort.gathered.row, cohort.gathered.column
    return np.asarray(np.hypot(row[pixels] - row[start], column[pixels] - column[start]))


def strokes(
    cohort: Cohort, groups: np.ndarray, pixels: int, draw: np.random.Generator,
    one_class: bool = True,
) -> np.ndarray:  # fmt: skip
    """Compact patches, as a brush would leave them, spread over the groups.

    A patch is of one class, and what one cannot hold is painted elsewhere on the same groups.
    """
    classes = cohort.spectra.classes
    free = np.isin(cohort.spectra.groups, groups)
    patches: list[np.ndarray] = []
    missing = pixels
    while missing and free.any():
        # Groups that are full are asked no more: they would be given the last pixels for ever.
        open_groups = groups[np.isin(groups, cohort.spectra.groups[free])]
        wanted = np.diff(np.linspace(0, missing, len(open_groups) + 1).astype(int))
        for group, n in zip(open_groups, wanted, strict=True):
            own = np.flatnonzero(free & (cohort.spectra.groups == group))
            start = draw.choice(own)
            if one_class:
                own = own[classes[own] == classes[start]]
            away = _away(cohort, own, start)
            patches.append(own[np.argsort(away, kind="stable")[:n]])
            free[patches[-1]] = False
        missing = pixels - sum(len(patch) for patch in patches)
    return _joined(patches)


def _joined(patches: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.int64), *patches])


def _parts(
    cohort: Cohort, split: str, held: list[np.ndarray], apart: np.ndarray | None = None
) -> Iterator[Problem]:
    """A problem for each part; what shares a number of ``apart`` with it is left out, too."""
    n_classes = np.unique(cohort.spectra.classes).size
    for fold, held_out in enumerate(held):
        sides = np.ones(len(cohort.spectra), int)
        if apart is not None:
            sides[np.isin(apart, apart[held_out])] = 2
        sides[held_out] = 0
        training = np.flatnonzero(sides == 1)
        if np.unique(cohort.spectra.classes[training]).size == n_classes:
            yield Problem(cohort, split, fold, training, held_out, sides, len(held))
