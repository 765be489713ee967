from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ims_tumor.model.scores import auroc, balanced_accuracy, expected_calibration_error


def plain_ece(probabilities: np.ndarray, classes: np.ndarray) -> float:
    """The definition, bin by bin."""
    total = 0.0
    for k in range(15):
        low, high = k / 15, (k + 1) / 15
        rows = [
            i for i, p in enumerate(probabilities)
            if low < p.max() <= high or (k == 0 and p.max() == 0)
        ]  # fmt: skip
        if rows:
            confidence = np.mean([probabilities[i].max() for i in rows])
            accuracy = np.mean([probabilities[i].argmax() == classes[i] for i in rows])
            total += len(rows) / len(classes) * abs(accuracy - confidence)
    return total


@given(st.integers(0, 10_000), st.integers(1, 80), st.integers(2, 4))
def test_ece_equals_the_definition(seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(k), n)
    classes = rng.integers(0, k, n)
    found = expected_calibration_error(probabilities, classes)
    assert found == pytest.approx(plain_ece(probabilities, classes), abs=1e-9)


def test_nothing_to_judge_is_none_and_never_a_number() -> None:
    one_class = np.array([[0.2, 0.8]] * 4)
    assert balanced_accuracy(one_class, np.ones(4, int)) is None
    assert auroc(one_class, np.ones(4, int)) is None
    assert expected_calibration_error(np.zeros((0, 2)), np.zeros(0, int)) is None


def test_scores_of_a_perfect_prediction() -> None:
    probabilities = np.array([[1.0, 0.0], [0.0, 1.0]])
    classes = np.array([0, 1])
    assert balanced_accuracy(probabilities, classes) == 1
    assert auroc(probabilities, classes) == 1
    assert expected_calibration_error(probabilities, classes) == 0


def test_three_classes() -> None:
    probabilities = np.eye(3)[[0, 1, 2, 2]]
    assert auroc(probabilities, np.array([0, 1, 2, 2])) == 1
