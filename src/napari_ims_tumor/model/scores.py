"""How good predictions are: balanced accuracy, AUROC, expected calibration error."""

from __future__ import annotations

from typing import Final

import numpy as np
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from napari_ims_tumor.msi.arrays import FloatArray, IntArray

ECE_BINS: Final = 15


def balanced_accuracy(probabilities: FloatArray, classes: IntArray) -> float | None:
    """Mean over classes of the share found; ``None`` where only one class is there to judge.

    Parameters
    ----------
    probabilities
        Shape (n, K); logits serve as well. On a tie the first class is predicted.
    classes
        Shape (n,).
    """
    if np.unique(classes).size < 2:
        return None
    return float(balanced_accuracy_score(classes, probabilities.argmax(axis=1)))


def auroc(probabilities: FloatArray, classes: IntArray) -> float | None:
    """Area under the ROC curve of the last class (tumor); mean one-vs-rest beyond two classes.

    ``None`` where a class is missing.
    """
    n_classes = probabilities.shape[1]
    if np.unique(classes).size < n_classes or n_classes < 2:
        return None
    if n_classes == 2:
        return float(roc_auc_score(classes, probabilities[:, 1]))
    each = [roc_auc_score(classes == k, probabilities[:, k]) for k in range(n_classes)]
    return float(np.mean(each))


def expected_calibration_error(probabilities: FloatArray, classes: IntArray) -> float | None:
    """Mean gap between confidence and accuracy over 15 equal confidence bins, weighted by count.

    Naeini et al., AAAI 2015; confidence is the largest probability. ``None`` without pixels.
    """
    if not classes.size:
        return None
    confidence = probabilities.max(axis=1).astype(np.float64)
    correct = (probabilities.argmax(axis=1) == classes).astype(np.float64)
    # Bins are (low, high]: a confidence of exactly 1 belongs to the last one.
    place = np.clip(np.ceil(confidence * ECE_BINS).astype(int) - 1, 0, ECE_BINS - 1)
    gap = np.bincount(place, weights=correct - confidence, minlength=ECE_BINS)
    return float(np.abs(gap).sum() / classes.size)
