"""Listens to the XML parser and keeps what matters: the header, and the numbers of each spectrum.

Element names count without their namespace prefix, so a missing or foreign namespace is read too.
Every spectrum becomes its *structure* (which terms stand where: shared by most spectra of a file)
and its *values* (the whole numbers of those terms, in the order they were written).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.io.imzml.terms import Entry, GroupRef, Header, Term
from napari_ims_tumor.io.imzml.vocabulary import NAMES, NUMBERS


class Slot(NamedTuple):
    """A term inside a spectrum; ``ordinal`` counts the spectrum's numbers, −1 = no number here."""

    accession: str
    name: str
    ordinal: int


Part: TypeAlias = tuple[Slot | GroupRef, ...]


class Structure(NamedTuple):
    """Which terms stand in a spectrum, in its scans and in its arrays, with numbers left open."""

    terms: Part
    scans: tuple[Part, ...]
    arrays: tuple[Part, ...]


class SpectrumValues(NamedTuple):
    """One spectrum as it was written."""

    structure: Structure
    values: list[str]


Draft: TypeAlias = list[Slot | GroupRef]


class Collector:
    """Receives parser events. ``on_spectrum`` is called at the end of each spectrum."""

    def __init__(self, on_spectrum: Callable[[SpectrumValues], object]) -> None:
        self.header = Header()
        self._on_spectrum = on_spectrum
        self._targets: list[list[Entry] | Draft | None] = [None]
        self._inside: list[str] = []
        self._in_spectrum = False
        self._values: list[str] = []
        self._terms: Draft = []
        self._scans: list[Draft] = []
        self._arrays: list[Draft] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Take an opening tag."""
        name = tag.rpartition(":")[2]
        if name in ("cvParam", "referenceableParamGroupRef", "userParam"):
            self._take(name, attributes)
            return
        if not self._inside:
            self._accept_root(name)
        opened = self._open_in_spectrum if self._in_spectrum else self._open_in_header
        self._inside.append(name)
        self._targets.append(opened(name, attributes))

    def end(self, tag: str) -> None:
        """Take a closing tag."""
        name = tag.rpartition(":")[2]
        if name in ("cvParam", "referenceableParamGroupRef", "userParam"):
            return
        self._inside.pop()
        self._targets.pop()
        if name == "spectrum":
            self._finish_spectrum()

    def _accept_root(self, name: str) -> None:
        if name not in ("mzML", "indexedmzML", "imzML"):
            raise SlideError(
                f"the file is XML, but not imzML: its first element is <{name}> instead of "
                "<mzML>. Choose the .imzML file that the instrument software exported."
            )
        self.header.root = name

    def _open_in_header(self, name: str, attributes: dict[str, str]) -> list[Entry] | Draft | None:
        header, key = self.header, attributes.get("id", "")
        if name == "spectrum":
            return self._open_spectrum()
        if name == "fileContent":
            return header.file_content
        if name == "referenceableParamGroup":
            return header.groups.setdefault(key, [])
        if name == "scanSettings":
            return header.scan_settings.setdefault(key, [])
        if name == "instrumentConfiguration":
            header.settings_of_instrument[key] = _reference(attributes, "scanSettingsRef")
            return header.instruments.setdefault(key, [])
        self._note(name, attributes)
        # Parts of an instrument (source, analyzer, detector) describe the instrument.
        return self._targets[-1] if "instrumentConfiguration" in self._inside else None

    def _note(self, name: str, attributes: dict[str, str]) -> None:
        header = self.header
        if name == "software":
            version = attributes.get("version", "")
            header.software.append(f"{attributes.get('id', '')} {version}".strip())
        elif name == "run":
            header.default_instrument = _reference(attributes, "defaultInstrumentConfigurationRef")
        elif name == "spectrumList":
            count = attributes.get("count", "").strip()
            header.spectra_declared = int(count) if count.isdecimal() else None

    def _open_spectrum(self) -> Draft:
        self._in_spectrum = True
        self._values, self._terms, self._scans, self._arrays = [], [], [], []
        return self._terms

    def _open_in_spectrum(self, name: str, _: dict[str, str]) -> list[Entry] | Draft | None:
        if name == "scan":
            self._scans.append([])
            return self._scans[-1]
        if name == "binaryDataArray":
            self._arrays.append([])
            return self._arrays[-1]
        if name == "spectrum":
            raise SlideError(
                "the .imzML holds a spectrum inside another spectrum: it was damaged or edited by "
                "hand; export it again"
            )
        # Old exporters wrap the scans in a <spectrumDescription>.
        return self._terms if name in ("scanList", "spectrumDescription") else None

    def _take(self, kind: str, attributes: dict[str, str]) -> None:
        target = self._targets[-1]
        if target is None:
            return
        if kind == "referenceableParamGroupRef":
            target.append(GroupRef(attributes.get("ref", "")))
        elif self._in_spectrum:
            if kind == "cvParam":
                self._take_slot(target, attributes)
        elif kind == "cvParam":
            target.append(_term(attributes))  # type: ignore[arg-type]

    def _take_slot(self, target: Sequence[object], attributes: dict[str, str]) -> None:
        accession = attributes.get("accession", "").strip()
        ordinal = -1
        if accession in NUMBERS:
            ordinal = len(self._values)
            self._values.append(attributes.get("value", ""))
        # The name matters only where it could contradict a term that is read here.
        name = attributes.get("name", "") if accession in NAMES or _is_unknown(attributes) else ""
        target.append(Slot(accession, name, ordinal))  # type: ignore[attr-defined]

    def _finish_spectrum(self) -> None:
        self._in_spectrum = False
        structure = Structure(
            tuple(self._terms),
            tuple(tuple(scan) for scan in self._scans),
            tuple(tuple(array) for array in self._arrays),
        )
        self._on_spectrum(SpectrumValues(structure, self._values))


def _is_unknown(attributes: dict[str, str]) -> bool:
    """Whether a term's name is needed to refuse a compression that is not known here."""
    return "ompress" in attributes.get("name", "")


def _term(attributes: dict[str, str]) -> Term:
    get = attributes.get
    return Term(
        get("accession", "").strip(),
        get("name", ""),
        get("value", ""),
        get("unitAccession", "").strip(),
        get("unitName", ""),
    )


def _reference(attributes: dict[str, str], key: str) -> str:
    return attributes.get(key, "").strip()
