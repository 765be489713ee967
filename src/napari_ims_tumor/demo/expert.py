"""Somebody who knows the truth of a slide and paints a few short strokes of it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from napari_ims_tumor.msi.arrays import BoolArray, IntArray, LabelArray

Pixel = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Stroke:
    """A straight stroke along one row.

    Attributes
    ----------
    value
        The class painted.
    path
        Its pixels, from left to right.
    group
        The core or patient it lies in.
    """

    value: int
    path: tuple[Pixel, ...]
    group: int


def choose_strokes(
    truth: LabelArray, groups: IntArray, n_per_class: int, length: int, seed: int = 0
) -> tuple[Stroke, ...]:
    """Choose short strokes of each class in as many different groups as there are.

    Parameters
    ----------
    truth
        Shape (rows, columns): class of every pixel, 0 where nobody knows.
    groups
        Shape (rows, columns): core or patient of every pixel.
    n_per_class
        Strokes of each class; fewer where the truth has no more groups of that class.
    length
        Pixels in a stroke.
    seed
        Chooses among the places where such a stroke fits.

    Returns
    -------
    tuple of Stroke
        No two in one group, as far as groups suffice.
    """
    rng = np.random.default_rng(seed)
    used: set[int] = set()
    strokes: list[Stroke] = []
    values = [int(v) for v in np.unique(truth) if v]
    # The class found in the fewest groups chooses first: the other has more to choose from.
    values.sort(key=lambda value: np.unique(groups[truth == value]).size)
    for value in values:
        owners = [int(g) for g in rng.permutation(np.unique(groups[truth == value]))]
        owners.sort(key=lambda group: group in used)
        found = (_stroke_in(truth, groups, value, group, length, rng) for group in owners)
        made = list(itertools.islice(filter(None, found), n_per_class))
        used.update(stroke.group for stroke in made)
        strokes += made
    return tuple(strokes)


def choose_pairs(
    truth: LabelArray, groups: IntArray, n_groups: int, length: int, seed: int = 0
) -> tuple[Stroke, ...]:
    """Choose one stroke of each class in a few groups that hold every class.

    Within one patient, two strokes differ by their class and not by the patient: this teaches more
    than as many strokes in different patients.
    """
    rng = np.random.default_rng(seed)
    values = [int(v) for v in np.unique(truth) if v]
    strokes: list[Stroke] = []
    for group in rng.permutation(np.unique(groups[truth > 0])):
        made = [_stroke_in(truth, groups, value, int(group), length, rng) for value in values]
        whole = [stroke for stroke in made if stroke is not None]
        if len(whole) == len(values) and len(strokes) < n_groups * len(values):
            strokes += whole
    return tuple(strokes)


def painted(strokes: tuple[Stroke, ...], shape: tuple[int, ...]) -> LabelArray:
    """Draw strokes as the label image that painting them must give."""
    labels = np.zeros(shape, np.uint8)
    for stroke in strokes:
        for pixel in stroke.path:
            labels[pixel] = stroke.value
    return labels


def _stroke_in(
    truth: LabelArray,
    groups: IntArray,
    value: int,
    group: int,
    length: int,
    rng: np.random.Generator,
) -> Stroke | None:
    starts = _starts((truth == value) & (groups == group), length)
    if not starts:
        return None
    row, column = starts[rng.integers(len(starts))]
    return Stroke(value, tuple((row, column + step) for step in range(length)), group)


def _starts(inside: BoolArray, length: int) -> list[Pixel]:
    """Find the left ends of all horizontal runs of ``length`` pixels."""
    if inside.shape[1] < length:
        return []
    windows = np.lib.stride_tricks.sliding_window_view(inside, length, axis=1)
    return [(int(row), int(column)) for row, column in np.argwhere(windows.all(axis=-1))]
