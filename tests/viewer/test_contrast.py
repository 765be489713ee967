from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from napari_ims_tumor.viewer.contrast import contrast_limits, contrast_range


def test_hot_pixels_do_not_darken_the_rest():
    image = np.linspace(0, 1, 1000).reshape(20, 50)
    image[0, 0] = 1e9
    assert contrast_limits(image)[1] < 1.01
    assert contrast_range(image)[1] == 1e9


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (np.full((3, 3), np.nan), (0.0, 1.0)),
        (np.zeros((3, 3)), (0.0, 1.0)),
        (np.full((3, 3), 7.0), (0.0, 14.0)),
        (np.full((3, 3), -7.0), (-14.0, 1.0)),
        (np.array([[7.0, 7.0001]]), (0.0, 14.0002)),
        (np.array([np.nan, 1.0, np.inf, 3.0]), (1.01, 2.99)),
        (np.array([0.0] + [7.0] * 999), (0.0, 14.0)),
        (np.array([0.0] * 999 + [5.0]), (0.0, 5.0)),
    ],
)
def test_degenerate_images(image, expected):
    assert contrast_limits(image) == pytest.approx(expected)


@given(
    arrays.arrays(
        np.float32, (5, 5), elements=st.floats(width=32, min_value=-(2.0**60), max_value=2.0**60)
    )
)
def test_limits_always_ascend_inside_their_range(image):
    low, high = contrast_limits(image)
    bottom, top = contrast_range(image)
    assert bottom <= low < high <= top
