"""Contrast limits that show the tissue: percentiles of what was measured; the data stays raw."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.msi.arrays import FloatArray

PERCENTILES: Final = (0.5, 99.5)
CHANNEL_PERCENTILE: Final = 99.0
"""Of a color among three: what lies above is as bright as it gets."""
_CONSTANT: Final = 1e-3
"""An image whose values differ by less, relative to the largest, counts as constant."""
_SAMPLED: Final = 1 << 16
"""Pixels that percentiles are taken of: more would hold a step of the slider up for nothing."""


def contrast_limits(image: NDArray[Any], clip: bool = True) -> tuple[float, float]:
    """Choose the two values between which an image is drawn.

    A few hot or dead pixels must not take all the contrast, so both limits are percentiles; where
    nearly all pixels are equal the upper limit is the maximum.

    Parameters
    ----------
    image
        Any shape; pixels that are not finite do not count.
    clip
        ``False`` draws hot spots in full: the limits are the lowest and the highest value.

    Returns
    -------
    tuple of float
        (low, high) with low < high, also for a constant or an empty image.
    """
    return _limits(image[np.isfinite(image)], PERCENTILES if clip else (0.0, 100.0))


def channel_limits(image: NDArray[Any], clip: bool = True) -> tuple[float, float]:
    """Choose the limits of a color among three: from zero, so that nothing found is black."""
    finite = image[np.isfinite(image)]
    _, high = _limits(finite, (0.0, CHANNEL_PERCENTILE if clip else 100.0))
    return min(0.0, float(finite.min(initial=0.0))), high


def contrast_range(image: NDArray[Any]) -> tuple[float, float]:
    """Choose the ends of napari's contrast slider: zero (or below) to the brightest pixel."""
    finite = image[np.isfinite(image)]
    return _range(finite, _limits(finite, PERCENTILES))


def limits_and_range(
    image: NDArray[Any], clip: bool = True
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Choose :func:`contrast_limits` and :func:`contrast_range` at once, at every slider step."""
    finite = image[np.isfinite(image)]
    limits = _limits(finite, PERCENTILES if clip else (0.0, 100.0))
    return limits, _range(finite, limits)


def _limits(finite: FloatArray, percentiles: tuple[float, float]) -> tuple[float, float]:
    if finite.size == 0:
        return 0.0, 1.0
    low, high = _percentiles(finite, percentiles)
    if not low < high:
        high = float(finite.max())
    if high - low <= _CONSTANT * abs(high):
        # Mid-gray: noise of the last digit must not look like tissue, nor the tissue like a lamp.
        return min(0.0, 2 * low), max(0.0, 2 * high) or 1.0
    return low, high


def _percentiles(finite: FloatArray, percentiles: tuple[float, float]) -> tuple[float, float]:
    if percentiles == (0.0, 100.0):
        return float(finite.min()), float(finite.max())
    # Every k-th pixel, k odd: rows mostly have an even length, and are met at all columns then.
    step = (finite.size // _SAMPLED) | 1
    low, high = np.percentile(finite[::step], percentiles)
    return float(low), float(high)


def _range(finite: FloatArray, limits: tuple[float, float]) -> tuple[float, float]:
    low, high = limits
    if finite.size == 0:
        return low, high
    return min(0.0, low), max(high, float(finite.max()))
