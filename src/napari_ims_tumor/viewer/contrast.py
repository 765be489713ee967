"""Contrast limits that show the tissue: percentiles of what was measured; the data stays raw."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.msi.arrays import FloatArray

PERCENTILES: Final = (0.5, 99.5)
CHANNEL_PERCENTILE: Final = 99.0
"""Of a color among three: what lies above is as bright as it gets."""
_CONSTANT: Final = 1e-3
"""An image whose values differ by less, relative to the largest, counts as constant."""
_ROOM: Final = 4.0
"""A range this many times as wide as needed is made anew."""
_SAMPLED: Final = 1 << 14
"""Pixels that percentiles are taken of: more would hold a step of the slider up for nothing. Of so
many, the 99.5th percentile lies within the 99.4th and the 99.6th of all."""


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
    return _limits(image, PERCENTILES if clip else (0.0, 100.0))


def channel_limits(image: NDArray[Any], clip: bool = True) -> tuple[float, float]:
    """Choose the limits of a color among three: from zero, so that nothing found is black."""
    low, high = _limits(image, (0.0, CHANNEL_PERCENTILE if clip else 100.0))
    return min(0.0, low), high


def contrast_range(
    image: NDArray[Any], limits: tuple[float, float] | None = None
) -> tuple[float, float]:
    """Choose the ends of napari's contrast slider: zero (or below) to the brightest pixel.

    Parameters
    ----------
    limits
        What the image is drawn between, if that is known.
    """
    low, high = contrast_limits(image) if limits is None else limits
    return min(0.0, low), max(high, _extremes(image)[1])


def draw_between(layer: Any, limits: tuple[float, float], whole: tuple[float, float]) -> None:
    """Draw a layer between two values, with a fitting range of napari's slider.

    Each change of the range costs as much as drawing: it stays while it is about right.
    """
    low, high = layer.contrast_limits_range
    fits = low <= whole[0] and whole[1] <= high and high - low <= _ROOM * (whole[1] - whole[0])
    if not fits:
        layer.contrast_limits_range = whole
    layer.contrast_limits = limits


def _limits(image: NDArray[Any], percentiles: tuple[float, float]) -> tuple[float, float]:
    sample = _sampled(image) if percentiles != (0.0, 100.0) else image[:0].ravel()
    if sample.size:
        low, high = (float(value) for value in np.percentile(sample, percentiles))
    else:
        low, high = _extremes(image)
    if not low < high:
        high = _extremes(image)[1]
    if not math.isfinite(low) or not math.isfinite(high):
        return 0.0, 1.0
    if high - low <= _CONSTANT * abs(high):
        # Mid-gray: noise of the last digit must not look like tissue, nor the tissue like a lamp.
        return min(0.0, 2 * low), max(0.0, 2 * high) or 1.0
    return low, high


def _sampled(image: NDArray[Any]) -> FloatArray:
    """Take the finite values of every k-th pixel."""
    # k is odd: rows mostly have an even length, and are met at all columns then.
    values = image.ravel()[:: (image.size // _SAMPLED) | 1]
    finite: FloatArray = values[np.isfinite(values)]
    return finite


def _extremes(image: NDArray[Any]) -> tuple[float, float]:
    """Find the lowest and the highest finite value; not finite where there is none."""
    low = float(np.fmin.reduce(image, axis=None, initial=np.inf))
    high = float(np.fmax.reduce(image, axis=None, initial=-np.inf))
    if image.size and (math.isinf(low) or math.isinf(high)):
        finite = image[np.isfinite(image)]
        return float(finite.min(initial=np.inf)), float(finite.max(initial=-np.inf))
    return low, high
