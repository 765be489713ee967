"""Whole regions, roughly: "this core is tumor", said of its pixels without looking at each.

A pixel says one thing: nothing, a class by hand (a stroke: certain), or a class roughly (its region
is mostly that). In a label image the latter is the class value plus 128, so that a
stroke inside a region replaces what the region said of its pixels, and no pixel says both.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.annotation.label_classes import ClassScheme
from napari_ims_tumor.annotation.regions import ROUGHLY, connected_pieces
from napari_ims_tumor.errors import LabelsError
from napari_ims_tumor.msi.arrays import BoolArray, IntArray, LabelArray

BY_HAND: Final = -1
"""Number of the region of a pixel that was labelled by hand."""


def is_rough(labels: NDArray[Any]) -> BoolArray:
    """Whether pixels are labelled as part of a whole region only."""
    rough: BoolArray = np.asarray(labels) > ROUGHLY
    return rough


def strokes_only(labels: LabelArray) -> LabelArray:
    """Leave out what is only roughly known: class values of strokes, else 0."""
    return np.where(is_rough(labels), 0, labels).astype(np.uint8)


def class_values(labels: NDArray[Any]) -> NDArray[np.uint8]:
    """Forget whether a label is certain or rough: class values, else 0."""
    values = np.asarray(labels)
    return np.where(is_rough(values), values - ROUGHLY, values).astype(np.uint8)


def said_roughly(labels: LabelArray) -> LabelArray:
    """Take every label as said of a region, not of each pixel."""
    values = class_values(labels)
    return np.where(values > 0, values + ROUGHLY, 0).astype(np.uint8)


def with_region(labels: LabelArray, inside: BoolArray, value: int) -> LabelArray:
    """Say of a region that it is roughly of a class; strokes inside it stay.

    Parameters
    ----------
    labels
        Label image.
    inside
        The region, in the same shape.
    value
        Class value, or 0: the region is no longer said to be anything.
    """
    if inside.shape != labels.shape:
        raise LabelsError(f"a region of {inside.shape} for labels of {labels.shape}")
    free = inside & ((labels == 0) | is_rough(labels))
    return np.where(free, value + ROUGHLY if value else 0, labels).astype(np.uint8)


def joined(strokes: LabelArray, regions: LabelArray) -> LabelArray:
    """Lay labels over regions: what is 0 in the first says roughly what the second says."""
    return np.where(strokes > 0, strokes, said_roughly(regions)).astype(np.uint8)


def region_at(measured: BoolArray, index: tuple[int, ...]) -> BoolArray:
    """Find the piece of tissue around a pixel: the measured pixels connected with it."""
    pieces = connected_pieces(measured)
    found: BoolArray = (pieces == pieces[index]) & measured
    return found


def region_numbers(labels: LabelArray, measured: BoolArray) -> IntArray:
    """Number the regions of a label image.

    A region is a connected piece that was roughly labelled with one class; strokes on it do not
    cut it in two.

    Parameters
    ----------
    labels, measured
        Images of one shape.

    Returns
    -------
    ndarray
        The same shape, int64: 0, 1, … where a region labels a pixel, else :data:`BY_HAND`.
    """
    numbers = np.full(labels.shape, BY_HAND, np.int64)
    by_hand = (labels > 0) & ~is_rough(labels)
    count = 0
    for value in np.unique(labels[is_rough(labels) & measured]):
        rough = (labels == value) & measured
        pieces = connected_pieces((rough | by_hand) & measured)
        _, own = np.unique(pieces[rough], return_inverse=True)
        numbers[rough] = own.reshape(-1) + count
        count += int(own.max()) + 1
    return numbers


def evenly_fewer(regions: IntArray, most: int) -> BoolArray:
    """Choose at most ``most`` pixels of each region, evenly spread in their order.

    Parameters
    ----------
    regions
        Shape (n,): as :func:`region_numbers` numbers them.

    Returns
    -------
    ndarray
        Shape (n,): True for those chosen, and for all pixels labelled by hand.
    """
    chosen: BoolArray = np.ones(regions.shape, np.bool_)
    for number in np.unique(regions[regions >= 0]):
        at = np.flatnonzero(regions == number)
        if at.size > most:
            chosen[at] = False
            chosen[at[np.linspace(0, at.size - 1, most).astype(np.int64)]] = True
    return chosen


def value_names(scheme: ClassScheme) -> dict[int, str]:
    """Label value → class in words; ``"tumor, roughly"`` for those of whole regions."""
    certain = {c.value: c.name for c in scheme.classes}
    return certain | {v + ROUGHLY: f"{name}, roughly" for v, name in certain.items()}


def value_colors(scheme: ClassScheme) -> dict[int, str]:
    """Label value → ``"#rrggbb"``; those of whole regions are lighter."""
    certain = {c.value: c.color for c in scheme.classes}
    return certain | {v + ROUGHLY: _lighter(color) for v, color in certain.items()}


def _lighter(color: str) -> str:
    """Half way to white."""
    parts = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{(part + 255) // 2:02x}" for part in parts)
