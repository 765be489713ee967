"""Validation folds that keep groups (strokes, tissue regions, patients) whole.

Neighboring pixels of one stroke are nearly copies: a split by pixel reports up to .94 on labels
without any signal. So no function here ever puts a part of a group on both sides.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from napari_ims_tumor.msi.arrays import IntArray, frozen

MOST_LEAVE_ONE_OUT_FOLDS = 20


@dataclass(frozen=True, eq=False)
class Fold:
    """One division: indices to fit on, indices to judge on."""

    training: IntArray
    held_out: IntArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "training", frozen(self.training, np.int64))
        object.__setattr__(self, "held_out", frozen(self.held_out, np.int64))


@dataclass(frozen=True)
class Validation:
    """Folds, or the sentence that says why there are none.

    Attributes
    ----------
    folds
        Empty where nothing can be judged; else every pixel is held out exactly once.
    why_not
        ``None`` where there are folds.
    """

    folds: tuple[Fold, ...]
    why_not: str | None = None


def grouped_folds(
    classes: IntArray, groups: IntArray, n_folds: int = 5, group_word: str = "group"
) -> Validation:
    """Divide pixels into folds by group; every training side keeps every class.

    Parameters
    ----------
    classes, groups
        Shape (n,): class and group of every labelled pixel.
    n_folds
        The most folds wanted; fewer where groups are few.
    group_word
        What a group is called in the reason: ``"stroke"``, ``"region"``, ``"group"``.

    Returns
    -------
    Validation
        The same folds for the same input: nothing is drawn at random.
    """
    why_not = _why_no_folds(classes, groups, group_word)
    if why_not is not None:
        return Validation((), why_not)
    candidates = _candidates(classes, groups, n_folds)
    folds = next((f for f in candidates if _all_train_every_class(classes, f)), None)
    if folds is None:
        reason = f"no division by {group_word} leaves every class in every training part"
        return Validation((), reason)
    return Validation(folds)


def held_out_groups(
    classes: IntArray, groups: IntArray, share: float = 0.2, group_word: str = "group"
) -> Validation:
    """Set about ``share`` of the pixels aside, whole groups only, for early stopping.

    Returns
    -------
    Validation
        One fold whose held-out side holds every class where that is possible, or the reason.
    """
    validation = grouped_folds(classes, groups, max(2, round(1 / share)), group_word)
    if not validation.folds:
        return validation
    n_classes = [np.unique(classes[f.held_out]).size for f in validation.folds]
    distance = [abs(f.held_out.size / classes.size - share) for f in validation.folds]
    best = min(range(len(n_classes)), key=lambda i: (-n_classes[i], distance[i]))
    return Validation((validation.folds[best],))


# Regions are also what is labelled roughly, as a whole: a reason must not be taken to mean those.
SAID_OF: Final = {"region": ("piece of tissue", "pieces of tissue")}
"""What a kind of group is called in a reason, one and many, where its own word would mislead."""


def _why_no_folds(classes: IntArray, groups: IntArray, word: str) -> str | None:
    one, many = SAID_OF.get(word, (word, f"{word}s"))
    if np.unique(classes).size < 2:
        return "no validation: only one class is labelled"
    if np.unique(groups).size < 2:
        return f"no validation: all labels lie in one {one}; label at least two of each class"
    lonely = [c for c in np.unique(classes) if np.unique(groups[classes == c]).size < 2]
    if lonely:
        return (
            f"no validation: a class lies in one {one} only; "
            f"label each class in at least two {many}"
        )
    return None


def _candidates(classes: IntArray, groups: IntArray, n_folds: int) -> Iterator[tuple[Fold, ...]]:
    """Divisions to try, best first: stratified, fewer folds, one group at a time."""
    n_groups = np.unique(groups).size
    for k in range(min(n_folds, n_groups), 1, -1):
        yield _stratified(classes, groups, k)
    if n_groups <= MOST_LEAVE_ONE_OUT_FOLDS:
        yield tuple(_fold_of(groups == group) for group in np.unique(groups))


def _stratified(classes: IntArray, groups: IntArray, k: int) -> tuple[Fold, ...]:
    splitter = StratifiedGroupKFold(n_splits=k)
    try:
        with warnings.catch_warnings():
            # It warns of classes with fewer pixels than folds; what counts is checked afterwards.
            warnings.simplefilter("ignore", UserWarning)
            pairs = list(splitter.split(np.zeros((classes.size, 1)), classes, groups))
    except ValueError:
        return ()
    return tuple(Fold(training, held_out) for training, held_out in pairs if held_out.size)


def _fold_of(held_out: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Fold:
    return Fold(np.flatnonzero(~held_out), np.flatnonzero(held_out))


def _all_train_every_class(classes: IntArray, folds: tuple[Fold, ...]) -> bool:
    wanted = np.unique(classes).size
    return len(folds) > 1 and all(np.unique(classes[f.training]).size == wanted for f in folds)


def fold_of_each(folds: Sequence[Fold], n: int) -> IntArray:
    """Tell which fold holds each of n pixels out; −1 for those that none does."""
    found = np.full(n, -1, np.int64)
    for number, fold in enumerate(folds):
        found[fold.held_out] = number
    return found
