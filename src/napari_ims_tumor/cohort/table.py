"""The cohort table: which slides, whose labels, which patients."""

from __future__ import annotations

import codecs
import csv
import io
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.errors import CohortError
from napari_ims_tumor.io.file_name import readable_stem
from napari_ims_tumor.msi.arrays import IntArray
from napari_ims_tumor.msi.dataset import MsiDataset

IMAGE_SUFFIXES: Final = (".npy", ".png", ".tif", ".tiff")
LABEL_SUFFIXES: Final = (*IMAGE_SUFFIXES, ".geojson", ".json")

_LIKE_GROUPS: Final = re.compile(
    "(group|patient|core|subject|case|donor)s?(id|ids|name|names|nr|no|number)?"
)
"""Headings that somebody means as ``groups``."""

Groups: TypeAlias = str | Path | IntArray | None


@dataclass(frozen=True, eq=False)
class CohortSlide:
    """One row of the table; files may already be open.

    Attributes
    ----------
    slide
        The .imzML file, or an open dataset.
    labels
        A label image, or an annotation in the slide's shape.
    groups
        A patient's name (all pixels are hers), an image with one whole number per pixel, or
        ``None``: then each slide is a group; on a single slide, its strokes or pieces of tissue.
    regions
        What is roughly known of whole regions: a class name (of all measured pixels), or a label
        file whose every label is meant roughly. ``labels`` win over it, and may be ``None`` then.
    """

    slide: Path | MsiDataset
    labels: Path | Annotation | None
    groups: Groups = None
    regions: str | Path | None = None

    @property
    def name(self) -> str:
        """Short name for reports."""
        return readable_stem(self.slide) if isinstance(self.slide, Path) else self.slide.name


def read_cohort(path: str | os.PathLike[str]) -> tuple[CohortSlide, ...]:
    """Read a CSV with the columns slide, labels and, if wanted, groups and regions.

    Paths are relative to the CSV. A group ending in .npy, .png or .tif is an image with one whole
    number per pixel (the same number means the same patient on every slide); anything else is the
    patient's name. Regions are a class name, said roughly of the whole slide, or a label file whose
    labels are meant roughly; where there are some, the cell of the labels may be empty. Commas,
    semicolons or tabs part the columns, as spreadsheet programs write them.

    Raises
    ------
    CohortError
        A column or a file is missing, or there are patients under another heading than groups.
    """
    table = Path(path)
    names, rows = _rows(table)
    missing = {"slide", "labels"} - set(names)
    missing -= {"labels"} if "regions" in names else set()
    if missing:
        raise CohortError(
            f"{table.name} has no column {' or '.join(sorted(missing))}: the first line must be "
            "slide,labels,groups (groups may be left out), each following line one slide"
        )
    twice = [name for name in ("slide", "labels", "groups", "regions") if names.count(name) > 1]
    if twice:
        raise CohortError(f"{table.name} has several columns {twice[0]}: keep one of them")
    _refuse_other_headings(table, names)
    if not rows:
        raise CohortError(f"{table.name} lists no slide: add one line per slide")
    return tuple(_slide(table, line, row) for line, row in rows)


def _refuse_other_headings(table: Path, names: list[str]) -> None:
    """A column of patients under another name would be passed over, and patients leak."""
    if "groups" in names:
        return
    for name in names:
        plain = re.sub(r"[\W_]+", "", name.casefold())
        if _LIKE_GROUPS.fullmatch(plain):
            raise CohortError(
                f"{table.name} has a column {name} and none called groups: nothing would keep the "
                "pixels of one patient together. Call it groups; or, where each slide shall count "
                f"alone, by a name that means something else (note, not {name})"
            )


def as_regions(said: str | os.PathLike[str] | None) -> str | Path | None:
    """Tell a label file from the name of a class, by its ending."""
    if said is None or isinstance(said, Path):
        return said
    text = os.fspath(said)
    return Path(text) if text.lower().endswith(LABEL_SUFFIXES) else text


def _rows(table: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Names of the columns, and the rows that hold anything, each with its line in the file."""
    try:
        text = _decoded(table.read_bytes())
        head = next((line for line in text.splitlines() if line.strip()), "")
        # Of the signs that may part columns, the one that the first line uses most.
        delimiter = max(",;\t", key=head.count)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        found = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except OSError as error:
        raise CohortError(f"{table} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise CohortError(f"{table} cannot be read as a CSV table: {error}") from error
    filled = [(line, cells) for line, cells in found if any(cells)]
    if not filled:
        return [], []
    names = [name.lower() for name in filled[0][1]]
    # Cells beyond the last column have no name and are left out; missing ones are empty.
    return names, [(line, dict(zip(names, cells, strict=False))) for line, cells in filled[1:]]


def _decoded(content: bytes) -> str:
    """Decode UTF-8, or what spreadsheet programs call "Unicode text" and plain "CSV"."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252")


def _slide(table: Path, line: int, row: dict[str, str]) -> CohortSlide:
    slide, said = _file(table, line, row, "slide"), row.get("regions", "")
    labels = None if said and not row.get("labels") else _file(table, line, row, "labels")
    group = row.get("groups", "")
    is_image = group.lower().endswith(IMAGE_SUFFIXES)
    groups = _file(table, line, row, "groups") if is_image else group or None
    is_file = said.lower().endswith(LABEL_SUFFIXES)
    regions = _file(table, line, row, "regions") if is_file else said or None
    return CohortSlide(slide, labels, groups, regions)


def _file(table: Path, line: int, row: dict[str, str], column: str) -> Path:
    given = row.get(column, "")
    if not given:
        raise CohortError(f"{table.name}, line {line}: the column {column} is empty")
    path = table.parent / given
    if not path.is_file():
        raise CohortError(
            f"{table.name}, line {line}: there is no file {given} beside the table "
            f"(looked for {path})"
        )
    return path
