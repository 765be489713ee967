from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_ims_tumor.model.uncertainty import normalized_entropy, total_variation


def shares(n: int, classes: int) -> st.SearchStrategy[np.ndarray]:
    """n answers over some classes; a class may get nothing at all."""
    parts = hnp.arrays(np.float64, (n, classes), elements=st.floats(0, 1))
    return parts.map(lambda p: (p + 1e-9) / (p + 1e-9).sum(axis=1, keepdims=True))


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_certain_is_zero_and_equal_is_one(classes: int) -> None:
    certain = np.eye(classes, dtype=np.float32)
    assert (normalized_entropy(certain) == 0).all()
    equal = np.full((classes, 4), 1 / classes)
    assert np.allclose(normalized_entropy(equal), 1)
    assert normalized_entropy(equal).dtype == np.float32


def test_it_is_shannons_entropy() -> None:
    # 3/4 and 1/4: 2 − 3/4 · log2(3) bits, of 1 bit.
    expected = 2 - 0.75 * np.log2(3)
    assert normalized_entropy(np.array([[0.75], [0.25]])) == pytest.approx(expected)


def test_unmeasured_stays_unmeasured() -> None:
    assert np.isnan(normalized_entropy(np.array([[np.nan, 1.0], [np.nan, 0.0]]))[0])
    assert np.isnan(normalized_entropy(np.array([[np.nan, 1.0]]))).tolist() == [True, False]


@given(shares(5, 3), st.permutations(range(3)))
def test_naming_the_classes_otherwise_changes_nothing(p: np.ndarray, order: list[int]) -> None:
    assert np.allclose(normalized_entropy(p.T), normalized_entropy(p.T[order]), atol=1e-6)
    other = p[::-1]
    same = total_variation(p[:, order], other[:, order])
    assert np.allclose(total_variation(p, other), same, atol=1e-6)


@given(shares(6, 3))
def test_more_mixed_is_more_uncertain(p: np.ndarray) -> None:
    values = normalized_entropy(p.T)
    assert ((values >= 0) & (values <= 1)).all()
    mixed = (p + 1 / 3) / 2
    assert (normalized_entropy(mixed.T) >= values - 1e-6).all()


@given(shares(4, 3), shares(4, 3), shares(4, 3))
def test_disagreement_is_a_distance_from_zero_to_one(
    p: np.ndarray, q: np.ndarray, r: np.ndarray
) -> None:
    d = total_variation(p, q)
    assert ((d >= 0) & (d <= 1)).all()
    assert (total_variation(p, p) == 0).all()
    assert np.array_equal(d, total_variation(q, p))
    assert (d <= total_variation(p, r) + total_variation(r, q) + 1e-6).all()


def test_opposite_answers_are_one_apart() -> None:
    assert total_variation(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])) == 1
