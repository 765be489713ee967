"""Probabilities that mean what they say: one temperature, found on held-out groups.

Guo et al., *On calibration of modern neural networks*, ICML 2017.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.optimize import minimize_scalar

from napari_ims_tumor.msi.arrays import Float32Array, Float64Array, FloatArray, IntArray

MIN_GROUPS: Final = 4
"""Below this many held-out groups a temperature would describe two patients, not the method."""
RANGE: Final = (0.2, 10.0)


def softmax(logits: FloatArray) -> Float32Array:
    """Logits (n, K) → probabilities (n, K) that add up to 1."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Float32Array = (raised / raised.sum(axis=1, keepdims=True)).astype(np.float32)
    return probabilities


def balanced_log_loss(logits: FloatArray, classes: IntArray) -> float:
    """Mean over classes of the mean cross entropy of their pixels."""
    logits = logits.astype(np.float64)
    shifted = logits - logits.max(axis=1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(classes)), classes]
    return float(np.mean([losses[classes == c].mean() for c in np.unique(classes)]))


def fit_temperature(logits: FloatArray, classes: IntArray, groups: IntArray) -> float | None:
    """The divisor of the logits that makes held-out probabilities most truthful.

    Parameters
    ----------
    logits
        Shape (n, K): of pixels whose groups the model had not seen.
    classes, groups
        Shape (n,).

    Returns
    -------
    float or None
        ``None`` with fewer than four groups or one class: then nothing can be said.
    """
    if np.unique(groups).size < MIN_GROUPS or np.unique(classes).size < 2:
        return None
    return round(_best_temperature(logits, classes), 4)


def calibrated_log_loss(logits: FloatArray, classes: IntArray) -> float:
    """:func:`balanced_log_loss` at the best temperature: how well logits tell classes apart.

    Without it, of two networks that know equally much the less confident one would win.
    """
    return balanced_log_loss(logits / _best_temperature(logits, classes), classes)


def _best_temperature(logits: FloatArray, classes: IntArray) -> float:
    exact: Float64Array = logits.astype(np.float64)

    def loss(log_temperature: float) -> float:
        return balanced_log_loss(exact / np.exp(log_temperature), classes)

    bounds = (np.log(RANGE[0]), np.log(RANGE[1]))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))
