"""Gathers what an .imzML file says: a header, and the numbers of all spectra as columns."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.io.imzml.batch import Run
from napari_ims_tumor.io.imzml.collector import Slot, SpectrumValues, Structure
from napari_ims_tumor.io.imzml.terms import Header
from napari_ims_tumor.io.imzml.vocabulary import NAMES, OFFSET
from napari_ims_tumor.msi.arrays import IntArray

_NUMBER = re.compile(r"\s*[-+]?[0-9]+(?:\.0*)?\s*\Z")
_INT64 = 1 << 63
_LONGEST = 80


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
    tables
        The numbers of the spectra of each structure, shape (numbers, spectra), in file order.
    notes
        What was off, one sentence each.
    """

    header: Header
    structures: list[Structure]
    kinds: IntArray
    tables: list[IntArray]
    notes: list[str] = field(default_factory=list)


class Columns:
    """Gathers spectra into flat arrays."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.structures: dict[Structure, int] = {}
        self.n_spectra = 0
        self.last: SpectrumValues | None = None
        self._kinds: list[IntArray] = []
        self._tables: list[list[IntArray]] = []
        # Spectra that came one by one since the last that came in a run.
        self._single_kinds: list[int] = []
        self._singles: list[list[list[int]]] = []
        self._accessions: list[list[str]] = []

    def add(self, spectrum: SpectrumValues) -> None:
        """Append one spectrum."""
        where = f"{self._name}: spectrum {self.n_spectra}"
        kind = self.structures.setdefault(spectrum.structure, len(self.structures))
        if kind == len(self._tables):
            self._tables.append([])
            self._singles.append([])
            self._accessions.append(_accessions(spectrum.structure))
        named = zip(spectrum.values, self._accessions[kind], strict=True)
        self.add_one(kind, [whole_number(text, where, accession) for text, accession in named])
        self.last = spectrum

    def add_one(self, kind: int, numbers: list[int]) -> None:
        """Append one spectrum of a known structure."""
        self._single_kinds.append(kind)
        self._singles[kind].append(numbers)
        self.n_spectra += 1

    def add_run(self, run: Run) -> None:
        """Append many spectra of known structures."""
        self.pack()
        self._kinds.append(run.kinds)
        for kind, table in run.tables.items():
            self._tables[kind].append(table)
        self.n_spectra += run.kinds.size

    def pack(self) -> None:
        """Move what came one by one into compact arrays."""
        if not self._single_kinds:
            return
        self._kinds.append(np.array(self._single_kinds, np.int64))
        self._single_kinds = []
        for table, singles in zip(self._tables, self._singles, strict=True):
            if singles:
                table.append(np.array(singles, np.int64).T)
                singles.clear()

    def document(self, header: Header) -> Document:
        """Return everything gathered."""
        self.pack()
        kinds = np.concatenate(self._kinds) if self._kinds else np.zeros(0, np.int64)
        tables = [np.concatenate(tables, axis=1) for tables in self._tables]
        return Document(header, list(self.structures), kinds, tables)


def _accessions(structure: Structure) -> list[str]:
    """Terms of a spectrum's numbers, in the order in which they are written."""
    parts = (structure.terms, *structure.scans, *structure.arrays)
    slots = (slot for part in parts for slot in part if isinstance(slot, Slot))
    numbers = ((slot.ordinal, slot.accession) for slot in slots if slot.ordinal >= 0)
    return [accession for _, accession in sorted(numbers)]


def whole_number(text: str, where: str, accession: str) -> int:
    """Read a whole number; an offset that wrapped around at 2⁶⁴ becomes negative again."""
    faulty = "the file was damaged or written by faulty software. Export it again."
    if len(text) > _LONGEST or not _NUMBER.match(text):
        raise SlideError(
            f"{where} has {text[:_LONGEST]!r} as its {NAMES[accession]}, which must be a whole "
            f"number; {faulty}"
        )
    number = int(text.strip().partition(".")[0])
    if accession == OFFSET and _INT64 <= number < 2 * _INT64:
        number -= 2 * _INT64
    if not -_INT64 <= number < _INT64:
        raise SlideError(
            f"{where} has the impossible number {text.strip()} as its {NAMES[accession]}; {faulty}"
        )
    return number
