from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ims_tumor.model.familiarity import (
    COMPONENTS,
    MARGIN,
    MOST,
    MOST_SPECTRA,
    Familiarity,
    chosen_rows,
    directions,
    limit_of,
    unexplained,
)


def some_inputs(n: int = 80, bins: int = 60, hidden: int = 3, seed: int = 0) -> np.ndarray:
    """Spectra that differ in a few directions, with a little noise."""
    rng = np.random.default_rng(seed)
    shapes = np.random.default_rng(99).normal(size=(hidden, bins))
    values = rng.normal(size=(n, hidden)) @ shapes + 0.1 * rng.normal(size=(n, bins))
    return values.astype(np.float32)


@settings(max_examples=20)
@given(st.integers(1, 90), st.integers(2, 40), st.integers(0, 99))
def test_directions_are_orthonormal_and_no_more_than_spectra_can_tell(
    n: int, bins: int, seed: int
) -> None:
    found = directions(some_inputs(n, bins, seed=seed))
    assert found.shape[0] <= min(COMPONENTS, n // 4, bins)
    assert np.allclose(found @ found.T, np.eye(len(found)), atol=1e-4)


def test_directions_are_those_of_an_exact_decomposition() -> None:
    inputs = some_inputs()
    exact = np.linalg.svd(inputs, full_matrices=False)[2][:3]
    # The same subspace, whatever the signs and the order.
    assert np.allclose(np.linalg.svd(directions(inputs)[:3] @ exact.T)[1], 1, atol=1e-3)
    assert np.array_equal(directions(inputs), directions(inputs))


def test_what_a_base_knew_stays_familiar_beside_what_is_new() -> None:
    rng = np.random.default_rng(4)
    base = directions(some_inputs())
    other = (rng.normal(size=(40, 2)) @ rng.normal(size=(2, 60))).astype(np.float32)
    both = directions(other, base)
    assert np.array_equal(both[: len(base)], base)
    assert np.allclose(both @ both.T, np.eye(len(both)), atol=1e-3)
    assert unexplained(other, both).max() < 0.05 * unexplained(other, base).min()


def test_what_lies_beside_the_directions_is_unfamiliar_and_an_empty_spectrum_most_of_all() -> None:
    inputs = some_inputs()
    groups = np.arange(len(inputs)) // 10
    known = directions(inputs)
    limit = limit_of(unexplained(some_inputs(seed=1), known), groups)
    assert limit is not None
    familiar = Familiarity(known, limit)
    rng = np.random.default_rng(2)
    foreign = rng.normal(size=(30, 60)).astype(np.float32)
    assert (familiar.score(some_inputs(seed=3)) > 1).mean() <= 0.1
    assert (familiar.score(foreign) > 1).all()
    assert familiar.score(np.zeros((1, 60), np.float32)) == pytest.approx(MOST)
    assert familiar.score(1000 * foreign).max() == pytest.approx(MOST)


def test_each_group_has_the_same_say_in_the_limit() -> None:
    # One group of a thousand quiet pixels, four of ten loud ones.
    left = np.concatenate([np.full(1000, 1.0), np.full(40, 5.0)])
    groups = np.concatenate([np.zeros(1000), 1 + np.arange(40) // 10]).astype(np.int64)
    assert limit_of(left, groups) == pytest.approx(5.0 * MARGIN)


@pytest.mark.parametrize("n_groups", [1, 3])
def test_too_few_groups_tell_nothing(n_groups: int) -> None:
    assert limit_of(np.ones(12), np.arange(12) % n_groups) is None


def test_spectra_never_held_out_do_not_count() -> None:
    left = np.array([1.0, 1.0, 1.0, 1.0, np.nan])
    assert limit_of(left, np.array([0, 1, 2, 3, 4])) == pytest.approx(MARGIN)
    assert limit_of(left, np.array([0, 1, 2, 2, 4])) is None
    assert limit_of(np.zeros(8), np.arange(8)) is None


def test_directions_are_sought_on_spectra_from_beginning_to_end() -> None:
    few, many = np.arange(7), np.arange(5000)
    assert np.array_equal(chosen_rows(few), few)
    chosen = chosen_rows(many)
    assert len(chosen) == MOST_SPECTRA == np.unique(chosen).size
    assert (chosen[0], chosen[-1]) == (0, 4999)
