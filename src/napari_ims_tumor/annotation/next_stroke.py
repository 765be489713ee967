"""Where the next stroke teaches most: the largest unsure piece that nobody painted on."""

from __future__ import annotations

from typing import Final

import numpy as np

from napari_ims_tumor.annotation.regions import connected_pieces
from napari_ims_tumor.msi.arrays import BoolArray, Float64Array, FloatArray, LabelArray

SHARE: Final = 0.1
"""Pixels that count as unsure: the most uncertain tenth of those not painted on, as far as they are
at least half as uncertain as the most uncertain of all."""


def most_uncertain_pixel(uncertainty: FloatArray, labels: LabelArray) -> tuple[int, ...] | None:
    """Find a pixel in the middle of the largest uncertain piece without strokes.

    Parameters
    ----------
    uncertainty
        Shape of the slide's images, NaN where nothing was measured.
    labels
        The same shape, 0 unlabelled: a piece that holds a stroke is left out.

    Returns
    -------
    tuple of int or None
        The pixel's index; ``None`` where nothing is uncertain.
    """
    open_pixels = np.isfinite(uncertainty) & (uncertainty > 0) & (labels == 0)
    if not open_pixels.any():
        return None
    values = uncertainty[open_pixels]
    # On a slide that is nearly all sure, a tenth of the pixels would reach into what is sure.
    least = max(float(np.quantile(values, 1 - SHARE)), float(values.max()) / 2)
    pieces = connected_pieces(np.isfinite(uncertainty) & (uncertainty >= least))
    pieces[np.isin(pieces, np.unique(pieces[labels > 0]))] = 0
    weights = np.bincount(pieces.ravel(), np.nan_to_num(uncertainty).ravel())
    weights[0] = 0.0
    return _middle_of(pieces == int(weights.argmax())) if weights.any() else None


def _middle_of(piece: BoolArray) -> tuple[int, ...]:
    """Find the pixel of a piece that is nearest to the piece's center."""
    places: Float64Array = np.argwhere(piece).astype(np.float64)
    nearest = int(((places - places.mean(axis=0)) ** 2).sum(axis=1).argmin())
    return tuple(int(value) for value in places[nearest])
