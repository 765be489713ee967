"""The linear model: regularized logistic regression, alone or as the floor under the CNN.

Its penalty states one assumption: before any label is seen, a spectrum's logit has variance 1
(every weight has variance 1/bins, inputs have variance 1). The strength follows from the number of
bins and needs no tuning to a data set. Fine-tuning centers the same penalty on the base's weights.
The bias is then moved to where new spectra ask for it (:mod:`.unseen_bias`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final

import numpy as np

from napari_ims_tumor.model.quasi_newton import minimize
from napari_ims_tumor.model.thin_products import rows_times, times_rows
from napari_ims_tumor.model.unseen_bias import Minimum, directions_apart, log_shares
from napari_ims_tumor.msi.arrays import Float32Array, Float64Array, FloatArray, IntArray, frozen

BIAS_PRECISION: Final = 1e-3
"""Per pixel, without a base: almost nothing, only there to make the minimum unique."""
BASE_BIAS_PRECISION: Final = 10.0
"""In pixels' worth of evidence, with a base: a few strokes say which spectra differ, but little
about how common tumor is. Without this, one-sided strokes shift all probabilities (measured on 30
draws of 60 pixels: .847 instead of .857)."""


@dataclass(frozen=True, eq=False)
class LinearPath:
    """Weights of the linear model.

    Attributes
    ----------
    weight
        Shape (classes, bins), float32.
    bias
        Shape (classes,), float32.
    """

    weight: Float32Array
    bias: Float32Array

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", frozen(self.weight, np.float32))
        object.__setattr__(self, "bias", frozen(self.bias, np.float32))

    @classmethod
    def zeros(cls, classes: int, bins: int) -> LinearPath:
        """The path that knows nothing."""
        return cls(np.zeros((classes, bins), np.float32), np.zeros(classes, np.float32))

    def logits(self, inputs: Float32Array) -> Float32Array:
        """Shape (n, bins) → (n, classes)."""
        result: Float32Array = inputs @ self.weight.T + self.bias
        return result


def class_weights(classes: IntArray, n_classes: int) -> Float64Array:
    """Weight of every pixel so that each class counts the same; mean 1 over present classes."""
    weights: Float64Array = weighted_shares(classes, n_classes).sum(axis=1)
    return weights


def weighted_shares(classes: IntArray | FloatArray, n_classes: int) -> Float64Array:
    """Weights (n, K) by which every class counts the same in all; 0 for a class a pixel is not of.

    Parameters
    ----------
    classes
        Shape (n,): the class of each pixel; or (n, K): how much of it is of each class, sum 1, or
        0 of all where its label was left out.
    n_classes
        K.
    """
    shares = np.eye(n_classes)[classes] if classes.ndim == 1 else classes.astype(np.float64)
    sums = shares.sum(axis=0)
    present, told = np.count_nonzero(sums), np.count_nonzero(shares.any(axis=1))
    weighted: Float64Array = shares * (told / (present * np.maximum(sums, 1)))
    return weighted


def fit_linear(
    inputs: Float32Array,
    classes: IntArray | FloatArray,
    start: LinearPath,
    should_stop: Callable[[], bool] = lambda: False,
    first: LinearPath | None = None,
) -> Generator[float, None, LinearPath]:
    """Fit logistic regression around ``start``; yields the loss after every step.

    Parameters
    ----------
    inputs
        Shape (n, bins), centered and scaled.
    classes
        Shape (n,); or (n, K): how much of each pixel is of each class.
    start
        The penalty pulls toward these weights: zeros, or a base model's.
    should_stop
        Asked between steps; ``True`` returns the weights found so far.
    first
        Where the search begins, ``start`` by default: nearer is quicker, the minimum is the same.

    Returns
    -------
    LinearPath
        The weights of the unique minimum, to the solver's tolerance, and the bias that is best for
        spectra without their own part in them; stopped on its way, the bias of the last step.
    """
    problem = _Problem(inputs, classes, start)
    begin = problem.packed(start if first is None else first)
    solution = yield from minimize(problem.loss_and_gradient, begin, should_stop)
    weight, bias = problem.unpacked(solution)
    if not should_stop():
        bias = yield from problem.at_minimum(weight, bias).unseen_bias()
    return LinearPath(weight.astype(np.float32), bias.astype(np.float32))


class _Problem:
    """Mean weighted cross entropy plus the penalty, as a function of one flat vector.

    Adding the same to the logits of all classes changes no probability, so the loss never asks for
    it, and the penalty forbids it: the minimum differs from ``start`` only along the K − 1
    directions at a right angle to it. The vector holds how far along each, bin by bin, and then the
    biases; lengths and angles are those of the weights themselves.
    """

    def __init__(
        self, inputs: Float32Array, classes: IntArray | FloatArray, start: LinearPath
    ) -> None:
        self.inputs, self.start = inputs, start
        self.n, self.bins = inputs.shape
        n_classes = len(start.bias)
        self.truth = weighted_shares(classes, n_classes)
        self.pixel_weights = self.truth.sum(axis=1)
        self.turn = directions_apart(n_classes)  # (K, d)
        # n · mean loss + bins/2 · |W − W0|²: unit prior variance of a logit, divided by n.
        self.penalty = self.bins / self.n
        is_base = bool(start.weight.any())
        self.bias_penalty = BASE_BIAS_PRECISION / self.n if is_base else BIAS_PRECISION
        self.known = np.zeros((self.n, n_classes))
        if is_base:
            self.known += times_rows(inputs, start.weight)
        self.known += start.bias

    def packed(self, path: LinearPath) -> Float64Array:
        """How far a path lies from the start."""
        weight = self.turn.T @ (path.weight.astype(np.float64) - self.start.weight)
        bias = self.turn.T @ (path.bias.astype(np.float64) - self.start.bias)
        vector: Float64Array = np.concatenate([weight.ravel(), bias])
        return vector

    def unpacked(self, vector: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Weights (K, bins) and biases (K,)."""
        weight, bias = self._apart(vector)
        return self.start.weight + self.turn @ weight, self.start.bias + self.turn @ bias

    def _apart(self, vector: Float64Array) -> tuple[Float64Array, Float64Array]:
        cut = self.turn.shape[1] * self.bins
        return vector[:cut].reshape(-1, self.bins), vector[cut:]

    def at_minimum(self, weight: Float64Array, bias: Float64Array) -> Minimum:
        return Minimum(
            self.inputs, self.truth, weight, bias,
            self.penalty, self.bias_penalty, self.start.bias.astype(np.float64),
        )  # fmt: skip

    def loss_and_gradient(self, vector: Float64Array) -> tuple[float, Float64Array]:
        weight, bias = self._apart(vector)
        # The products with all spectra stay in float32 (half the memory traffic), the sums in
        # float64.
        along = times_rows(self.inputs, weight.astype(np.float32)).astype(np.float64)
        log_probability, error = self._told(self.known + (along + bias) @ self.turn.T)
        error = error @ self.turn
        slope = rows_times(error.T.astype(np.float32), self.inputs).astype(np.float64)
        slope += self.penalty * weight
        loss = -float((self.truth * log_probability).sum()) / self.n
        loss += self.penalty / 2 * float((weight**2).sum())
        loss += self.bias_penalty / 2 * float((bias**2).sum())
        return loss, np.concatenate([slope.ravel(), error.sum(axis=0) + self.bias_penalty * bias])

    def _told(self, logits: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Log probabilities (n, K), and what they are wrong by (n, K)."""
        log_probability = log_shares(logits)
        error = np.exp(log_probability) * self.pixel_weights[:, None] - self.truth
        error /= self.n
        return log_probability, error
