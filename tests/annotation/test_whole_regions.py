from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.annotation.regions import annotation_groups
from napari_ims_tumor.annotation.whole_regions import (
    BY_HAND,
    class_values,
    evenly_fewer,
    is_rough,
    joined,
    region_at,
    region_numbers,
    said_roughly,
    strokes_only,
    with_region,
)
from napari_ims_tumor.errors import LabelsError
from napari_ims_tumor.msi.pixel_grid import PixelGrid

LABELS = arrays(np.uint8, (5, 6), elements=st.sampled_from([0, 1, 2, 129, 130]))


@given(LABELS, arrays(np.bool_, (5, 6)), st.sampled_from([0, 1, 2]))
def test_what_is_said_of_a_region_never_touches_a_stroke(labels, inside, value) -> None:  # type: ignore[no-untyped-def]
    said = with_region(labels, inside, value)
    assert np.array_equal(strokes_only(said), strokes_only(labels))
    assert np.array_equal(said[~inside], labels[~inside])
    free = inside & (strokes_only(labels) == 0)
    assert (class_values(said)[free] == value).all()
    assert (is_rough(said)[free] == (value > 0)).all()


@given(LABELS, LABELS)
def test_strokes_win_over_regions_when_joined(strokes, regions) -> None:  # type: ignore[no-untyped-def]
    strokes = strokes_only(strokes)
    found = joined(strokes, regions)
    assert np.array_equal(strokes_only(found), strokes)
    open_pixels = strokes == 0
    assert np.array_equal(found[open_pixels], said_roughly(regions)[open_pixels])


def test_a_stroke_across_a_region_does_not_cut_it_in_two() -> None:
    labels = np.full((3, 5), 130, np.uint8)
    labels[:, 2] = 1
    numbers = region_numbers(labels, np.ones((3, 5), bool))
    assert set(numbers[:, [0, 1, 3, 4]].ravel().tolist()) == {0}
    assert (numbers[:, 2] == BY_HAND).all()


def test_regions_of_two_classes_or_apart_are_two() -> None:
    labels = np.array([[130, 130, 129, 0, 130]], np.uint8)
    numbers = region_numbers(labels, np.ones((1, 5), bool))[0].tolist()
    assert numbers[0] == numbers[1] != numbers[4]
    assert len({numbers[0], numbers[2], numbers[4]}) == 3
    assert numbers[3] == BY_HAND


def test_a_stroke_that_touches_a_region_is_held_out_with_it() -> None:
    labels = np.zeros((4, 9), np.uint8)
    labels[:, :4], labels[1, 2], labels[1, 8] = 130, 1, 1
    found = annotation_groups(labels, np.ones((4, 9), bool)).image
    assert found[1, 2] == found[0, 0]
    assert found[1, 8] not in (0, found[0, 0])


def test_the_region_around_a_pixel_is_its_piece_of_tissue() -> None:
    measured = np.ones((3, 7), bool)
    measured[:, 3] = False
    assert np.array_equal(region_at(measured, (0, 1)), measured & (np.arange(7) < 3))
    assert not region_at(measured, (0, 3)).any()


def test_large_regions_are_thinned_evenly_and_strokes_never() -> None:
    regions = np.array([0] * 100 + [BY_HAND] * 50 + [1] * 5)
    chosen = evenly_fewer(regions, 10)
    assert chosen[:100].sum() == 10
    assert chosen[0]
    assert chosen[99]
    assert chosen[100:].all()


def test_counts_tell_strokes_from_regions_and_unknown_values_are_refused() -> None:
    labels = np.array([[1, 130, 130], [2, 0, 129]], np.uint8)
    rows, columns = (a.ravel() for a in np.mgrid[:2, :3])
    pixels, annotation = PixelGrid(rows, columns, (2, 3)), Annotation(labels)
    assert annotation.counts(pixels) == {"healthy": 2, "tumor": 3}
    assert annotation.counts_by_hand(pixels) == {"healthy": 1, "tumor": 1}
    with pytest.raises(LabelsError, match="unknown value 131"):
        Annotation(np.array([[131]], np.uint8))
    with pytest.raises(LabelsError, match="unknown value 128"):
        Annotation(np.array([[128]], np.uint8))
