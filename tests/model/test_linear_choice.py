from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from napari_ims_tumor.model.linear_choice import better_together
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


def test_both_together_are_taken_where_they_know_more() -> None:
    regression, classes, groups = held_out(1.0)
    others = {2: held_out(0.1, 1)[0], 3: 200 * held_out(1.0, 2)[0]}
    better = better_together(regression, others, classes, groups)
    assert better is not None
    assert better.components == 3
    # Each is first made as sure as it may be: the loud one does not drown the other.
    assert better.regression == pytest.approx(200 * better.pls, rel=0.4)
    found = balanced_accuracy(better.logits, classes)
    alone = balanced_accuracy(regression, classes)
    assert found is not None
    assert alone is not None
    assert found > alone


def test_the_mean_of_models_gives_the_mean_of_logits() -> None:
    regression, classes, groups = held_out(1.0)
    better = better_together(regression, {3: held_out(1.0, 2)[0]}, classes, groups)
    assert better is not None
    draw = np.random.default_rng(0)
    inputs = draw.standard_normal((7, 5)).astype(np.float32)
    one, two = (LinearPath(draw.standard_normal((2, 5)), draw.standard_normal(2)) for _ in "ab")
    path = better.path(one, {3: two})
    assert path is not None
    wanted = better.regression * one.logits(inputs) + better.pls * two.logits(inputs)
    np.testing.assert_allclose(path.logits(inputs), wanted, rtol=1e-4, atol=1e-5)


def test_what_is_wrong_takes_no_part() -> None:
    regression, classes, groups = held_out(1.0)
    assert better_together(regression, {3: held_out(-1.0, 1)[0]}, classes, groups) is None


def test_too_few_groups_choose_nothing() -> None:
    regression, classes, groups = held_out(0.1)
    others = {1: held_out(2.0, 1)[0]}
    assert better_together(regression, others, classes, groups) is not None
    assert better_together(regression, others, classes, groups % 7) is None


def test_what_some_folds_lack_is_no_candidate() -> None:
    regression, classes, groups = held_out(0.1)
    missing = held_out(2.0, 1)[0]
    missing[groups == 0] = np.nan
    assert better_together(regression, {8: missing}, classes, groups) is None
    # What nobody held out is no reason against it.
    regression[groups == 0] = np.nan
    assert better_together(regression, {8: missing}, classes, groups) is not None


def test_what_is_missing_in_the_end_is_not_used() -> None:
    regression, classes, groups = held_out(0.1)
    better = better_together(regression, {2: held_out(2.0, 1)[0]}, classes, groups)
    assert better is not None
    assert better.path(LinearPath.zeros(2, 5), {1: LinearPath.zeros(2, 5)}) is None


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
    assert "PLS-DA of 1 component" in str(model.card["linear model"])
    asked, truth = wrongly_labelled(build, 1)
    found = balanced_accuracy(predict_matrix(model, asked.values, "cpu"), truth)
    assert found is not None
    assert found > 0.87  # logistic regression alone: .81
