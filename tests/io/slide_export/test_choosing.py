"""Which pixels are meant, and the sentence where none is."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from tests.io.slide_export.conftest import COLUMNS, MISSING, ROWS, continuous, labels

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.errors import ImsTumorError, LabelsError, QueryError
from napari_ims_tumor.io.slide_export.choosing import PixelChoice, choose_pixels, parse_span


def chosen(**choice: object) -> np.ndarray:
    """The chosen pixels as an image."""
    slide = continuous()
    vector = np.zeros(slide.n_spectra, bool)
    vector[choose_pixels(slide, PixelChoice(**choice)).indices] = True
    return slide.pixels.as_image(vector, False)


def measured() -> np.ndarray:
    image = np.ones((ROWS, COLUMNS), bool)
    image[MISSING] = False
    return image


def test_all_measured_pixels_by_default():
    assert np.array_equal(chosen(), measured())


@pytest.mark.parametrize("given", ["array", "annotation", "file"])
def test_by_labels(tmp_path, given):
    made = {"array": labels(), "annotation": Annotation(labels()), "file": tmp_path / "l.npy"}
    np.save(tmp_path / "l.npy", labels())
    assert np.array_equal(chosen(labels=made[given]), labels() > 0)
    for classes, value in ((("tumor",), 2), (("Healthy",), 1), (("2",), 2)):
        assert np.array_equal(chosen(labels=made[given], classes=classes), labels() == value)


def test_by_a_mask_image_of_any_value(tmp_path):
    mask = np.zeros((ROWS, COLUMNS), np.uint8)
    mask[1:3, 2:5] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    expected = (mask > 0) & measured()
    assert np.array_equal(chosen(mask=tmp_path / "mask.png"), expected)
    assert np.array_equal(chosen(mask=mask > 0), expected)


def test_by_groups():
    cores = np.repeat([[1, 1, 2, 2, 0, 7]], ROWS, axis=0)
    assert np.array_equal(chosen(groups=cores), (cores > 0) & measured())
    assert np.array_equal(chosen(groups=cores, numbers=(2, 7)), (cores >= 2) & measured())


def test_by_a_rectangle_with_both_ends():
    image = chosen(rows=(1, 2), columns=(2, 2))
    assert np.argwhere(image).tolist() == [[1, 2], [2, 2]]


def test_together_they_narrow_the_choice():
    assert np.argwhere(chosen(labels=labels(), rows=(0, 0), columns=(1, 9))).tolist() == [
        [0, 1], [0, 2],
    ]  # fmt: skip


def test_by_a_section_of_a_stack():
    slide = continuous(planes=3)
    indices = choose_pixels(slide, PixelChoice(planes=(1, 1), rows=(0, 0))).indices
    assert set(slide.pixels.planes[indices].tolist()) == {1}
    assert indices.size == COLUMNS


def test_pieces_of_tissue_are_numbered_from_1():
    assert np.array_equal(chosen(regions=(1,)), measured())
    with pytest.raises(QueryError, match="there is no region 2: there are 1"):
        chosen(regions=(2,))


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"labels": np.zeros((ROWS, COLUMNS), np.uint8)}, "no measured pixel of a is chosen"),
        ({"labels": labels(), "rows": (1, 2)}, r"\(labelled healthy or tumor, rows 1 to 2\)"),
        ({"labels": labels(), "classes": ("stroma",)}, "no class 'stroma': use healthy, tumor"),
        ({"labels": np.zeros((2, 2), np.uint8)}, r"labels of \(2, 2\) on a slide of \(4, 6\)"),
        ({"classes": ("tumor",)}, "no labels are given"),
        ({"numbers": (1,)}, "no image of groups is given"),
        ({"groups": labels(), "numbers": (9,)}, "there is no group 9: there are 1, 2"),
        ({"rows": (4, 9)}, "this slide has rows 0 to 3"),
        ({"mask": np.zeros((ROWS, COLUMNS))}, "give whole numbers of shape"),
    ],
)
def test_what_cannot_be_chosen_is_said_in_one_sentence(choice, message):
    with pytest.raises(ImsTumorError, match=message):
        chosen(**choice)


def test_outlines_are_no_mask(tmp_path):
    with pytest.raises(LabelsError, match="outlines can only be labels"):
        chosen(mask=tmp_path / "a.geojson")


def test_spans_are_read():
    assert parse_span("10-19", "rows") == (10, 19)
    assert parse_span(" 7 ", "rows") == (7, 7)
    for text in ("", "a", "5-", "-5", "1-2-3"):
        with pytest.raises(QueryError, match="like 10-19"):
            parse_span(text, "rows")
    with pytest.raises(QueryError, match="the first is behind the last"):
        parse_span("9-3", "rows")
