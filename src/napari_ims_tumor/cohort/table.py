"""The cohort table: which slides, whose labels, which patients."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.errors import CohortError
from napari_ims_tumor.msi.arrays import IntArray
from napari_ims_tumor.msi.dataset import MsiDataset

IMAGE_SUFFIXES: Final = (".npy", ".png", ".tif", ".tiff")

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
    """

    slide: Path | MsiDataset
    labels: Path | Annotation
    groups: Groups = None

    @property
    def name(self) -> str:
        """Short name for reports."""
        return self.slide.stem if isinstance(self.slide, Path) else self.slide.name


def read_cohort(path: str | os.PathLike[str]) -> tuple[CohortSlide, ...]:
    """Read a CSV with the columns slide, labels and, if wanted, groups.

    Paths are relative to the CSV. A group ending in .npy, .png or .tif is an image with one whole
    number per pixel (the same number means the same patient on every slide); anything else is the
    patient's name.

    Raises
    ------
    CohortError
        A column or a file is missing.
    """
    table = Path(path)
    rows = _rows(table)
    missing = {"slide", "labels"} - set(rows[0] if rows else {})
    if missing:
        raise CohortError(
            f"{table.name} has no column {' or '.join(sorted(missing))}: the first line must be "
            "slide,labels,groups (groups may be left out), each following line one slide"
        )
    return tuple(_slide(table, number, row) for number, row in enumerate(rows, start=2))


def _rows(table: Path) -> list[dict[str, str]]:
    try:
        # utf-8-sig: spreadsheet programs put a byte order mark before the first column's name.
        with table.open(newline="", encoding="utf-8-sig") as file:
            sample = file.readline()
            file.seek(0)
            delimiter = ";" if sample.count(";") > sample.count(",") else ","
            reader = csv.DictReader(file, delimiter=delimiter)
            found = [_stripped(dict(row)) for row in reader]
            names = [name.strip().lower() for name in reader.fieldnames or ()]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CohortError(f"{table} cannot be read as a CSV table: {error}") from error
    filled = [row for row in found if any(row.values())]
    if {"slide", "labels"} <= set(names) and not filled:
        raise CohortError(f"{table.name} lists no slide: add one line per slide")
    return filled


def _stripped(row: dict[str | None, str | None]) -> dict[str, str]:
    # Cells beyond the last column come under the key None.
    named = ((k, v) for k, v in row.items() if k is not None)
    return {k.strip().lower(): (v or "").strip() for k, v in named}


def _slide(table: Path, line: int, row: dict[str, str]) -> CohortSlide:
    slide, labels = (_file(table, line, row, column) for column in ("slide", "labels"))
    group = row.get("groups", "")
    if group.lower().endswith(IMAGE_SUFFIXES):
        return CohortSlide(slide, labels, _file(table, line, row, "groups"))
    return CohortSlide(slide, labels, group or None)


def _file(table: Path, line: int, row: dict[str, str], column: str) -> Path:
    if not row[column]:
        raise CohortError(f"{table.name}, line {line}: the column {column} is empty")
    path = table.parent / row[column]
    if not path.is_file():
        raise CohortError(
            f"{table.name}, line {line}: there is no file {row[column]} beside the table "
            f"(looked for {path})"
        )
    return path
