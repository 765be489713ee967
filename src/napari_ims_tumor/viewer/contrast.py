"""Contrast limits that show the tissue: percentiles of what was measured."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

PERCENTILES: Final = (0.5, 99.5)
_CONSTANT: Final = 1e-3
"""An image whose values differ by less, relative to the largest, counts as constant."""


def contrast_limits(image: NDArray[Any]) -> tuple[float, float]:
    """Choose the two values between which an image is drawn.

    A few hot or dead pixels must not take all the contrast, so both limits are percentiles; where
    nearly all pixels are equal the upper limit is the maximum.

    Parameters
    ----------
    image
        Any shape; pixels that are not finite do not count.

    Returns
    -------
    tuple of float
        (low, high) with low < high, also for a constant or an empty image.
    """
    finite = image[np.isfinite(image)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(finite, PERCENTILES))
    if not low < high:
        high = float(finite.max())
    if high - low <= _CONSTANT * abs(high):
        # Mid-gray: noise of the last digit must not look like tissue, nor the tissue like a lamp.
        return min(0.0, 2 * low), max(0.0, 2 * high) or 1.0
    return low, high


def contrast_range(image: NDArray[Any]) -> tuple[float, float]:
    """Choose the ends of napari's contrast slider: zero (or below) to the brightest pixel."""
    low, high = contrast_limits(image)
    finite = image[np.isfinite(image)]
    if finite.size == 0:
        return low, high
    return min(0.0, low), max(high, float(finite.max()))
