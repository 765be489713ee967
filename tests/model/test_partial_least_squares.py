from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import pytest
from sklearn.cross_decomposition import PLSRegression
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from napari_ims_tumor.model.linear_path import LinearPath
from napari_ims_tumor.model.partial_least_squares import COMPONENTS, fit_pls


def fitted(inputs: np.ndarray, classes: np.ndarray) -> dict[int, LinearPath]:
    steps: Generator[None, None, dict[int, LinearPath]]
    steps = fit_pls(inputs.astype(np.float32), classes, int(classes.max()) + 1)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: dict[int, LinearPath] = end.value
            return found


def spectra(n: int, bins: int, n_classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    classes = np.minimum(draw.integers(0, n_classes + 1, n), n_classes - 1)
    inputs = draw.standard_normal((n, bins)) @ np.diag(draw.uniform(0.2, 2, bins))
    inputs[:, 0] += classes
    inputs[:, 5] -= 2.0 * (classes == 1)
    return inputs.astype(np.float32), classes


def by_scikit_learn(inputs: np.ndarray, classes: np.ndarray, components: int) -> Any:
    exact, k = inputs.astype(np.float64), int(classes.max()) + 1
    projection = PLSRegression(components, scale=False).fit(exact, np.eye(k)[classes])
    scores = projection.transform(exact)
    discriminants = LinearDiscriminantAnalysis(solver="lsqr", priors=np.full(k, 1 / k))
    return discriminants.fit(scores, classes).decision_function(scores)


@pytest.mark.parametrize("components", COMPONENTS)
@pytest.mark.parametrize("bins", [50, 300])
def test_two_classes_are_told_apart_as_by_scikit_learn(components: int, bins: int) -> None:
    inputs, classes = spectra(120, bins, 2)
    found = fitted(inputs, classes)[components].logits(inputs)
    wanted = by_scikit_learn(inputs, classes, components)
    np.testing.assert_allclose(found[:, 1] - found[:, 0], wanted, atol=1e-3 * np.abs(wanted).max())


def test_three_classes_are_called_as_by_scikit_learn() -> None:
    # With several classes its later directions are a little different ones: NIPALS, not SIMPLS.
    inputs, classes = spectra(300, 40, 3)
    found = fitted(inputs, classes)
    for components in (1, 5, 8):
        wanted = by_scikit_learn(inputs, classes, components).argmax(axis=1)
        assert np.mean(found[components].logits(inputs).argmax(axis=1) == wanted) > 0.99


def test_where_spectra_lie_changes_nothing() -> None:
    inputs, classes = spectra(80, 30, 2)
    here, there = fitted(inputs, classes), fitted(inputs + np.float32(3), classes)
    for k, path in here.items():
        moved = there[k].logits(inputs + np.float32(3))
        np.testing.assert_allclose(moved, path.logits(inputs), atol=2e-2)


def test_no_more_directions_than_the_spectra_have() -> None:
    inputs, classes = spectra(60, 30, 2)
    flat = np.zeros_like(inputs)
    flat[:, :2] = inputs[:, [0, 5]]
    assert set(fitted(flat, classes)) == {1, 2}
    assert fitted(np.zeros_like(inputs), classes) == {}


def test_classes_without_any_spread_stay_finite() -> None:
    classes = np.array([0, 0, 0, 1, 1, 1])
    inputs = np.where(classes[:, None] == 1, 1.0, -1.0) * np.ones((6, 20))
    for path in fitted(inputs, classes).values():
        assert np.isfinite(path.weight).all()
        assert (path.logits(inputs.astype(np.float32)).argmax(axis=1) == classes).all()
