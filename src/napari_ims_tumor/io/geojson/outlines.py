"""Outlines of label images: rings that run along the edges of pixels, exactly.

Each connected piece of a class becomes one polygon with its holes. Pieces that touch at corners
only are polygons of their own (a ring must not cross itself) but belong to one stroke.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label as connected_components

from napari_ims_tumor.annotation.regions import strokes
from napari_ims_tumor.msi.arrays import Float64Array, IntArray, LabelArray

Ring: TypeAlias = Float64Array
"""Shape (n, 2): (row, column) of its corners, first = last; whole numbers are centers."""
Polygon: TypeAlias = list[Ring]
"""The outer ring, then the holes."""

# A ring keeps its pixel on the right hand: along the top it runs to the right, and so on round.
_AHEAD: Final = np.array([(0, 1), (1, 0), (0, -1), (-1, 0)])
_LEFT: Final = np.array([(-1, 0), (0, 1), (1, 0), (0, -1)])
_START: Final = np.array([(0, 0), (0, 1), (1, 1), (1, 0)])
"""Where the edge of a pixel begins, from the pixel's upper left corner."""


@dataclass(frozen=True, eq=False)
class Stroke:
    """A connected region of one class in one plane, its polygons in reading order."""

    value: int
    plane: int
    polygons: tuple[Polygon, ...]


def outlines(labels: LabelArray) -> Iterator[Stroke]:
    """Outline every stroke of a label image, in reading order of each plane.

    Parameters
    ----------
    labels
        Shape (rows, columns) or (planes, rows, columns), 0 unlabelled.
    """
    planes = np.asarray(labels).reshape((-1, *labels.shape[-2:]))
    for number, plane in enumerate(planes):
        yield from _plane_outlines(plane, number)


def _plane_outlines(plane: LabelArray, number: int) -> Iterator[Stroke]:
    pieces = np.asarray(connected_components(plane, background=0, connectivity=1), np.int64)
    if not pieces.any():
        return
    stroke_of_pixel = strokes(plane).ravel()
    first = _first_pixels(pieces)
    of_stroke: dict[int, list[Polygon]] = {}
    for polygon, pixel in zip(_polygons(pieces), first, strict=True):
        of_stroke.setdefault(int(stroke_of_pixel[pixel]), []).append(polygon)
    value = dict(zip(stroke_of_pixel[first].tolist(), plane.ravel()[first].tolist(), strict=True))
    for stroke, polygons in of_stroke.items():
        yield Stroke(value[stroke], number, tuple(polygons))


def _first_pixels(pieces: IntArray) -> IntArray:
    """Flat position of each piece's first pixel, in the order of their numbers."""
    numbers, first = np.unique(pieces, return_index=True)
    return first[numbers > 0].astype(np.int64)


def _polygons(pieces: IntArray) -> list[Polygon]:
    """One polygon per piece, in the order of their numbers."""
    padded = np.pad(pieces, 1)
    pixel, direction = _edges(padded)
    following = _following(padded, pixel, direction)
    owners = padded.ravel()[pixel].tolist()
    corners = _corners(pixel, direction, padded.shape[1])
    found: list[Polygon] = [[] for _ in range(int(pieces.max()))]
    # In reading order a piece's first edge is the top of its first pixel, on its outer ring.
    for start, edges in _cycles(following):
        turns = edges[direction[edges] != direction[np.roll(edges, 1)]]
        ring = corners[np.concatenate([turns, turns[:1]])]
        found[owners[start] - 1].append(ring)
    return found


def _edges(padded: IntArray) -> tuple[IntArray, IntArray]:
    """All edges between a piece and what is not of it: flat pixel and direction, pixel by pixel."""
    width = padded.shape[1]
    inside = np.flatnonzero(padded.ravel())
    values = padded.ravel()[inside]
    left = _LEFT @ (width, 1)
    is_edge = np.stack([padded.ravel()[inside + step] != values for step in left], axis=1)
    which, direction = np.nonzero(is_edge)
    return inside[which], direction.astype(np.int64)


def _following(padded: IntArray, pixel: IntArray, direction: IntArray) -> IntArray:
    """For each edge the next one of its ring.

    Where two pixels of a piece touch at a corner, the ring stays with the same background: it then
    passes no corner twice, and outer ring and hole only touch.
    """
    width, flat = padded.shape[1], padded.ravel()
    ahead = pixel + (_AHEAD @ (width, 1))[direction]
    beside = ahead + (_LEFT @ (width, 1))[direction]
    turns_left = flat[beside] == flat[pixel]
    goes_on = flat[ahead] == flat[pixel]
    next_pixel = np.where(turns_left, beside, np.where(goes_on, ahead, pixel))
    turn = np.where(turns_left, 3, np.where(goes_on, 0, 1))
    number: NDArray[Any] = np.full(4 * flat.size, -1, np.int64)
    number[4 * pixel + direction] = np.arange(pixel.size)
    return number[4 * next_pixel + (direction + turn) % 4].astype(np.int64)


def _corners(pixel: IntArray, direction: IntArray, width: int) -> Float64Array:
    """Where each edge begins: (row, column), half a pixel before the first center."""
    # The frame of one pixel around the image counts for 1, half a pixel for 0.5.
    at = np.stack(np.divmod(pixel, width), axis=1) - 1.5
    corners: Float64Array = at + _START[direction]
    return corners


def _cycles(following: IntArray) -> Iterator[tuple[int, IntArray]]:
    """Follow the edges round: the first edge of each ring, and all of them in order."""
    nexts = following.tolist()
    seen = bytearray(len(nexts))
    for start in range(len(nexts)):
        if seen[start]:
            continue
        ring = []
        edge = start
        while not seen[edge]:
            seen[edge] = 1
            ring.append(edge)
            edge = nexts[edge]
        yield start, np.array(ring, np.int64)
