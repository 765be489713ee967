"""What neighbors add to an answer: bounded, from alike spectra, and nothing across a border."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ims_tumor.model.calibration import softmax
from napari_ims_tumor.model.neighborhood import Neighborhood
from napari_ims_tumor.msi.neighbors import neighbor_pairs


def square(side: int) -> tuple[np.ndarray, np.ndarray]:
    row, column = (a.ravel() for a in np.mgrid[:side, :side])
    return row, column


def around(side: int, scores: np.ndarray | None = None) -> Neighborhood:
    row, column = square(side)
    pairs = neighbor_pairs(np.zeros(side**2, np.int64), row, column)
    scores = np.zeros((side**2, 1)) if scores is None else scores
    return Neighborhood.of(pairs, scores, np.ones(side**2, bool))


def tumor(p: np.ndarray) -> np.ndarray:
    return np.stack([1 - p, p], axis=1)


def odds(logits: np.ndarray) -> np.ndarray:
    return logits[:, 1] - logits[:, 0]


@given(st.integers(0, 2**32 - 1), st.integers(1, 7), st.integers(2, 4), st.floats(0.1, 2.0))
def test_neighbors_never_shift_log_odds_by_more_than_their_strength(
    seed, side, classes, strength
) -> None:
    rng = np.random.default_rng(seed)
    alone = softmax(rng.normal(0, 4, (side**2, classes)))
    found = around(side, rng.normal(0, 1, (side**2, 3))).answer(alone, strength)
    logs = np.log(alone.astype(np.float64))
    moved = (found - found[:, :1]) - (logs - logs[:, :1])
    assert np.abs(moved).max() <= 2 * strength + 1e-3


def test_a_doubtful_pixel_follows_the_tissue_around_it_and_a_clear_one_does_not() -> None:
    doubtful, clear = np.full(25, 0.05), np.full(25, 0.05)
    doubtful[12], clear[12] = 0.7, 0.999
    assert odds(around(5).answer(tumor(doubtful), 1.0))[12] < 0
    assert odds(around(5).answer(tumor(clear), 1.0))[12] > 0


def test_a_border_between_unlike_spectra_is_not_crossed() -> None:
    _, column = square(8)
    side = column >= 4
    p = np.where(side, 0.6, 0.02)
    scores = np.random.default_rng(0).normal(0, 0.3, (64, 4)) + 9.0 * side[:, None]
    aware = odds(around(8, scores).answer(tumor(p), 1.0))
    blind = odds(around(8).answer(tumor(p), 1.0))
    at_border = column == 4
    assert (aware[at_border] > 0).all()
    assert (blind[at_border] < 0).any()


def test_nobody_speaks_across_the_parts_of_a_division() -> None:
    row, _ = square(6)
    p = np.where(row < 3, 0.9, 0.1)
    part = (row >= 3).astype(np.int64)
    divided = around(6).within(part)
    top = divided.answer(tumor(p), 1.0)[row < 3]
    changed = divided.answer(tumor(np.where(row < 3, 0.9, 0.99)), 1.0)[row < 3]
    assert np.array_equal(top, changed)
    alone = around(6).within(np.full(36, -1)).answer(tumor(p), 1.0)
    assert np.allclose(softmax(alone), tumor(p), atol=1e-6)


def test_empty_spectra_neither_speak_nor_listen() -> None:
    row, column = square(3)
    pairs = neighbor_pairs(np.zeros(9, np.int64), row, column)
    speaks = np.ones(9, bool)
    speaks[4] = False
    near = Neighborhood.of(pairs, np.zeros((9, 1)), speaks)
    p = np.full(9, 0.3)
    p[4] = 0.999
    found = near.answer(tumor(p), 1.0)
    assert odds(found)[4] == pytest.approx(np.log(0.999 / 0.001), abs=1e-3)
    assert (odds(found)[speaks] < np.log(0.3 / 0.7)).all()


@given(st.integers(0, 2**32 - 1))
def test_the_order_of_spectra_does_not_matter(seed) -> None:
    rng = np.random.default_rng(seed)
    row, column = square(5)
    scores, alone = rng.normal(0, 1, (25, 3)), softmax(rng.normal(0, 2, (25, 2)))
    order = rng.permutation(25)
    section, speaks = np.zeros(25, np.int64), np.ones(25, bool)
    one = Neighborhood.of(neighbor_pairs(section, row, column), scores, speaks).answer(alone, 1.0)
    pairs = neighbor_pairs(section, row[order], column[order])
    other = Neighborhood.of(pairs, scores[order], speaks).answer(alone[order], 1.0)
    assert np.allclose(one[order], other, atol=1e-5)


def test_near_a_border_is_within_two_pixels_of_another_class() -> None:
    _, column = square(9)
    near = around(9).near_border((column >= 5).astype(np.int64))
    assert np.array_equal(near, np.isin(column, [3, 4, 5, 6]))
    assert not around(4).near_border(np.zeros(16, np.int64)).any()


def test_some_of_the_spectra_among_each_other_in_another_order() -> None:
    rng = np.random.default_rng(3)
    rows = rng.permutation(36)[:20]
    alone = softmax(rng.normal(0, 2, (36, 2)))
    part = np.full(36, -1)
    part[rows] = 0
    near = around(6, rng.normal(0, 1, (36, 3)))
    expected = near.within(part).answer(alone, 0.5)[rows]
    assert np.allclose(near.among(rows).answer(alone[rows], 0.5), expected, atol=1e-5)


@pytest.mark.parametrize("scores", [np.zeros((9, 0)), np.full((9, 2), np.nan)])
def test_where_no_direction_tells_spectra_apart_neighbors_count_the_same(
    scores: np.ndarray,
) -> None:
    alone = softmax(np.random.default_rng(0).normal(0, 2, (9, 2)))
    found = around(3, scores).answer(alone, 0.5)
    assert np.array_equal(found, around(3).answer(alone, 0.5))
