from __future__ import annotations

import numpy as np
import pytest

from napari_ims_tumor.annotation.regions import annotation_groups, strokes, tissue_regions
from napari_ims_tumor.errors import LabelsError


def test_diagonal_neighbors_are_one_stroke_and_classes_are_not_mixed() -> None:
    labels = np.array([[1, 0, 0, 2], [0, 1, 2, 0], [0, 0, 0, 0], [1, 1, 0, 2]])
    found = strokes(labels)
    assert found[0, 0] == found[1, 1] != 0
    assert found[0, 3] == found[1, 2] != found[1, 1]
    assert len({int(found[3, 0]), int(found[0, 0]), int(found[3, 3]), int(found[0, 3])}) == 4
    assert (found == 0).sum() == (labels == 0).sum()


def test_a_stroke_never_reaches_into_another_plane() -> None:
    labels = np.ones((3, 2, 2), np.uint8)
    assert sorted(np.unique(strokes(labels)).tolist()) == [1, 2, 3]


def test_labels_on_several_pieces_of_tissue_are_grouped_by_piece() -> None:
    measured = np.ones((4, 9), bool)
    measured[:, 4] = False
    labels = np.zeros((4, 9), np.uint8)
    labels[0, 0], labels[3, 3], labels[1, 6] = 1, 2, 2
    found = annotation_groups(labels, measured)
    assert found.kind == "region"
    assert found.image[0, 0] == found.image[3, 3] != found.image[1, 6]


def test_on_one_piece_of_tissue_strokes_are_the_groups() -> None:
    labels = np.zeros((4, 9), np.uint8)
    labels[0, 0], labels[3, 3], labels[1, 6] = 1, 2, 2
    found = annotation_groups(labels, np.ones((4, 9), bool))
    assert found.kind == "stroke"
    assert np.unique(found.image[labels > 0]).size == 3


def test_labels_where_nothing_was_measured_belong_to_no_group() -> None:
    measured = np.zeros((2, 3), bool)
    measured[0] = True
    found = annotation_groups(np.full((2, 3), 1, np.uint8), measured)
    assert (found.image[1] == 0).all()
    assert (found.image[0] > 0).all()


def test_tissue_regions_of_nothing() -> None:
    assert tissue_regions(np.zeros((3, 3), bool)).max() == 0


def test_shapes_that_differ_are_named() -> None:
    with pytest.raises(LabelsError, match=r"\(2, 2\).*\(3, 3\)"):
        annotation_groups(np.zeros((2, 2), np.uint8), np.ones((3, 3), bool))
