from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize as scipy_minimize
from scipy.special import softmax

from napari_ims_tumor.job import outcome_of
from napari_ims_tumor.model.linear_path import LinearPath, fit_linear, weighted_shares
from napari_ims_tumor.model.unseen_bias import MOST_SPECTRA, Minimum, standing_for_all


def drawn(n: int, bins: int, k: int, seed: int, rare: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Spectra of k classes; class 0 is the most common one, by as much as is asked."""
    draw = np.random.default_rng(seed)
    classes = np.arange(n) % k
    classes[: rare or n // 3] = 0
    inputs = draw.normal(size=(n, bins)) + 1.5 * np.eye(k, bins)[classes]
    return inputs.astype(np.float32), classes


def fitted(inputs: np.ndarray, truth: np.ndarray, bias: np.ndarray | None = None) -> np.ndarray:
    """Weights and bias by scipy, with the penalties of the model; the bias held where given."""
    n, bins = inputs.shape
    k = truth.shape[1]

    def loss(vector: np.ndarray) -> tuple[float, np.ndarray]:
        weight = vector[: k * bins].reshape(k, bins)
        own = vector[k * bins :] if bias is None else bias
        p = softmax(inputs @ weight.T + own, axis=1)
        wrong = p * truth.sum(axis=1, keepdims=True) - truth
        value = -(truth * np.log(p)).sum() + bins / 2 * (weight**2).sum()
        slope = (wrong.T @ inputs + bins * weight).ravel()
        value += 1e-3 * n / 2 * (own**2).sum() if bias is None else 0.0
        of_bias = wrong.sum(axis=0) + 1e-3 * n * own if bias is None else np.zeros(k)
        return value, np.concatenate([slope, of_bias])

    start = np.zeros(k * bins + k)
    found = scipy_minimize(loss, start, jac=True, options={"gtol": 1e-6, "maxiter": 5000})
    return np.asarray(found.x)


def minimum(inputs: np.ndarray, truth: np.ndarray) -> Minimum:
    n, bins = inputs.shape
    k = truth.shape[1]
    vector = fitted(inputs.astype(np.float64), truth)
    weight, bias = vector[: k * bins].reshape(k, bins), vector[k * bins :]
    return Minimum(inputs, truth, weight, bias, bins / n, 1e-3, np.zeros(k))


@pytest.mark.parametrize(("k", "bins"), [(2, 40), (3, 40), (3, 6)])
def test_it_is_the_bias_of_models_that_were_fitted_without_each_spectrum(k: int, bins: int) -> None:
    inputs, classes = drawn(24, bins, k, seed=1)
    truth = weighted_shares(classes, k)
    known = minimum(inputs, truth)
    exact = inputs.astype(np.float64)
    unseen = np.zeros_like(truth)
    for i in range(len(inputs)):
        kept = np.arange(len(inputs)) != i
        vector = fitted(exact[kept], truth[kept], known.bias)
        unseen[i] = vector[: k * bins].reshape(k, bins) @ exact[i]

    def loss(bias: np.ndarray) -> float:
        told = -(truth * np.log(softmax(unseen + bias, axis=1))).sum()
        return float(told + 1e-3 * 24 / 2 * (bias**2).sum())

    expected = scipy_minimize(loss, np.zeros(k)).x
    found = outcome_of(known.unseen_bias())
    moved, wanted = found - known.bias, expected - known.bias
    moved, wanted = moved - moved.mean(), wanted - wanted.mean()
    assert np.abs(wanted).max() > 0.02  # there is something to find
    np.testing.assert_allclose(moved, wanted, atol=0.03 + 0.05 * np.abs(wanted).max())


def test_new_spectra_are_told_apart_better_by_it() -> None:
    """Few of one class and many of the other, of many more bins than there are spectra."""
    gains = []
    for seed in range(20):
        inputs, classes = drawn(60, 100, 2, seed, rare=48)
        new, truth = drawn(600, 100, 2, seed + 100)
        model = outcome_of(fit_linear(inputs, classes, LinearPath.zeros(2, 100)))
        weighted = weighted_shares(classes, 2)
        plain = fitted(inputs.astype(np.float64), weighted)[-2:]
        margin = new @ (model.weight[1] - model.weight[0])
        scores = [
            np.mean([((margin + b[1] - b[0] > 0) == c)[truth == c].mean() for c in (0, 1)])
            for b in (model.bias, plain)
        ]
        gains.append(scores[0] - scores[1])
    assert np.mean(gains) > 0.02
    assert np.mean(np.array(gains) >= 0) > 0.8


@given(st.integers(0, 10_000), st.integers(2, 4))
def test_it_does_not_depend_on_the_order_of_classes_or_spectra(seed: int, k: int) -> None:
    inputs, classes = drawn(20, 12, k, seed)
    draw = np.random.default_rng(seed)
    turned, rows = draw.permutation(k), draw.permutation(20)
    start = LinearPath.zeros(k, 12)
    one = outcome_of(fit_linear(inputs, classes, start)).bias
    other = outcome_of(fit_linear(inputs[rows], turned[classes[rows]], start)).bias
    np.testing.assert_allclose(other[turned], one, atol=5e-3)


def test_a_few_spectra_of_each_class_stand_for_all() -> None:
    inputs, classes = drawn(600, 100, 2, 3, rare=560)
    many = minimum(inputs, weighted_shares(classes, 2))
    rows, counts = standing_for_all(many.truth)
    assert len(rows) <= MOST_SPECTRA
    assert counts.sum() == pytest.approx(600)
    few = outcome_of(many.unseen_bias()) - many.bias
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("napari_ims_tumor.model.unseen_bias.MOST_SPECTRA", 10**6)
        exact = outcome_of(many.unseen_bias()) - many.bias
    assert np.abs(exact).max() > 0.05
    np.testing.assert_allclose(few, exact, atol=0.2 * np.abs(exact).max())


def test_labels_that_were_left_out_have_no_part_in_it() -> None:
    truth = np.array([[1.0, 0], [0, 0], [0, 2.0], [0, 0]])
    rows, counts = standing_for_all(truth)
    assert rows.tolist() == [0, 2]
    assert counts.tolist() == [1, 1]
