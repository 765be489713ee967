from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize as scipy_minimize
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

from napari_ims_tumor.job import outcome_of
from napari_ims_tumor.model.linear_path import LinearPath, class_weights, fit_linear
from napari_ims_tumor.model.quasi_newton import minimize


def test_it_is_the_logistic_regression_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(120, 20)).astype(np.float32)
    classes = (inputs[:, 0] + 0.5 * rng.normal(size=120) > 0.4).astype(np.int64)
    ours = outcome_of(fit_linear(inputs, classes, LinearPath.zeros(2, 20)))
    # Two planes of weights w/2 and −w/2: λ/2 · 2 · |w/2|² = λ/4 · |w|², so C = 2/λ.
    theirs = LogisticRegression(C=2 / 20, class_weight="balanced", tol=1e-8).fit(inputs, classes)
    difference = ours.weight[1] - ours.weight[0]
    assert np.allclose(difference, theirs.coef_[0], atol=5e-3)
    # Only the bias is another: the rarer class of these spectra gets more.
    moved = ours.bias[1] - ours.bias[0] - theirs.intercept_[0]
    assert classes.mean() < 0.5
    assert 0 < moved < 0.3


def test_with_many_spectra_the_bias_is_the_one_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(6000, 5)).astype(np.float32)
    classes = (inputs[:, 0] + 0.5 * rng.normal(size=6000) > 0.4).astype(np.int64)
    ours = outcome_of(fit_linear(inputs, classes, LinearPath.zeros(2, 5)))
    theirs = LogisticRegression(C=2 / 5, class_weight="balanced", tol=1e-8).fit(inputs, classes)
    assert abs(ours.bias[1] - ours.bias[0] - theirs.intercept_[0]) < 0.01


def test_a_base_is_kept_where_the_labels_say_nothing() -> None:
    inputs = np.zeros((10, 4), np.float32)
    inputs[:, 0] = np.where(np.arange(10) % 2, 1, -1)
    base = LinearPath(np.array([[1, 2, 3, 4], [-1, -2, -3, -4]]), np.array([0.5, -0.5]))
    tuned = outcome_of(fit_linear(inputs, np.arange(10) % 2, base))
    assert np.allclose(tuned.weight[:, 1:], base.weight[:, 1:], atol=1e-4)
    assert tuned.weight[1, 0] > base.weight[1, 0]


def test_class_weights_make_classes_equal() -> None:
    classes = np.array([0] * 9 + [1])
    weights = class_weights(classes, 3)
    assert np.isclose(weights[classes == 0].sum(), weights[classes == 1].sum())
    assert np.isclose(weights.mean(), 1)


def test_the_solver_finds_the_minimum_of_a_quadratic() -> None:
    rng = np.random.default_rng(0)
    root = rng.normal(size=(12, 12))
    matrix, target = root @ root.T + np.eye(12), rng.normal(size=12)

    def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
        return float(x @ matrix @ x / 2 - target @ x), matrix @ x - target

    found = outcome_of(minimize(objective, np.zeros(12)))
    assert np.allclose(found, np.linalg.solve(matrix, target), atol=1e-2)


def test_the_solver_stops_when_asked() -> None:
    inputs = np.random.default_rng(0).normal(size=(50, 9)).astype(np.float32)
    job = fit_linear(inputs, np.arange(50) % 2, LinearPath.zeros(2, 9), lambda: True)
    assert len(list(job)) <= 3


@pytest.mark.parametrize("with_base", [False, True])
@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("n", [1, 7, 150])
def test_no_weights_of_any_class_are_better(n: int, classes: int, with_base: bool) -> None:
    rng = np.random.default_rng(n)
    inputs = rng.normal(size=(n, 30)).astype(np.float32)
    told = rng.integers(0, classes, n)
    inputs[:, 5] += told
    start = LinearPath.zeros(classes, 30)
    if with_base:
        start = LinearPath(rng.normal(size=(classes, 30)) / 5, rng.normal(size=classes))
    ours = outcome_of(fit_linear(inputs, told, start))
    best = best_weights(inputs, told, start)
    np.testing.assert_allclose(ours.weight, best, atol=3e-3)


def test_where_the_search_begins_does_not_say_where_it_ends() -> None:
    rng = np.random.default_rng(3)
    inputs = rng.normal(size=(60, 20)).astype(np.float32)
    told, start = np.arange(60) % 3, LinearPath(rng.normal(size=(3, 20)), rng.normal(size=3))
    one = outcome_of(fit_linear(inputs, told, start))
    near = LinearPath(one.weight + 0.1, one.bias)
    other = outcome_of(fit_linear(inputs, told, start, first=near))
    np.testing.assert_allclose(other.weight, one.weight, atol=3e-3)
    np.testing.assert_allclose(other.logits(inputs), one.logits(inputs), atol=3e-2)


def best_weights(inputs: np.ndarray, told: np.ndarray, start: LinearPath) -> np.ndarray:
    """The minimum that scipy finds among all weights and biases of all classes."""
    (n, bins), classes = inputs.shape, len(start.bias)
    truth = np.eye(classes)[told] * class_weights(told, classes)[:, None]
    bias_penalty = 10 / n if start.weight.any() else 1e-3

    def loss(vector: np.ndarray) -> float:
        weight, bias = vector[: classes * bins].reshape(classes, bins), vector[classes * bins :]
        found = -(truth * log_softmax(inputs @ weight.T + bias, axis=1)).sum() / n
        found += bins / n / 2 * ((weight - start.weight) ** 2).sum()
        return float(found + bias_penalty / 2 * ((bias - start.bias) ** 2).sum())

    begin = np.concatenate([start.weight.ravel(), start.bias]).astype(np.float64)
    options = {"maxiter": 10_000, "maxfun": 10**7, "ftol": 1e-14, "gtol": 1e-7}
    found = scipy_minimize(loss, begin, method="L-BFGS-B", options=options).x
    return np.asarray(found[: classes * bins].reshape(classes, bins))
