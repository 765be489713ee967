from __future__ import annotations

import numpy as np
import pytest

from napari_ims_tumor.model.calibration import (
    LEAST_PIXELS,
    balanced_log_loss,
    calibrated_log_loss,
    fit_temperature,
    is_better_beyond_chance,
    softmax,
)


def test_a_temperature_undoes_overconfidence() -> None:
    rng = np.random.default_rng(0)
    logit = rng.normal(0, 2, 4_000)
    classes = (rng.random(4_000) < 1 / (1 + np.exp(-logit))).astype(np.int64)
    overconfident = np.column_stack([np.zeros(4_000), 3 * logit])
    found = fit_temperature(overconfident, classes, np.arange(4_000) % 10)
    assert found == pytest.approx(3, rel=0.1)


def test_confidence_alone_makes_no_difference() -> None:
    rng = np.random.default_rng(0)
    logits, classes = rng.normal(size=(200, 2)), rng.integers(0, 2, 200)
    informed = logits + 2 * np.eye(2)[classes]
    losses = [calibrated_log_loss(factor * informed, classes) for factor in (0.5, 1, 3)]
    assert np.allclose(losses, losses[0], atol=1e-4)
    assert losses[0] < calibrated_log_loss(logits, classes)


def test_too_few_groups_give_no_temperature() -> None:
    logits, classes = np.zeros((30, 2)), np.arange(30) % 2
    assert fit_temperature(logits, classes, np.arange(30) % 3) is None
    assert fit_temperature(logits, np.zeros(30, int), np.arange(30)) is None


def test_softmax_of_huge_logits() -> None:
    assert np.allclose(softmax(np.array([[1e4, 0.0], [0.0, 0.0]])), [[1, 0], [0.5, 0.5]])


def test_the_rare_class_counts_as_much_as_the_common_one() -> None:
    logits = np.array([[4.0, 0.0]] * 99 + [[4.0, 0.0]])
    classes = np.array([0] * 99 + [1])
    right, wrong = np.log(1 + np.exp(-4)), np.log(1 + np.exp(4))
    assert balanced_log_loss(logits, classes) == pytest.approx((right + wrong) / 2)


def test_better_in_one_group_of_many_is_chance() -> None:
    rng = np.random.default_rng(0)
    classes = np.tile([0, 1], 40)
    groups = np.repeat(np.arange(8), 10)
    rival = np.stack([1.0 - 2 * classes, 2.0 * classes - 1], axis=1) + rng.normal(0, 1, (80, 2))
    one = rival.copy()
    one[groups == 3] = 3 * np.stack([1 - 2 * classes, 2 * classes - 1], axis=1)[groups == 3]
    one[groups == 5] *= -0.5
    everywhere = rival + 1.5 * np.stack([1 - 2 * classes, 2 * classes - 1], axis=1)
    assert not is_better_beyond_chance(one, rival, classes, groups)
    assert is_better_beyond_chance(everywhere, rival, classes, groups)
    assert not is_better_beyond_chance(rival, rival, classes, groups)
    assert not is_better_beyond_chance(everywhere, rival, classes, np.zeros(80, np.int64))
    few = np.arange(LEAST_PIXELS - 1)
    assert not is_better_beyond_chance(everywhere[few], rival[few], classes[few], few)
