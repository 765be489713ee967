from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from napari_ims_tumor.model.linear_choice import better_pls
from napari_ims_tumor.model.linear_path import LinearPath
from napari_ims_tumor.model.predicting import predict_matrix
from napari_ims_tumor.model.scores import balanced_accuracy

GROUPS = 10


def held_out(signal: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    groups = np.repeat(np.arange(GROUPS), 40)
    classes = np.tile([0, 1], groups.size // 2)
    logit = signal * (2.0 * classes - 1) + draw.standard_normal(classes.size)
    return np.stack([-logit, logit], axis=1).astype(np.float32), classes, groups


def test_the_better_one_is_taken_and_its_logits_are_truthful() -> None:
    regression, classes, groups = held_out(0.3)
    others = {2: held_out(0.5, 1)[0], 3: 200 * held_out(1.5, 2)[0]}
    better = better_pls(regression, others, classes, groups)
    assert better is not None
    assert better.components == 3
    np.testing.assert_allclose(better.logits * better.temperature, others[3], rtol=1e-5)
    # A signal of 1.5 in noise of 1, twice over for two columns: the true logits are 1.5 times it.
    assert better.temperature == pytest.approx(200 / 1.5, rel=0.25)


def test_in_doubt_regression_stays() -> None:
    regression, classes, groups = held_out(1.0)
    assert better_pls(regression, {3: regression.copy()}, classes, groups) is None
    assert better_pls(regression, {3: held_out(0.9, 1)[0]}, classes, groups) is None


def test_too_few_groups_choose_nothing() -> None:
    regression, classes, groups = held_out(0.1)
    others = {1: held_out(2.0, 1)[0]}
    assert better_pls(regression, others, classes, groups) is not None
    assert better_pls(regression, others, classes, groups % 7) is None


def test_what_some_folds_lack_is_no_candidate() -> None:
    regression, classes, groups = held_out(0.1)
    missing = held_out(2.0, 1)[0]
    missing[groups == 0] = np.nan
    assert better_pls(regression, {8: missing}, classes, groups) is None
    # What nobody held out is no reason against it.
    regression[groups == 0] = np.nan
    assert better_pls(regression, {8: missing}, classes, groups) is not None


def test_what_is_missing_in_the_end_is_not_used() -> None:
    regression, classes, groups = held_out(0.1)
    better = better_pls(regression, {2: held_out(2.0, 1)[0]}, classes, groups)
    assert better is not None
    assert better.of({1: LinearPath.zeros(2, 5)}) is None


def wrongly_labelled(build: Any, seed: int) -> tuple[Any, np.ndarray]:
    """Classes that differ in one strong direction, and three labels of ten wrong."""
    draw = np.random.default_rng(seed)
    n, bins = 80 * GROUPS, 600
    truth = np.tile([0, 1], n // 2)
    usual, direction = np.random.default_rng(99).uniform(0.5, 1.5, (2, bins))
    depth = 0.3 * draw.standard_normal((n, 1)) + truth[:, None]
    noise = 0.3 * draw.standard_normal((n, bins))
    values = usual * np.exp(0.1 * depth * np.sign(direction - 1) + noise)
    told = np.where(draw.random(n) < 0.3, 1 - truth, truth)
    spectra = build.spectra(n=n, bins=bins, n_groups=GROUPS)
    return replace(spectra, values=values.astype(np.float32), classes=told), truth


def test_wrong_labels_are_followed_less(build: Any) -> None:
    spectra, _ = wrongly_labelled(build, 0)
    model = build.fitted(spectra, network="linear")
    assert str(model.card["linear model"]).startswith("PLS-DA")
    asked, truth = wrongly_labelled(build, 1)
    found = balanced_accuracy(predict_matrix(model, asked.values, "cpu"), truth)
    assert found is not None
    assert found > 0.9  # logistic regression: .81
