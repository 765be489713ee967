"""Reads a whole .imzML file into a header and columns of numbers, in pieces of bounded memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.io.imzml.collector import Collector, SpectrumValues, Structure
from napari_ims_tumor.io.imzml.markup import SafeParser, WrongEncoding
from napari_ims_tumor.io.imzml.terms import Header
from napari_ims_tumor.job import STOP, Job, JobStopped, Progress
from napari_ims_tumor.msi.arrays import IntArray

PIECE: Final = 1 << 23
"""Bytes of XML in memory at a time."""

_NUMBER = re.compile(r"\s*[-+]?[0-9]+(?:\.0*)?\s*\Z")
_INT64 = 1 << 63


@dataclass(slots=True)
class Document:
    """An .imzML file as read, before anything is interpreted.

    Attributes
    ----------
    header
        What stands outside the spectra.
    structures
        The distinct structures of spectra.
    kinds
        Shape (n_spectra,): index into ``structures``.
    numbers
        The numbers of all spectra end to end, in file order, int64.
    notes
        What was off, one sentence each.
    """

    header: Header
    structures: list[Structure]
    kinds: IntArray
    numbers: IntArray
    notes: list[str] = field(default_factory=list)


class Columns:
    """Gathers spectra into flat arrays."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.structures: dict[Structure, int] = {}
        self.kinds: list[int] = []
        self._numbers: list[int] = []
        self._done: list[IntArray] = []

    def add(self, spectrum: SpectrumValues) -> None:
        """Append one spectrum."""
        kind = self.structures.setdefault(spectrum.structure, len(self.structures))
        position = len(self.kinds)
        self.kinds.append(kind)
        for text in spectrum.values:
            self._numbers.append(whole_number(text, f"{self._name}: spectrum {position}"))

    def pack(self) -> None:
        """Move what was gathered into compact arrays."""
        self._done.append(np.array(self._numbers, np.int64))
        self._numbers = []

    def document(self, header: Header) -> Document:
        """Return everything gathered."""
        self.pack()
        numbers = np.concatenate(self._done)
        return Document(header, list(self.structures), np.array(self.kinds, np.int64), numbers)


def whole_number(text: str, where: str) -> int:
    """Read a whole number; wrapped negative 64-bit values become negative again."""
    if not _NUMBER.match(text):
        raise SlideError(
            f"{where} has {text!r} where a whole number belongs; the file was damaged or written "
            "by faulty software. Export it again."
        )
    number = int(text.strip().partition(".")[0])
    if _INT64 <= number < 2 * _INT64:
        number -= 2 * _INT64
    if not -_INT64 <= number < _INT64:
        raise SlideError(f"{where} has the impossible number {text.strip()}. Export it again.")
    return number


def read_document(path: Path) -> Job[Progress, Document]:
    """Read an .imzML file.

    Returns
    -------
    Document
        Header and numbers; nothing is interpreted yet.
    """
    size = path.stat().st_size
    if size == 0:
        raise SlideError(f"{path.name} is empty (0 bytes): incomplete copy or export?")
    encoding, notes = None, []
    while True:
        try:
            document = yield from _read(path, encoding)
        except WrongEncoding as wrong:
            encoding = wrong.encoding
            notes.append(f"{path.name}: {wrong.note}")
        else:
            document.notes.extend(notes)
            return document


def _read(path: Path, encoding: str | None) -> Job[Progress, Document]:
    columns = Columns(path.name)
    collector = Collector(columns.add)
    parser = SafeParser(path.name, collector, encoding)
    done, size = 0, path.stat().st_size
    with path.open("rb") as file:
        for piece in _pieces(file):
            parser.feed(piece)
            columns.pack()
            done += len(piece)
            if (yield Progress("Reading the .imzML file", done, size)) is STOP:
                raise JobStopped("opening was stopped")
        parser.feed(b"", final=True)
    return columns.document(collector.header)


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(PIECE):
        yield piece
