"""The figures of one network beyond the pooled ones: by group, curves, confusion."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from sklearn.metrics import roc_curve

from napari_ims_tumor.cohort.tallies import GroupTallies, confidence_bins
from napari_ims_tumor.model.abstention import AnswerCurve
from napari_ims_tumor.model.scores import ECE_BINS
from napari_ims_tumor.msi.arrays import Float64Array, FloatArray, IntArray

MOST_ROC_POINTS: Final = 200
HARD_BELOW: Final = 0.75
"""A group is called hard where every network gets fewer than this share of its pixels right."""


def confusion(tallies: GroupTallies) -> list[list[int]]:
    """Pixels by label (rows) and predicted class (columns)."""
    return [[int(n) for n in row] for row in tallies.confusion.sum(axis=0)]


def group_scores(tallies: GroupTallies, names: list[str]) -> dict[str, dict[str, Any]]:
    """Pixels, accuracy and balanced accuracy of every group that was judged."""
    alone = tallies.metrics(np.eye(tallies.n_groups))["balanced_accuracy"]
    found = {}
    for name, matrix, balanced in zip(names, tallies.confusion, alone, strict=True):
        n = int(matrix.sum())
        found[name] = {
            "n": n,
            "accuracy": float(np.trace(matrix) / n),
            "balanced_accuracy": float(balanced) if np.isfinite(balanced) else None,
        }
    return found


def roc_points(probabilities: FloatArray, classes: IntArray) -> list[list[float]]:
    """ROC curve of the tumor as [false positive rate, true positive rate]; empty without one.

    At most 200 points, evenly spaced along the curve: for drawing; areas are computed from all.
    """
    tumor = classes == probabilities.shape[1] - 1
    if not 0 < tumor.sum() < tumor.size:
        return []
    false, true, _ = roc_curve(tumor, probabilities[:, -1])
    if false.size > MOST_ROC_POINTS:
        along = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(false)) + np.diff(true))])
        wanted = np.linspace(0, along[-1], MOST_ROC_POINTS)
        kept = np.unique(np.searchsorted(along, wanted - 1e-12).clip(0, false.size - 1))
        false, true = false[kept], true[kept]
    return [[round(float(x), 6), round(float(y), 6)] for x, y in zip(false, true, strict=True)]


def calibration(probabilities: FloatArray, classes: IntArray) -> list[dict[str, Any]]:
    """Predicted and observed share of tumor in 15 equal bins of the tumor's probability."""
    tumor = probabilities[:, -1].astype(np.float64)
    bins = confidence_bins(tumor)
    is_tumor = (classes == probabilities.shape[1] - 1).astype(np.float64)
    counts = np.bincount(bins, minlength=ECE_BINS)
    predicted, observed = (_means(bins, values, counts) for values in (tumor, is_tumor))
    return [
        {
            "low": k / ECE_BINS,
            "high": (k + 1) / ECE_BINS,
            "n": int(counts[k]),
            "predicted": predicted[k],
            "observed": observed[k],
        }
        for k in range(ECE_BINS)
    ]


def coverage(probabilities: FloatArray, classes: IntArray) -> list[list[float]]:
    """Share answered and share of those right, by confidence: [confidence, answered, right].

    Each class counts the same. Empty where there is nothing to judge.
    """
    if not classes.size:
        return []
    points = AnswerCurve.of(probabilities, classes).as_points()
    return [[round(value, 6) for value in point] for point in points]


def unfamiliar_share(unfamiliarity: FloatArray) -> float | None:
    """Share of the pixels that are unlike the labels; ``None`` where the models cannot tell."""
    known = unfamiliarity[np.isfinite(unfamiliarity)]
    return float((known > 1).mean()) if known.size else None


def _means(bins: IntArray, values: Float64Array, counts: IntArray) -> list[float | None]:
    sums = np.bincount(bins, weights=values, minlength=ECE_BINS)
    return [float(s / n) if n else None for s, n in zip(sums, counts, strict=True)]
