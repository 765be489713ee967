"""The one conversion between pixels and the coordinates of a GeoJSON file."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ims_tumor.errors import LabelsError
from napari_ims_tumor.io.geojson import Placement

number = st.floats(-1e3, 1e3)


def test_a_pixel_covers_a_unit_square_and_its_center_is_a_whole_number_here():
    place = Placement()
    # Pixel of row 2, column 5: x from 5 to 6, y from 2 to 3.
    assert place.to_pixels([[5.5, 2.5]]).tolist() == [[2.0, 5.0]]
    assert place.to_pixels([[5, 2], [6, 3]]).tolist() == [[1.5, 4.5], [2.5, 5.5]]
    assert place.from_pixels([[1.5, 4.5]]).tolist() == [[5.0, 2.0]]


def test_a_finer_image_is_scaled_from_the_corner_of_the_first_pixel():
    place = Placement.scaled(20)
    assert place.to_pixels([[0, 0], [20, 40]]).tolist() == [[-0.5, -0.5], [1.5, 0.5]]
    assert place.from_pixels([[1.5, 0.5]]).tolist() == [[20.0, 40.0]]


def test_an_affine_shifts_and_turns():
    # The annotated image is the slide turned by a quarter, its corner at (7, 3).
    place = Placement((0, 1, 7, -1, 0, 3))
    assert place.to_pixels([[2, 1]]).tolist() == [[3 - 2 - 0.5, 1 + 7 - 0.5]]


@given(st.tuples(*[number] * 6), st.lists(st.tuples(number, number), min_size=1, max_size=5))
def test_there_and_back(affine, points):
    a, b, _, c, d, _ = affine
    if abs(a * d - b * c) < 1:
        return
    place = Placement(affine)
    assert np.allclose(place.to_pixels(place.from_pixels(points)), points, atol=1e-6)


@pytest.mark.parametrize("scale", [0, -1, float("nan"), float("inf"), 1e-300])
def test_scales_that_are_none_are_refused(scale):
    with pytest.raises(LabelsError):
        Placement.scaled(scale)


def test_a_transformation_that_squashes_areas_is_refused():
    with pytest.raises(LabelsError, match="area into an area"):
        Placement((1, 2, 0, 2, 4, 0))
