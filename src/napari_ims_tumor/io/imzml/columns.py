"""Gathers what an .imzML file says: a header, and the numbers of all spectra as columns."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.io.imzml.collector import SpectrumValues, Structure
from napari_ims_tumor.io.imzml.template import Template
from napari_ims_tumor.io.imzml.terms import Header
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
        self.n_spectra = 0
        self.last: SpectrumValues | None = None
        self._kinds: list[int] = []
        self._numbers: list[int] = []
        self._done: list[tuple[IntArray, IntArray]] = []

    def add(self, spectrum: SpectrumValues) -> None:
        """Append one spectrum."""
        where = f"{self._name}: spectrum {self.n_spectra}"
        self._numbers.extend([whole_number(text, where) for text in spectrum.values])
        self._kinds.append(self.structures.setdefault(spectrum.structure, len(self.structures)))
        self.n_spectra += 1
        self.last = spectrum

    def add_alike(self, template: Template, text: bytes, start: int) -> int:
        """Append the spectra that match a template; return where the next one starts."""
        count, end = template.skip(text, start, self._numbers)
        self._kinds.extend([template.kind] * count)
        self.n_spectra += count
        return end

    def pack(self) -> None:
        """Move what was gathered into compact arrays."""
        self._done.append((np.array(self._kinds, np.int64), np.array(self._numbers, np.int64)))
        self._kinds, self._numbers = [], []

    def document(self, header: Header) -> Document:
        """Return everything gathered."""
        self.pack()
        kinds, numbers = (np.concatenate(column) for column in zip(*self._done, strict=True))
        return Document(header, list(self.structures), kinds, numbers)


def whole_number(text: str, where: str) -> int:
    """Read a whole number; wrapped negative 64-bit values become negative again."""
    if len(text) > _LONGEST or not _NUMBER.match(text):
        raise SlideError(
            f"{where} has {text[:_LONGEST]!r} where a whole number belongs; the file was damaged "
            "or written by faulty software. Export it again."
        )
    number = int(text.strip().partition(".")[0])
    if _INT64 <= number < 2 * _INT64:
        number -= 2 * _INT64
    if not -_INT64 <= number < _INT64:
        raise SlideError(
            f"{where} has the impossible number {text.strip()}; the file was damaged or written by "
            "faulty software. Export it again."
        )
    return number
