"""The bias of a linear model as spectra ask for it that it has not learned from.

The weights are a sum of the labelled spectra, so each of these has a part in its own logit: the
larger, the fewer they are and the rarer its class is. A bias fitted to such logits gives new
spectra the more common class too often. Here it is fitted to the logits that each spectrum would
have had, had the weights been fitted without it: approximate leave-one-out (Rad and Maleki, *J. R.
Stat. Soc. B* 82:965, 2020), which takes one Newton step back from the minimum and refits nothing.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.linalg import helmert

from napari_ims_tumor.model.quasi_newton import Objective, minimize
from napari_ims_tumor.msi.arrays import Float32Array, Float64Array, IntArray

MOST_SPECTRA: Final = 256
"""Of more, as many of each class stand for all: what a spectrum adds to its own logit is then
small, and the others say as well how small."""


@dataclass(frozen=True, eq=False)
class Minimum:
    """A linear model where its loss is least, and what it was fitted to.

    Attributes
    ----------
    inputs
        Shape (n, bins).
    truth
        Shape (n, K): how much of each spectrum is of each class, times its weight.
    weight, bias
        Shapes (K, bins) and (K,).
    penalty, bias_penalty
        Of half their squares, in units of the loss of one spectrum of n.
    pulled_to
        Shape (K,): the bias at which its penalty is 0.
    """

    inputs: Float32Array
    truth: Float64Array
    weight: Float64Array
    bias: Float64Array
    penalty: float
    bias_penalty: float
    pulled_to: Float64Array

    def unseen_bias(self) -> Generator[float, None, Float64Array]:
        """The bias (K,) that is best for spectra without their part in the weights."""
        rows, counts = standing_for_all(self.truth)
        spectra = self.inputs[rows]
        logits = (spectra @ self.weight.T.astype(np.float32)).astype(np.float64)
        truth = self.truth[rows]
        apart = logits + self._own_parts(spectra, logits, truth, counts)
        # Both from the same spectra: what a few of them ask for beside all of them cancels.
        stands = yield from minimize(self._loss_of_bias(logits, truth, counts), self.bias)
        unseen = yield from minimize(self._loss_of_bias(apart, truth, counts), self.bias)
        moved: Float64Array = self.bias + unseen - stands
        return moved

    def _own_parts(
        self, spectra: Float32Array, logits: Float64Array, truth: Float64Array, counts: Float64Array
    ) -> Float64Array:
        """What leaving a spectrum out adds to its own logits, shape (m, K).

        With G = X Xᵀ / penalty, C the curvature of each spectrum's loss and g its slope, the
        hat matrix is H = (I + G C)⁻¹ G and the answer H_ii (I − C_i H_ii)⁻¹ g_i.
        """
        shares = np.exp(log_shares(logits + self.bias))
        weights, n = truth.sum(axis=1), len(self.inputs)
        # Slopes add up to 0 over the classes: K − 1 directions say all.
        turn = directions_apart(truth.shape[1])  # (K, d)
        slope = (shares * weights[:, None] - truth) @ turn / n  # (m, d)
        curve = (shares[:, :, None] * turn).transpose(0, 2, 1) @ turn  # (m, d, d)
        mean = shares @ turn
        curve -= mean[:, :, None] * mean[:, None, :]
        curve *= (weights * counts / n)[:, None, None]
        hat = _own_blocks((spectra @ spectra.T).astype(np.float64) / self.penalty, curve)
        left = np.eye(turn.shape[1]) - curve @ hat
        step: Float64Array = hat @ np.linalg.solve(left, slope[:, :, None])
        return step[:, :, 0] @ turn.T

    def _loss_of_bias(
        self, logits: Float64Array, truth: Float64Array, counts: Float64Array
    ) -> Objective:
        told = truth * counts[:, None] / len(self.inputs)
        weights = told.sum(axis=1, keepdims=True)

        def objective(bias: Float64Array) -> tuple[float, Float64Array]:
            told_shares, away = log_shares(logits + bias), bias - self.pulled_to
            loss = self.bias_penalty / 2 * float((away**2).sum())
            loss -= float((told * told_shares).sum())
            slope = (np.exp(told_shares) * weights - told).sum(axis=0)
            return loss, slope + self.bias_penalty * away

        return objective


def standing_for_all(truth: Float64Array) -> tuple[IntArray, Float64Array]:
    """Choose spectra evenly from each class, and how many each of them stands for.

    Parameters
    ----------
    truth
        Shape (n, K); a spectrum without any weight is never chosen.

    Returns
    -------
    rows, counts
        Shape (m,), m ≤ :data:`MOST_SPECTRA` (more only where there are that many classes).
    """
    told = truth.any(axis=1)
    classes = np.where(told, truth.argmax(axis=1), -1)
    present = np.unique(classes[told])
    most = max(1, MOST_SPECTRA // max(1, len(present)))
    rows: list[IntArray] = [np.zeros(0, np.int64)]
    counts: list[Float64Array] = [np.zeros(0)]
    for value in present:
        own = np.flatnonzero(classes == value)
        chosen = own[np.linspace(0, len(own) - 1, min(len(own), most)).round().astype(int)]
        rows.append(chosen)
        counts.append(np.full(len(chosen), len(own) / len(chosen)))
    return np.concatenate(rows), np.concatenate(counts)


def _own_blocks(gram: Float64Array, curve: Float64Array) -> Float64Array:
    """Blocks (m, d, d) on the diagonal of (I + G C)⁻¹ G, with G = ``gram`` in every direction."""
    m, d = curve.shape[:2]
    system = (gram[:, None, :, None] * curve.transpose(1, 0, 2)).reshape(m * d, m * d)
    system[np.diag_indices(m * d)] += 1
    each = np.arange(m)
    solved = np.linalg.solve(system, np.kron(gram, np.eye(d))).reshape(m, d, m, d)
    blocks: Float64Array = solved[each, :, each, :]
    return blocks


def directions_apart(classes: int) -> Float64Array:
    """Orthonormal directions (K, K − 1) at a right angle to all classes moving alike."""
    directions: Float64Array = helmert(classes).T
    return directions


def log_shares(logits: Float64Array) -> Float64Array:
    """Logarithm of the softmax of logits (n, K)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    result: Float64Array = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result
