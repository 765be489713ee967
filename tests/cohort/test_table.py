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


@pytest.mark.parametrize(
    ("encoding", "delimiter"), [("utf-16", "\t"), ("cp1252", ";"), ("utf-8", "\t"), ("utf-8", ",")]
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_tables_as_spreadsheet_programs_write_them(
    folder: Path, encoding: str, delimiter: str, newline: str
) -> None:
    (folder / "Müller.npy").touch()
    lines = ["", "slide,labels,groups", "data/a.imzML,Müller.npy,Frau Müller", ",,", ""]
    text = newline.join(lines).replace(",", delimiter)
    (folder / "cohort.csv").write_bytes(text.encode(encoding))
    (slide,) = read_cohort(folder / "cohort.csv")
    assert slide.labels == folder / "Müller.npy"
    assert slide.groups == "Frau Müller"


def test_quoted_cells_hold_commas_and_a_short_row_leaves_the_groups_out(folder: Path) -> None:
    (folder / "a, b.npy").touch()
    text = 'slide,labels,groups,notes\ndata/a.imzML,"a, b.npy"\n'
    (folder / "cohort.csv").write_text(text)
    (slide,) = read_cohort(folder / "cohort.csv")
    assert slide.labels == folder / "a, b.npy"
    assert slide.groups is None


def test_the_line_that_is_named_is_the_line_of_the_file(folder: Path) -> None:
    text = "slide,labels\n\n\ndata/a.imzML,data/a.npy\n,\ndata/a.imzML,none.npy\n"
    (folder / "cohort.csv").write_text(text)
    with pytest.raises(CohortError, match=r"line 6: there is no file none\.npy"):
        read_cohort(folder / "cohort.csv")


def test_a_column_that_is_there_twice(folder: Path) -> None:
    (folder / "cohort.csv").write_text("slide,labels,Slide\na,b,c\n")
    with pytest.raises(CohortError, match="several columns slide"):
        read_cohort(folder / "cohort.csv")


def test_regions_are_a_class_of_the_whole_slide_or_a_label_file(folder: Path) -> None:
    table = folder / "cohort.csv"
    table.write_text(
        "slide,labels,groups,regions\ndata/a.imzML,,Ms X,tumor\n"
        "data/a.imzML,data/a.npy,Ms Y,data/g.npy\ndata/a.imzML,data/a.npy,Ms Z,\n"
    )
    first, second, third = read_cohort(table)
    assert (first.labels, first.regions) == (None, "tumor")
    assert second.regions == folder / "data" / "g.npy"
    assert third.regions is None
    table.write_text("slide,regions\ndata/a.imzML,tumor\n")
    assert read_cohort(table)[0].labels is None
    table.write_text("slide,labels,regions\ndata/a.imzML,,\n")
    with pytest.raises(CohortError, match="the column labels is empty"):
        read_cohort(table)


@pytest.mark.parametrize(
    "heading", ["group", "Patient", "patient_id", "CORES", "Case no.", "donor"]
)
def test_patients_under_another_heading_are_refused_and_not_passed_over(
    folder: Path, heading: str
) -> None:
    table = folder / "cohort.csv"
    table.write_text(f"slide,labels,{heading}\ndata/a.imzML,data/a.npy,Ms X\n")
    with pytest.raises(CohortError, match=f"a column {heading.lower()} and none called groups"):
        read_cohort(table)
    table.write_text(f"slide,labels,groups,{heading}\ndata/a.imzML,data/a.npy,Ms X,3\n")
    assert read_cohort(table)[0].groups == "Ms X"


@pytest.mark.parametrize("heading", ["batch", "notes", "age of patient", "grouped by", "score"])
def test_columns_of_something_else_are_passed_over(folder: Path, heading: str) -> None:
    table = folder / "cohort.csv"
    table.write_text(f"slide,labels,{heading}\ndata/a.imzML,data/a.npy,7\n")
    assert read_cohort(table)[0].groups is None
