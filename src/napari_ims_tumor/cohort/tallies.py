"""What each group adds to every figure: pooled figures of any mixture of groups, at once.

A figure that is pooled over pixels is a function of sums, and sums of groups add up. So a group
that is drawn twice counts twice, and thousands of draws cost a few matrix products, exactly as if
their pixels had been copied together.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from napari_ims_tumor.model.scores import ECE_BINS
from napari_ims_tumor.msi.arrays import BoolArray, Float64Array, FloatArray, IntArray

METRICS: Final = (
    "balanced_accuracy", "auroc", "sensitivity", "specificity", "ece", "tumor_ece", "brier",
)  # fmt: skip
LOWER_IS_BETTER: Final = ("ece", "tumor_ece", "brier")


@dataclass(frozen=True, eq=False)
class GroupTallies:
    """Sums over the pixels of each group.

    Attributes
    ----------
    confusion
        Shape (G, K, K): pixels by group, label and predicted class.
    gaps
        Shape (G, 15): right minus confidence, summed in the bins of the calibration error.
    tumor_gaps
        Shape (G, 15): tumor or not minus the tumor's probability, summed in bins of that. Too many
        of one class and too few of the other cancel out in ``gaps``, but not here.
    squares
        Shape (G,): squared errors of the probabilities.
    wins
        Shape (C, G, G): pairs of a pixel of a class in the first group and a pixel of another class
        in the second that are ranked right; ties count one half. C is 1 for two classes (tumor),
        else one per class.
    """

    confusion: Float64Array
    gaps: Float64Array
    tumor_gaps: Float64Array
    squares: Float64Array
    wins: Float64Array

    @cached_property
    def n_groups(self) -> int:
        """How many groups there are."""
        return int(self.confusion.shape[0])

    def metrics(self, weights: Float64Array) -> dict[str, Float64Array]:
        """Compute every figure for each row of weights.

        Parameters
        ----------
        weights
            Shape (D, G): how often each group counts.

        Returns
        -------
        dict
            Name → shape (D,); NaN where the figure does not exist for want of a class.
        """
        d, k = weights.shape[0], self.confusion.shape[1]
        flat = weights @ self.confusion.reshape(self.n_groups, k * k)
        confusion = flat.reshape(d, k, k)
        n = confusion.sum(axis=(1, 2))
        tumor = confusion[:, -1].sum(axis=1)
        return {
            "balanced_accuracy": _balanced(confusion),
            "auroc": self._auroc(weights),
            "sensitivity": _ratio(confusion[:, -1, -1], tumor),
            "specificity": _ratio(confusion[:, :-1, :-1].sum(axis=(1, 2)), n - tumor),
            "ece": _ratio(np.abs(weights @ self.gaps).sum(axis=1), n),
            "tumor_ece": _ratio(np.abs(weights @ self.tumor_gaps).sum(axis=1), n),
            "brier": _ratio(weights @ self.squares, n),
        }

    def _auroc(self, weights: Float64Array) -> Float64Array:
        """Mean over the one-versus-rest curves; only the tumor's own for two classes."""
        of_class = weights @ self.confusion.sum(axis=2)
        n = of_class.sum(axis=1)
        classes = [-1] if len(self.wins) == 1 else list(range(len(self.wins)))
        found = [
            _ratio(((weights @ wins) * weights).sum(axis=1), own * (n - own))
            for wins, own in zip(self.wins, (of_class[:, c] for c in classes), strict=True)
        ]
        return np.asarray(np.mean(found, axis=0), np.float64)


def tally(probabilities: FloatArray, classes: IntArray, groups: IntArray) -> GroupTallies:
    """Sum up the pixels of every group.

    Parameters
    ----------
    probabilities
        Shape (n, K), finite; the last class is the tumor. On a tie the first class is predicted.
    classes
        Shape (n,), 0 … K−1.
    groups
        Shape (n,), 0 … G−1, each at least once.
    """
    values = np.asarray(probabilities, np.float64)
    n_groups = int(groups.max(initial=-1)) + 1
    k = values.shape[1]
    predicted = values.argmax(axis=1)
    place = (groups * k + classes) * k + predicted
    confusion = np.bincount(place, minlength=n_groups * k * k).reshape(n_groups, k, k)
    judged = range(k) if k > 2 else (k - 1,)
    wins = [_wins(values[:, c], np.equal(classes, c), groups, n_groups) for c in judged]
    return GroupTallies(
        confusion=confusion.astype(np.float64),
        gaps=_gaps(values.max(axis=1), classes == predicted, groups, n_groups),
        tumor_gaps=_gaps(values[:, -1], classes == k - 1, groups, n_groups),
        squares=_sums(groups, _squared_errors(values, classes), n_groups),
        wins=np.array(wins).reshape(len(judged), n_groups, n_groups),
    )


def confidence_bins(confidence: Float64Array) -> IntArray:
    """Bin of each confidence; bins are (low, high], so that exactly 1 belongs to the last."""
    place = np.ceil(confidence * ECE_BINS).astype(np.int64) - 1
    return np.clip(place, 0, ECE_BINS - 1)


def _gaps(
    claimed: Float64Array, came_true: BoolArray, groups: IntArray, n_groups: int
) -> Float64Array:
    place = groups * ECE_BINS + confidence_bins(claimed)
    gaps = _sums(place, came_true - claimed, n_groups * ECE_BINS)
    return gaps.reshape(n_groups, ECE_BINS)


def _squared_errors(values: Float64Array, classes: IntArray) -> Float64Array:
    """Brier's score of each pixel: of the tumor's probability, or summed over several classes."""
    wanted = np.eye(values.shape[1])[classes]
    squares: Float64Array = (values - wanted) ** 2
    return squares[:, -1] if values.shape[1] == 2 else squares.sum(axis=1)


def _wins(
    scores: Float64Array, positive: BoolArray, groups: IntArray, n_groups: int
) -> Float64Array:
    ranks = np.unique(scores, return_inverse=True)[1].reshape(-1)
    n_ranks = int(ranks.max(initial=-1)) + 1
    wins = np.zeros((n_groups, n_groups))
    for other in range(n_groups):
        negatives = np.bincount(ranks[~positive & (groups == other)], minlength=n_ranks)
        if not negatives.any():
            continue
        beaten = np.cumsum(negatives) - negatives / 2
        won = beaten[ranks[positive]]
        wins[:, other] = _sums(groups[positive], won, n_groups)
    return wins


def _sums(places: IntArray, values: Float64Array, n: int) -> Float64Array:
    return np.asarray(np.bincount(places, weights=values, minlength=n), np.float64)


def _balanced(confusion: Float64Array) -> Float64Array:
    """Mean share found over the classes that are there; undefined for fewer than two."""
    counts = confusion.sum(axis=2)
    found = np.diagonal(confusion, axis1=1, axis2=2) / np.maximum(counts, 1)
    n_classes = (counts > 0).sum(axis=1)
    return np.where(n_classes >= 2, found.sum(axis=1) / np.maximum(n_classes, 1), np.nan)


def _ratio(above: Float64Array, below: Float64Array) -> Float64Array:
    return np.where(below > 0, above / np.maximum(below, 1e-300), np.nan)
