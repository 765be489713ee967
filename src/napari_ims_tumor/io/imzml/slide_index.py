"""The table of a slide while it is opened: positions, and what the terms of its spectra say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.io.imzml.columns import Document, whole_number
from napari_ims_tumor.io.imzml.encoding import encoding_of
from napari_ims_tumor.io.imzml.index import MISSING, ArrayTable, SpectrumIndex
from napari_ims_tumor.io.imzml.shape import ArrayShape, Column, Source, SpectrumShape, interpret
from napari_ims_tumor.io.imzml.wording import spectra
from napari_ims_tumor.msi.arrays import IntArray


@dataclass(slots=True)
class SlideIndex(SpectrumIndex):
    """What is needed besides while a slide is opened: positions, and what the terms say.

    Attributes
    ----------
    x, y, z
        Shape (n_spectra,); :data:`MISSING` where a spectrum has no z.
    shapes
        The distinct meanings of spectra.
    notes
        What was off, one sentence each.
    """

    x: IntArray
    y: IntArray
    z: IntArray
    shapes: list[SpectrumShape]
    notes: list[str] = field(default_factory=list)


def build_index(document: Document) -> SlideIndex:
    """Interpret a document's columns.

    Raises
    ------
    SlideError
        Where there is no spectrum, or one lacks a number that is needed.
    """
    n = document.kinds.size
    if n == 0:
        raise SlideError(
            "the file holds no spectra, only a header: incomplete export? Export it again."
        )
    shapes = [_shape(document, kind) for kind in range(len(document.structures))]
    x, y, z = np.zeros((3, n), np.int64)
    index = SlideIndex(
        x=x,
        y=y,
        z=z,
        mz=_empty_table(n),
        intensity=_empty_table(n),
        shapes=shapes,
    )
    for kind, rows, values in _by_structure(document):
        _fill(index, shapes[kind], rows, values)
    index.notes.extend(dict.fromkeys(note for shape in shapes for note in shape.notes))
    declared = document.header.spectra_declared
    if declared not in (None, n):
        index.notes.append(
            f"{spectra(declared or 0)} announced, but {n:,} there: incomplete export? If some are "
            "missing, export it again."
        )
    return index


def _shape(document: Document, kind: int) -> SpectrumShape:
    try:
        return interpret(document.structures[kind], document.header.groups)
    except SlideError as error:
        first = int(np.argmax(document.kinds == kind))
        raise SlideError(f"spectrum {first}: {error}") from None


def _empty_table(n: int) -> ArrayTable:
    offsets, lengths, nbytes, kinds = np.zeros((4, n), np.int64)
    return ArrayTable(offsets, lengths, nbytes, kinds)


def _by_structure(document: Document) -> Iterator[tuple[int, IntArray, IntArray]]:
    """Yield (structure, spectra of it, their numbers as (numbers, spectra))."""
    for kind, table in enumerate(document.tables):
        yield kind, np.flatnonzero(document.kinds == kind), table


def _fill(index: SlideIndex, shape: SpectrumShape, rows: IntArray, values: IntArray) -> None:
    _refuse_contradictions(shape, rows, values)
    _put(index.x, rows, _required(shape.x, values, rows, "position x"))
    _put(index.y, rows, _required(shape.y, values, rows, "position y"))
    _put(index.z, rows, _numbers(shape.z, values))
    _fill_table(index, index.mz, shape.mz, (rows, values, "m/z array"))
    _fill_table(index, index.intensity, shape.intensity, (rows, values, "intensity array"))


def _fill_table(
    index: SlideIndex,
    table: ArrayTable,
    shape: ArrayShape,
    where: tuple[IntArray, IntArray, str],
) -> None:
    rows, values, what = where
    lengths = _numbers(shape.length, values)
    encoded = _numbers(shape.encoded, values)
    encoding, lengths, nbytes, notes = encoding_of(shape, lengths, encoded, (rows, what))
    index.notes.extend(note for note in notes if note not in index.notes)
    offsets = _numbers(shape.offset, values)
    absent = offsets == MISSING
    if absent.any():
        offsets = np.where(absent & (nbytes == 0), 0, offsets)
    _refuse_missing(offsets, rows, f"external offset of the {what}")
    _put(table.offsets, rows, offsets)
    _put(table.lengths, rows, lengths)
    _put(table.nbytes, rows, nbytes)
    if encoding not in table.encodings:
        table.encodings.append(encoding)
    number = table.encodings.index(encoding)
    if number:
        table.kinds[rows] = number


def _put(column: IntArray, rows: IntArray, values: IntArray) -> None:
    """Set the values of some rows, or at once of all."""
    column[slice(None) if rows.size == column.size else rows] = values


def _numbers(source: Source, values: IntArray) -> IntArray:
    """Numbers of a source, shape (spectra,), :data:`MISSING` where there are none."""
    if isinstance(source, Column):
        own: IntArray = values[source.ordinal]
        return own
    where = "a parameter group"
    number = MISSING if source is None else whole_number(source.text, where, source.accession)
    return np.full(values.shape[1], number, np.int64)


def _refuse_contradictions(shape: SpectrumShape, rows: IntArray, values: IntArray) -> None:
    for repeat in shape.repeats:
        first, other = _numbers(repeat.first, values), _numbers(repeat.other, values)
        wrong = np.flatnonzero(first != other)
        if wrong.size:
            j = int(wrong[0])
            raise SlideError(
                f"spectrum {int(rows[j])} states its {repeat.name} twice, as {int(first[j])} and "
                f"as {int(other[j])} ({spectra(wrong.size)} in all): the file is damaged or was "
                "written by faulty software. Export it again."
            )


def _required(source: Source, values: IntArray, rows: IntArray, what: str) -> IntArray:
    numbers = _numbers(source, values)
    _refuse_missing(numbers, rows, what)
    return numbers


def _refuse_missing(numbers: IntArray, rows: IntArray, what: str) -> None:
    absent = rows[numbers == MISSING]
    if absent.size:
        raise SlideError(
            f"spectrum {int(absent.min())} has no {what} ({spectra(absent.size)} in all): the "
            "file is incomplete. Export it again."
        )
