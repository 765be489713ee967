from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from napari_ims_tumor.job import outcome_of
from napari_ims_tumor.model.linear_path import LinearPath, class_weights, fit_linear, quick_linear
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


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("n", [1, 7, 150])
def test_the_quick_way_finds_the_same_minimum(n: int, classes: int) -> None:
    rng = np.random.default_rng(n)
    inputs = rng.normal(size=(n, 9_000)).astype(np.float32)
    told = rng.integers(0, classes, n)
    inputs[:, 5] += told
    start = LinearPath.zeros(classes, 9_000)
    exact, quick = (outcome_of(way(inputs, told, start)) for way in (fit_linear, quick_linear))
    np.testing.assert_allclose(quick.weight, exact.weight, atol=2e-5)
    np.testing.assert_allclose(quick.bias, exact.bias, atol=2e-4)
    np.testing.assert_allclose(quick.logits(inputs), exact.logits(inputs), atol=2e-3)
