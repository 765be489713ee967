from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ims_tumor.model.abstention import LEAST_COVERAGE, AnswerCurve


def two(tumor: list[float]) -> np.ndarray:
    values = np.array(tumor)
    return np.stack([1 - values, values], axis=1).astype(np.float32)


def test_the_curve_counts_answers_and_right_ones() -> None:
    # Wrong only where it is least sure.
    curve = AnswerCurve.of(two([0.55, 0.9, 0.45, 0.1]), np.array([0, 1, 1, 0]))
    assert (curve.coverage_at(0.5), curve.accuracy_at(0.5)) == (1.0, 0.5)
    assert (curve.coverage_at(0.8), curve.accuracy_at(0.8)) == (0.5, 1.0)
    assert curve.confidence_for(0.95) == pytest.approx(0.56)
    assert (curve.coverage_at(1.0), curve.accuracy_at(1.0)) == (0.0, None)


def test_a_lucky_confidence_between_unlucky_ones_is_not_chosen() -> None:
    points = np.array([[0.5, 1, 0.8], [0.6, 0.9, 0.99], [0.7, 0.8, 0.9], [0.8, 0.5, 0.97]])
    curve = AnswerCurve(points.astype(np.float32))
    assert curve.confidence_for(0.95) == pytest.approx(0.8)
    assert curve.confidence_for(0.75) == pytest.approx(0.5)
    assert curve.confidence_for(0.98) is None


def test_each_class_counts_the_same() -> None:
    # 90 healthy pixels, all right and sure; 10 of tumor, all wrong and sure.
    curve = AnswerCurve.of(two([0.0] * 100), np.repeat([0, 1], [90, 10]))
    assert curve.accuracy_at(0.5) == pytest.approx(0.5)


@settings(max_examples=30)
@given(st.integers(2, 4), st.integers(0, 999))
def test_fewer_pixels_are_answered_the_more_is_asked(n_classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(n_classes), 50)
    points = AnswerCurve.of(probabilities, rng.integers(0, n_classes, 50)).points
    assert (np.diff(points[:, 0]) > 0).all()
    assert (np.diff(points[:, 1]) <= 1e-6).all()
    assert points[0, 1] == pytest.approx(1)
    assert points[-1, 1] >= LEAST_COVERAGE - 1e-6
    assert ((points[:, 2] >= 0) & (points[:, 2] <= 1 + 1e-6)).all()
