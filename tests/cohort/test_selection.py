from __future__ import annotations

from pathlib import Path

import pytest

from napari_ims_tumor.cohort.selection import select_slides
from napari_ims_tumor.cohort.table import CohortSlide
from napari_ims_tumor.errors import CohortError

SLIDES = tuple(
    CohortSlide(Path(f"study/{name}.imzML"), Path("labels.npy"))
    for name in ("a", "b", "c-d", "4", "e f", "g", "h", "i")
)


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (None, ["a", "b", "c-d", "4", "e f", "g", "h", "i"]),
        ("1-3,7", ["a", "b", "c-d", "h"]),
        ("7, 1-3", ["a", "b", "c-d", "h"]),
        ("2–3", ["b", "c-d"]),
        ("8", ["i"]),
        ("c-d,e f", ["c-d", "e f"]),
        ("4", ["4"]),
        ("1,1,a", ["a"]),
    ],
)
def test_rows_ranges_and_names(wanted: str | None, names: list[str]) -> None:
    assert [slide.name for slide in select_slides(SLIDES, wanted)] == names


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("9", "no slide 9: the cohort lists 8"),
        ("5-12", "no slide 12: the cohort lists 8"),
        ("0-3", "count from 1"),
        ("3-1", "no range"),
        ("zebra", "no slide 'zebra'; its slides are a, b"),
        (" , ", "no slide is named"),
        ("-1", "no slide '-1'"),
    ],
)
def test_slides_that_do_not_exist_are_refused(wanted: str, words: str) -> None:
    with pytest.raises(CohortError, match=words):
        select_slides(SLIDES, wanted)


def test_slides_of_one_name_are_told_apart_by_their_folders() -> None:
    twins = tuple(CohortSlide(Path(f"{who}/slide.imzML"), Path("x.npy")) for who in ("ann", "ben"))
    assert select_slides(twins, "ben/slide") == twins[1:]
    assert select_slides(twins, "slide") == twins
