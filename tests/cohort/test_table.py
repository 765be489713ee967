from __future__ import annotations

from pathlib import Path

import pytest

from napari_ims_tumor.cohort.table import read_cohort
from napari_ims_tumor.errors import CohortError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    for name in ("a.imzML", "a.npy", "g.npy"):
        (tmp_path / "data" / name).touch()
    return tmp_path


def test_paths_are_relative_to_the_table_and_groups_are_names_or_images(folder: Path) -> None:
    table = folder / "cohort.csv"
    table.write_text(
        "Slide, labels ,groups\ndata/a.imzML,data/a.npy,Ms X\n"
        "data/a.imzML,data/a.npy,data/g.npy\ndata/a.imzML,data/a.npy,\n\n",
        encoding="utf-8-sig",
    )
    first, second, third = read_cohort(table)
    assert first.slide == folder / "data" / "a.imzML"
    assert (first.groups, third.groups) == ("Ms X", None)
    assert second.groups == folder / "data" / "g.npy"
    assert first.name == "a"


def test_semicolons_of_european_spreadsheets(folder: Path) -> None:
    table = folder / "cohort.csv"
    table.write_text("slide;labels\ndata/a.imzML;data/a.npy\n")
    assert len(read_cohort(table)) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no column labels or slide"),
        ("slide,groups\na,b\n", "no column labels"),
        ("slide,labels\n", "lists no slide"),
        ("slide,labels\ndata/a.imzML,\n", "line 2: the column labels is empty"),
        ("slide,labels\ndata/b.imzML,data/a.npy\n", "line 2: there is no file data/b.imzML"),
        ("slide,labels,groups\ndata/a.imzML,data/a.npy,x.npy\n", "no file x.npy"),
    ],
)
def test_what_is_wrong_is_named(folder: Path, text: str, words: str) -> None:
    (folder / "cohort.csv").write_text(text)
    with pytest.raises(CohortError, match=words):
        read_cohort(folder / "cohort.csv")


def test_a_missing_or_binary_table(folder: Path) -> None:
    with pytest.raises(CohortError, match="cannot be read"):
        read_cohort(folder / "none.csv")
    (folder / "cohort.csv").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(CohortError):
        read_cohort(folder / "cohort.csv")
