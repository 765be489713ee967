"""Strokes and tissue regions: the pieces of a label image that validation must not split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label as connected_components

from napari_ims_tumor.errors import LabelsError
from napari_ims_tumor.msi.arrays import BoolArray, IntArray, frozen

ROUGHLY: Final = 128
"""Added to a class value: the pixel lies in a region that is roughly of this class."""

GroupKind = Literal["stroke", "region", "group"]


@dataclass(frozen=True, eq=False)
class AnnotationGroups:
    """Which labelled pixels belong together.

    Attributes
    ----------
    image
        Shape of the slide's images, int64: 1, 2, … per group, 0 where nothing is labelled.
    kind
        ``"stroke"``, ``"region"`` (piece of tissue) or ``"group"`` (given by the user).
    """

    image: IntArray
    kind: GroupKind

    def __post_init__(self) -> None:
        object.__setattr__(self, "image", frozen(self.image, np.int64))


def strokes(labels: NDArray[Any]) -> IntArray:
    """Number the strokes: 8-connected pixels of one class.

    Parameters
    ----------
    labels
        Shape (rows, columns) or (planes, rows, columns), integer, 0 unlabelled. A stroke never
        reaches into another plane: sections of one stack need not be neighbors.

    Returns
    -------
    ndarray
        The same shape, int64: 0 unlabelled, else 1, 2, … in reading order.
    """
    return _components(np.asarray(labels).astype(np.int64))


def tissue_regions(measured: BoolArray) -> IntArray:
    """Number the pieces of tissue: 8-connected measured pixels, 0 where nothing was measured."""
    return connected_pieces(measured)


def connected_pieces(inside: BoolArray) -> IntArray:
    """Number the 8-connected pieces of a mask in each plane, 0 outside."""
    return _components(np.asarray(inside, bool).astype(np.int64))


def annotation_groups(labels: NDArray[Any], measured: BoolArray) -> AnnotationGroups:
    """Group labelled pixels so that no piece of tissue is on both sides of a validation.

    Pieces of tissue are the groups where labels lie in more than one of them (the cores of a tissue
    array); on one connected piece only strokes can be told apart.

    Parameters
    ----------
    labels
        Shape of the slide's images, integer, 0 unlabelled.
    measured
        The same shape: where there is a spectrum. Labels elsewhere belong to no group.
    """
    values = np.asarray(labels)
    if values.shape != np.shape(measured):
        raise LabelsError(f"labels of {values.shape} on a slide of {np.shape(measured)}")
    seen = np.where(measured, values, 0)
    regions = np.where(seen > 0, tissue_regions(measured), 0)
    if np.unique(regions[regions > 0]).size > 1:
        return AnnotationGroups(regions, "region")
    return AnnotationGroups(_strokes_and_what_they_lie_in(seen), "stroke")


def _strokes_and_what_they_lie_in(seen: NDArray[Any]) -> IntArray:
    """Number strokes; those that touch a roughly labelled region are one with it."""
    rough = seen > ROUGHLY
    if not rough.any():
        return strokes(seen)
    pieces = connected_pieces(seen > 0)
    with_region = np.isin(pieces, np.unique(pieces[rough])) & (seen > 0)
    apart = strokes(np.where(with_region, 0, seen))
    return np.where(with_region, pieces + int(apart.max(initial=0)), apart)


def _components(values: IntArray) -> IntArray:
    """Connected pieces of equal value in each plane, numbered through."""
    planes = values.reshape((-1, *values.shape[-2:]))
    numbered: list[IntArray] = []
    count = 0
    for plane in planes:
        found = np.asarray(connected_components(plane, background=0, connectivity=2), np.int64)
        numbered.append(np.where(found > 0, found + count, 0))
        count = max(count, int(numbered[-1].max(initial=0)))
    return np.array(numbered, np.int64).reshape(values.shape)
