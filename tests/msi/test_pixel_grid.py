"""Spectra on a grid and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.msi.pixel_grid import PixelGrid


@st.composite
def grids(draw: st.DrawFn) -> PixelGrid:
    """Irregular grids, some of several planes, without duplicates."""
    planes, rows, columns = (
        draw(st.integers(1, 3)),
        draw(st.integers(1, 5)),
        draw(st.integers(1, 5)),
    )
    cells = planes * rows * columns
    chosen = draw(st.lists(st.integers(0, cells - 1), min_size=1, unique=True))
    plane, row, column = np.unravel_index(chosen, (planes, rows, columns))
    return PixelGrid(row, column, (rows, columns), planes=plane)


@given(grids(), st.integers(0, 2**32 - 1))
def test_image_and_vector_are_inverse(grid: PixelGrid, seed: int) -> None:
    vector = np.random.default_rng(seed).normal(size=(2, len(grid)))
    image = grid.as_image(vector)
    assert image.shape == (2, *grid.image_shape)
    assert np.array_equal(grid.as_vector(image), vector)
    assert np.isnan(image[:, ~grid.measured]).all()
    assert int(grid.measured.sum()) == len(grid)


@given(grids())
def test_index_at_finds_every_spectrum(grid: PixelGrid) -> None:
    for i in range(len(grid)):
        assert grid.index_at(grid.rows[i], grid.columns[i], grid.planes[i]) == i
    assert grid.index_at(-1, 0) is None
    assert grid.index_at(0, grid.shape[1]) is None
    assert grid.index_at(0, 0, grid.n_planes) is None


def test_of_duplicates_the_first_wins() -> None:
    grid = PixelGrid(np.array([0, 0, 0]), np.array([1, 1, 0]), (1, 2))
    assert grid.n_duplicates == 1
    assert grid.index_at(0, 1) == 0
    assert grid.as_image(np.array([5.0, 6.0, 7.0])).tolist() == [[7, 5]]
    assert grid.as_vector(np.array([[7.0, 5.0]])).tolist() == [5, 5, 7]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(SlideError, match="outside"):
        PixelGrid(np.array([2]), np.array([0]), (2, 2))
    with pytest.raises(SlideError, match="negative"):
        PixelGrid(np.array([-1]), np.array([0]), (2, 2))
    with pytest.raises(SlideError, match="one entry"):
        PixelGrid(np.array([0, 1]), np.array([0]), (2, 2))
    grid = PixelGrid(np.array([0]), np.array([0]), (1, 1))
    with pytest.raises(SlideError, match="2 values for 1 spectra"):
        grid.as_image(np.zeros(2))
    with pytest.raises(SlideError, match="on a slide of"):
        grid.as_vector(np.zeros((2, 2)))


def test_integer_vectors_keep_their_type_with_a_fill() -> None:
    grid = PixelGrid(np.array([0]), np.array([1]), (1, 2))
    image = grid.as_image(np.array([3], np.uint8), fill=0)
    assert image.dtype == np.uint8
    assert image.tolist() == [[0, 3]]
