"""Which pixels a polygon covers: those whose center lies inside.

Rows are crossed by the edges of the polygon, and a pixel is inside after an odd number of
crossings. A center exactly on an outline belongs to the polygon on its right, or below: polygons
that share an edge share every pixel out without a gap and without an overlap.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_ims_tumor.msi.arrays import BoolArray, Float64Array

Box = tuple[slice, slice]


def covered_pixels(
    rings: Sequence[Float64Array], shape: tuple[int, int]
) -> tuple[Box, BoolArray] | None:
    """Find the pixels of an image that a polygon covers.

    Parameters
    ----------
    rings
        Outer ring and holes, each (n, 2): (row, column), whole numbers are centers, first = last.
    shape
        (rows, columns) of the image; the polygon may reach beyond.

    Returns
    -------
    tuple or None
        Where in the image, and which pixels there; ``None`` where the polygon covers no row or
        column of the image.
    """
    points = np.concatenate(rings)
    low = np.clip(np.ceil(points.min(axis=0)), 0, shape).astype(np.int64)
    high = np.clip(np.ceil(points.max(axis=0)), 0, shape).astype(np.int64)
    if (low >= high).any():
        return None
    row, column = _crossings(rings, int(low[0]), int(high[0]))
    first = np.clip(np.ceil(column), low[1], high[1]).astype(np.int64) - low[1]
    height, width = (high - low).tolist()
    # One column more: what is crossed right of the box inverts nothing inside it.
    crossed = np.bincount((row - low[0]) * (width + 1) + first, minlength=height * (width + 1))
    inside = np.cumsum(crossed.reshape(height, width + 1)[:, :width], axis=1) % 2 == 1
    return (slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))), inside


def _crossings(
    rings: Sequence[Float64Array], low: int, high: int
) -> tuple[Float64Array, Float64Array]:
    """Rows from ``low`` to before ``high`` that an edge crosses, and at which column each."""
    begin = np.concatenate([ring[:-1] for ring in rings])
    end = np.concatenate([ring[1:] for ring in rings])
    # Always from above: the same edge of two polygons gives the same numbers to the last bit.
    upward = end[:, 0] < begin[:, 0]
    top = np.where(upward[:, None], end, begin)
    bottom = np.where(upward[:, None], begin, end)
    first = np.clip(np.ceil(top[:, 0]), low, high).astype(np.int64)
    last = np.clip(np.ceil(bottom[:, 0]), low, high).astype(np.int64)
    count = last - first
    edge = np.repeat(np.arange(count.size), count)
    row = np.arange(edge.size) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    share = (row - top[edge, 0]) / (bottom[edge, 0] - top[edge, 0])
    column = top[edge, 1] + share * (bottom[edge, 1] - top[edge, 1])
    return row, column
