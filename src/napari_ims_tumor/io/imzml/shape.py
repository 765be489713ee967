"""Interprets a spectrum's structure: where its position, its arrays and their encodings stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.io.imzml import vocabulary as cv
from napari_ims_tumor.io.imzml.collector import Part, Slot, Structure
from napari_ims_tumor.io.imzml.terms import Groups, expand


@dataclass(frozen=True, slots=True)
class Column:
    """Takes a number from a spectrum's own values (``ordinal``)."""

    ordinal: int


@dataclass(frozen=True, slots=True)
class Constant:
    """Takes a number that a parameter group gives to all its spectra."""

    text: str
    accession: str


Source: TypeAlias = Column | Constant | None


@dataclass(frozen=True, slots=True)
class ArrayShape:
    """One array of a spectrum, as its terms describe it.

    Attributes
    ----------
    offset, length, encoded
        Where the numbers come from.
    dtypes
        Types named by accession: one in a sane file.
    named_dtypes
        Types named in words, to settle what the accessions leave open.
    compressions
        Compressions named: at most one in a sane file.
    """

    offset: Source
    length: Source
    encoded: Source
    dtypes: tuple[np.dtype[Any], ...]
    named_dtypes: tuple[np.dtype[Any], ...]
    compressions: tuple[cv.Compression, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """A number that is stated twice in one place; both must be the same."""

    name: str
    first: Source
    other: Source


@dataclass(frozen=True, slots=True)
class SpectrumShape:
    """What a structure means."""

    x: Source
    y: Source
    z: Source
    mz: ArrayShape
    intensity: ArrayShape
    modes: frozenset[str]
    polarities: frozenset[str]
    notes: tuple[str, ...] = ()
    repeats: tuple[Repeat, ...] = ()


@dataclass(slots=True)
class _Terms:
    """The terms of one part, groups put in their places."""

    sources: dict[str, list[Source]] = field(default_factory=dict)
    names: list[tuple[str, str]] = field(default_factory=list)

    def has(self, accession: str) -> bool:
        return any(known == accession for known, _ in self.names)

    def source(self, accession: str) -> Source:
        return self.sources.get(accession, [None])[0]

    def add(self, accession: str, source: Source) -> None:
        self.sources.setdefault(accession, []).append(source)

    @property
    def repeats(self) -> list[Repeat]:
        return [
            Repeat(cv.NAMES[accession], found[0], other)
            for accession, found in self.sources.items()
            for other in found[1:]
        ]


def interpret(structure: Structure, groups: Groups) -> SpectrumShape:
    """Interpret a structure.

    Raises
    ------
    SlideError
        Where an array is missing or encoded in a way that cannot be read.
    """
    own = _resolve(structure.terms, groups)
    scans = [_resolve(scan, groups) for scan in structure.scans]
    arrays = [_resolve(array, groups) for array in structure.arrays]
    place = _place([*scans, own])
    everything = [own, *scans, *arrays]
    mz, intensity = (_find(arrays, kind) for kind in (cv.MZ_ARRAY, cv.INTENSITY_ARRAY))
    return SpectrumShape(
        x=place.source(cv.POSITION_X),
        y=place.source(cv.POSITION_Y),
        z=place.source(cv.POSITION_Z),
        mz=_array(mz, cv.NAMES[cv.MZ_ARRAY]),
        intensity=_array(intensity, cv.NAMES[cv.INTENSITY_ARRAY]),
        modes=_present(everything, (cv.CENTROID, cv.PROFILE)),
        polarities=_present(everything, (cv.POSITIVE, cv.NEGATIVE)),
        notes=_name_notes(everything),
        repeats=tuple(r for part in (place, mz, intensity) for r in part.repeats),
    )


def _resolve(part: Part, groups: Groups) -> _Terms:
    terms = _Terms()
    for entry in part:
        if isinstance(entry, Slot):
            terms.names.append((entry.accession, entry.name))
            if entry.ordinal >= 0:
                terms.add(entry.accession, Column(entry.ordinal))
            continue
        for term in expand([entry], groups):
            terms.names.append((term.accession, term.name))
            if term.accession in cv.NUMBERS:
                terms.add(term.accession, Constant(term.value, term.accession))
    return terms


def _place(parts: Sequence[_Terms]) -> _Terms:
    """The first part that states a position: later scans belong to summed spectra.

    All of it comes from one part: an x here and a y there would be two positions mixed.
    """
    stated = (part for part in parts if part.has(cv.POSITION_X) or part.has(cv.POSITION_Y))
    return next(stated, parts[-1])


def _present(parts: Sequence[_Terms], accessions: tuple[str, ...]) -> frozenset[str]:
    return frozenset(a for a in accessions if any(part.has(a) for part in parts))


def _find(arrays: Sequence[_Terms], accession: str) -> _Terms:
    """Find the array of a kind; others (ion mobility, …) are passed over."""
    found = [array for array in arrays if array.has(accession)]
    what = cv.NAMES[accession]
    if not found:
        raise SlideError(
            f"it has no {what} ({accession}): the file is incomplete or no imzML image. "
            "Export it again."
        )
    if len(found) > 1:
        raise SlideError(
            f"it has {len(found)} arrays that are called {what} ({accession}), so which one is "
            "meant is not certain: the file was written by faulty software. Export it again."
        )
    return found[0]


def _array(array: _Terms, what: str) -> ArrayShape:
    _refuse_foreign_compression(array, what)
    return ArrayShape(
        offset=array.source(cv.OFFSET),
        length=array.source(cv.LENGTH),
        encoded=array.source(cv.ENCODED_LENGTH),
        dtypes=_unique(cv.VALUE_TYPES.get(known) for known, _ in array.names),
        named_dtypes=_unique(cv.TYPES_BY_NAME.get(name.strip().lower()) for _, name in array.names),
        compressions=_unique(cv.COMPRESSIONS.get(known) for known, _ in array.names),
    )


def _unique(found: Any) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(item for item in found if item is not None))


def _refuse_foreign_compression(array: _Terms, what: str) -> None:
    for accession, name in array.names:
        foreign = accession in cv.FOREIGN_COMPRESSIONS
        unknown = "ompress" in name and accession not in cv.COMPRESSIONS and accession
        if foreign or (unknown and accession not in cv.NAMES):
            called = cv.FOREIGN_COMPRESSIONS.get(accession, name)
            raise SlideError(
                f"its {what} is compressed with {accession} ({called}), which cannot be read. "
                "Export it again without compression or with zlib."
            )


def _name_notes(parts: Sequence[_Terms]) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(
            f"{accession} is called {name!r} but means {cv.NAMES[accession]!r}; "
            "the accession number was believed. If images look wrong, tell the maker of the "
            "exporting software."
            for part in parts
            for accession, name in part.names
            if cv.names_disagree(accession, name)
        )
    )
