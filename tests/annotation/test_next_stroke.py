from __future__ import annotations

import numpy as np
import pytest

from napari_ims_tumor.annotation.next_stroke import most_uncertain_pixel


def two_pieces() -> tuple[np.ndarray, np.ndarray]:
    """A sure slide with a large and a small uncertain piece, and nothing painted."""
    uncertainty = np.full((20, 20), 0.1)
    uncertainty[2:7, 2:7] = 0.9
    uncertainty[14:17, 14:17] = 0.9
    return uncertainty, np.zeros((20, 20), np.uint8)


def test_the_middle_of_the_largest_piece() -> None:
    assert most_uncertain_pixel(*two_pieces()) == (4, 4)


def test_a_piece_with_a_stroke_is_left_out() -> None:
    uncertainty, labels = two_pieces()
    labels[2, 2] = 1
    assert most_uncertain_pixel(uncertainty, labels) == (15, 15)


def test_the_place_lies_in_the_piece_even_where_that_is_bent() -> None:
    uncertainty = np.full((21, 21), 0.05)
    uncertainty[3, 3:18] = uncertainty[17, 3:18] = uncertainty[3:18, 3] = 0.8
    found = most_uncertain_pixel(uncertainty, np.zeros((21, 21), np.uint8))
    assert found is not None
    assert uncertainty[found] == 0.8


@pytest.mark.parametrize("value", [np.nan, 0.0])
def test_nothing_uncertain_is_nowhere(value: float) -> None:
    assert most_uncertain_pixel(np.full((5, 5), value), np.zeros((5, 5), np.uint8)) is None


def test_sections_are_looked_at_one_by_one() -> None:
    flat, labels = two_pieces()
    stack = np.stack([np.full_like(flat, 0.1), flat])
    assert most_uncertain_pixel(stack, np.stack([labels, labels])) == (1, 4, 4)
