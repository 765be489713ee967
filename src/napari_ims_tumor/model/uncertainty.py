"""How far an answer may be trusted, pixel by pixel: how spread out it is, and who disagrees."""

from __future__ import annotations

import numpy as np

from napari_ims_tumor.msi.arrays import Float32Array, FloatArray


def normalized_entropy(probabilities: FloatArray) -> Float32Array:
    """Shannon's entropy of class probabilities, as a share of the largest there can be.

    Parameters
    ----------
    probabilities
        Shape (classes, ...), summing to 1 along the first axis; NaN where nothing is known.

    Returns
    -------
    ndarray
        Shape (...), float32: 0 where one class is certain, 1 where all are equally likely, NaN
        where a probability is.
    """
    p = np.asarray(probabilities, np.float64)
    if len(p) < 2:
        # One class has nothing to be unsure about; NaN stays NaN.
        return np.asarray(0.0 * p[0], np.float32)
    surprise = -np.log(np.where(p > 0, p, 1.0))
    # Not masked: NaN · log 1 is NaN, which is what an unmeasured pixel shall have.
    entropy = (p * surprise).sum(axis=0) / np.log(len(p))
    return np.asarray(np.clip(entropy, 0.0, 1.0), np.float32)


def total_variation(some: FloatArray, others: FloatArray) -> Float32Array:
    """Distance of two answers: the probability that one has to move to become the other.

    Parameters
    ----------
    some, others
        Shape (n, classes), rows summing to 1.

    Returns
    -------
    ndarray
        Shape (n,), float32: 0 where they are the same, 1 where they share no class.
    """
    moved = np.abs(np.asarray(some, np.float64) - others).sum(axis=1) / 2
    return np.asarray(np.clip(moved, 0.0, 1.0), np.float32)
