"""Numbers as a CSV table that says at its head what it holds, where from and in which units."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TextIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.atomic import atomic_write
from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.io.imzml.grid import positions
from napari_ims_tumor.msi.arrays import IntArray
from napari_ims_tumor.msi.pixel_grid import PixelGrid

Column: TypeAlias = NDArray[Any] | Sequence[str]

_AT_ONCE: Final = 10_000
"""Rows turned into text at once."""


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of one length.

    Attributes
    ----------
    columns
        Name → one value per row.
    about
        Facts for the head, in order: the slide, what was done, the units.
    """

    columns: Mapping[str, Column]
    about: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {name: len(column) for name, column in self.columns.items()}
        if len(set(lengths.values())) > 1:
            raise ImsTumorError(f"the columns of a table have different lengths: {lengths}")


def write_table(path: str | os.PathLike[str], table: Table) -> None:
    """Write a table as UTF-8 CSV with commas; a crash keeps the old file.

    Facts come first, each in a line that begins with ``#``; then the names of the columns. Numbers
    are written so that reading them gives the same ones; one that is not finite is left empty.
    """
    file = Path(path)
    if file.suffix.lower() != ".csv":
        raise ImsTumorError(f"{file.name}: tables are written as .csv")
    with atomic_write(file) as part, part.open("w", encoding="utf-8", newline="") as out:
        _write(out, table)


def pixel_table(
    pixels: PixelGrid, images: Mapping[str, NDArray[Any]], about: Mapping[str, object]
) -> Table:
    """Make a table of images: one row per measured pixel.

    Parameters
    ----------
    images
        Column name → image of the slide's shape.
    about
        Facts for the head.
    """
    where = pixels.measured
    return Table(
        {**place_columns(pixels, where), **{name: image[where] for name, image in images.items()}},
        {**about, **PLACES},
    )


PLACES: Final = {
    "plane, row, column": "from 0, in the bounding box of what was measured",
    "x, y": "as in the imzML file, column and row from 1",
}


def place_columns(pixels: PixelGrid, where: NDArray[np.bool_]) -> dict[str, IntArray]:
    """Columns that say where some pixels of the slide are."""
    whole = where.reshape((-1, *pixels.shape))
    plane, row, column = (index.astype(np.int64) for index in np.nonzero(whole))
    x, y = positions(pixels, row, column)
    return {"plane": plane, "row": row, "column": column, "x": x, "y": y}


def _write(out: TextIO, table: Table) -> None:
    for name, value in table.about.items():
        out.write(f"# {_one_line(name)}: {_one_line(value)}\n")
    out.write(",".join(_cell(name) for name in table.columns) + "\n")
    columns = list(table.columns.values())
    for first in range(0, len(columns[0]) if columns else 0, _AT_ONCE):
        parts = [_as_text(column[first : first + _AT_ONCE]) for column in columns]
        out.writelines(line + "\n" for line in map(",".join, zip(*parts, strict=True)))


def _as_text(column: Column) -> list[str]:
    if not isinstance(column, np.ndarray) or column.dtype.kind not in "iufb":
        return [_cell(str(value)) for value in column]
    # The shortest text that gives the same number when it is read.
    text: list[str] = column.astype(str).tolist()
    if column.dtype.kind == "f":
        finite = np.isfinite(column).tolist()
        return [value if known else "" for value, known in zip(text, finite, strict=True)]
    return text


def as_text(text: str) -> str:
    """Mark a text that spreadsheet programs would compute as a formula."""
    return "'" + text if text.lstrip()[:1] in ("=", "+", "-", "@") else text


def _cell(text: str) -> str:
    """Quote what would be taken for several cells."""
    text = as_text(text)
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\n\r') else text


def _one_line(value: object) -> str:
    return " ".join(str(value).split())
