"""Probabilities that mean what they say: one temperature, found on held-out groups.

Guo et al., *On calibration of modern neural networks*, ICML 2017.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import stdtrit

from napari_ims_tumor.msi.arrays import Float32Array, Float64Array, FloatArray, IntArray

SURE: Final = 0.975
"""How surely a network must be better than the linear model before it takes part."""
MIN_GROUPS: Final = 4
LEAST_PIXELS: Final = 30
"""Held-out pixels that can speak for a CNN: of ten, two of ten draws did so by chance."""
"""Below this many held-out groups a temperature would describe two patients, not the method."""
RANGE: Final = (0.2, 10.0)


def softmax(logits: FloatArray) -> Float32Array:
    """Logits (n, K) → probabilities (n, K) that add up to 1."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Float32Array = (raised / raised.sum(axis=1, keepdims=True)).astype(np.float32)
    return probabilities


def balanced_log_loss(logits: FloatArray, classes: IntArray) -> float:
    """Mean over classes of the mean cross entropy of their pixels."""
    losses = _pixel_losses(logits, classes)
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
    return balanced_log_loss(_tempered(logits, classes), classes)


def is_better_beyond_chance(
    logits: FloatArray, rival: FloatArray, classes: IntArray, groups: IntArray
) -> bool:
    """Whether logits beat a rival's by more than chance would, over groups.

    Of two models that are equally good, one always has the smaller held-out loss, and a fit looks
    at many epochs and shares. The difference counts when other groups would show it too: a paired
    t-test of the groups' gains, which asks for more where groups are few. In doubt the simpler one
    stays, as by the one-standard-error rule of Breiman et al., *Classification and Regression
    Trees*, 1984, which six groups met too easily.

    Parameters
    ----------
    logits, rival
        Shape (n, K): of the same held-out pixels; each is read at its own best temperature.
    classes, groups
        Shape (n,); fewer than :data:`LEAST_PIXELS` never show it.
    """
    gains = _pixel_losses(_tempered(rival, classes), classes)
    gains -= _pixel_losses(_tempered(logits, classes), classes)
    # Every class weighs the same, as in the balanced loss.
    gains /= np.bincount(classes)[classes]
    of_group = np.bincount(np.unique(groups, return_inverse=True)[1], gains)
    n = of_group.size
    if n < 2 or len(classes) < LEAST_PIXELS:
        return False
    error = float(np.sqrt(n) * of_group.std(ddof=1))
    return bool(of_group.sum() > stdtrit(n - 1, SURE) * error)


def _tempered(logits: FloatArray, classes: IntArray) -> Float64Array:
    tempered: Float64Array = logits.astype(np.float64) / _best_temperature(logits, classes)
    return tempered


def _pixel_losses(logits: FloatArray, classes: IntArray) -> Float64Array:
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    losses: Float64Array = np.log(np.exp(shifted).sum(axis=1))
    losses -= shifted[np.arange(len(classes)), classes]
    return losses


def _best_temperature(logits: FloatArray, classes: IntArray) -> float:
    exact: Float64Array = logits.astype(np.float64)

    def loss(log_temperature: float) -> float:
        return balanced_log_loss(exact / np.exp(log_temperature), classes)

    bounds = (np.log(RANGE[0]), np.log(RANGE[1]))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))
