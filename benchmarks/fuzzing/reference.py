"""A slow reader that does what the standard says, word for word, and nothing else.

It shares no code with the package: libxml2 instead of expat, one element after the other, one array
after the other. What the standard leaves open or forbids is a :class:`NotLegal`.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from lxml import etree

from fuzzing.slides import Pair

TYPES = {
    "MS:1000519": "<i4", "MS:1000520": "<f2", "MS:1000521": "<f4", "MS:1000522": "<i8",
    "MS:1000523": "<f8", "IMS:1000141": "<i4", "IMS:1000142": "<i8", "IMS:1100000": "<i1",
    "IMS:1100001": "<i2",
}  # fmt: skip
NAMES = {
    "32-bit integer": "MS:1000519", "32-bit float": "MS:1000521", "64-bit integer": "MS:1000522",
    "64-bit float": "MS:1000523", "8-bit integer": "IMS:1100000", "16-bit integer": "IMS:1100001",
}  # fmt: skip
COMPRESSIONS = {"MS:1000574": "zlib", "MS:1000576": "none"}
UM = {"": 1.0, "UO:0000017": 1.0, "UO:0000018": 1e-3, "UO:0000016": 1e3, "UO:0000008": 1e6}
WHOLE = re.compile(r"[ \t\r\n]*([-+]?[0-9]+)(?:\.0*)?[ \t\r\n]*", re.ASCII)


class NotLegal(Exception):
    """The files do not say for certain what the slide is."""


@dataclass(frozen=True)
class Meaning:
    """What a slide is.

    Attributes
    ----------
    places
        Shape (n_spectra, 3): row, column and section, counted from the first that was measured.
    spectra
        (m/z, intensity) of each, ascending in m/z, without points whose m/z is no finite number.
    """

    places: np.ndarray
    spectra: tuple[tuple[np.ndarray, np.ndarray], ...]
    pixel_size_um: tuple[float, float] | None = None


def meaning_of(pair: Pair, encoding: str = "", by_name: bool = False) -> Meaning:
    """Read a slide; may raise :class:`NotLegal`.

    Parameters
    ----------
    encoding
        Of its text, where not the one that is stated.
    by_name
        Whether a type that no accession states may be stated by its name.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, encoding=encoding or None)
    try:
        root = etree.fromstring(pair.xml, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise NotLegal(str(error)) from None
    if root.getroottree().docinfo.doctype:
        raise NotLegal("a document type")
    if by_name:
        _restore_types(root)
    return _Reader(root, pair.ibd).meaning()


def _restore_types(root: Any) -> None:
    for term in _all(root, "cvParam"):
        kinds = NAMES.get(term.get("name", ""), "")
        if kinds and term.get("accession", "").strip() not in TYPES:
            term.set("accession", kinds)


class _Reader:
    def __init__(self, root: Any, ibd: bytes) -> None:
        self._root, self._ibd = root, ibd
        self._groups: dict[str, list[Any]] = {}
        for group in _all(root, "referenceableParamGroup"):
            known = self._groups.setdefault(group.get("id"), list(group))
            if [dict(term.attrib) for term in known] != [dict(term.attrib) for term in group]:
                raise NotLegal("two groups of one name")

    def meaning(self) -> Meaning:
        if _name(self._root) not in ("mzML", "indexedmzML", "imzML"):
            raise NotLegal("no mzML")
        found = [self._spectrum(element) for element in _all(self._root, "spectrum")]
        if not found:
            raise NotLegal("no spectra")
        places = np.array([place for place, _ in found], np.int64)
        self._refuse_overlaps()
        _, sections = np.unique(places[:, 2], return_inverse=True)
        places = np.column_stack(
            [places[:, 1] - places[:, 1].min(), places[:, 0] - places[:, 0].min(), sections]
        )
        return Meaning(places, tuple(spectrum for _, spectrum in found), self._pixel_size())

    def _terms(self, elements: list[Any], depth: int = 0) -> list[Any]:
        if depth > 16:
            raise NotLegal("groups in a circle")
        terms: list[Any] = []
        for element in elements:
            if _name(element) == "cvParam":
                terms.append(element)
            elif _name(element) == "referenceableParamGroupRef":
                if element.get("ref") not in self._groups:
                    raise NotLegal("no such group")
                terms += self._terms(self._groups[element.get("ref")], depth + 1)
        return terms

    def _spectrum(self, element: Any) -> tuple[tuple[int, ...], tuple[np.ndarray, np.ndarray]]:
        scans = [
            scan for part in _children(element, "scanList") for scan in _children(part, "scan")
        ]
        terms = [term for scan in scans[:1] for term in self._terms(list(scan))]
        place = (
            _number(terms, "IMS:1000050"),
            _number(terms, "IMS:1000051"),
            _number(terms, "IMS:1000052", 1),
        )
        arrays = [
            self._terms(list(array))
            for part in _children(element, "binaryDataArrayList")
            for array in _children(part, "binaryDataArray")
        ]
        mz = self._array(arrays, "MS:1000514").astype(np.float64)
        intensity = self._array(arrays, "MS:1000515")
        if mz.size != intensity.size:
            raise NotLegal("lengths differ")
        order = np.argsort(mz, kind="stable")
        order = order[np.isfinite(mz[order])]
        return place, (mz[order], intensity[order])

    def _array(self, arrays: list[list[Any]], kind: str) -> np.ndarray:
        found = [terms for terms in arrays if _has(terms, kind)]
        if len(found) != 1:
            raise NotLegal(f"{len(found)} arrays {kind}")
        terms = found[0]
        dtype = np.dtype(_one(terms, TYPES))
        length, encoded = _number(terms, "IMS:1000103"), _number(terms, "IMS:1000104", -1)
        if length == 0:
            return np.zeros(0, dtype)
        offset = _number(terms, "IMS:1000102")
        packed = _one(terms, COMPRESSIONS, "none") == "zlib"
        if any(
            "ompress" in t.get("name", "") and t.get("accession") not in COMPRESSIONS for t in terms
        ):
            raise NotLegal("another compression")
        nbytes = encoded if packed else length * dtype.itemsize
        if encoded not in (-1, 0, nbytes) or nbytes <= 0 or offset < 0 or length < 0:
            raise NotLegal("lengths do not fit")
        if offset + nbytes > len(self._ibd):
            raise NotLegal("beyond the end")
        self._ranges.add((offset, offset + nbytes, kind))
        data = self._ibd[offset : offset + nbytes]
        if packed:
            try:
                data = zlib.decompress(data)
            except zlib.error as error:
                raise NotLegal(str(error)) from None
        if len(data) != length * dtype.itemsize:
            raise NotLegal("unpacked length")
        return np.frombuffer(data, dtype)

    @property
    def _ranges(self) -> set[tuple[int, int, str]]:
        return self.__dict__.setdefault("ranges", set())

    def _refuse_overlaps(self) -> None:
        """Arrays of two kinds, or parts of arrays, at one place are no legal file."""
        end = 0
        for start, stop, _ in sorted(self._ranges):
            if start < end:
                raise NotLegal("overlap")
            end = stop

    def _pixel_size(self) -> tuple[float, float] | None:
        sizes = set()
        for settings in _all(self._root, "scanSettings"):
            terms = self._terms(list(settings))
            try:
                x, y = _length(terms, "IMS:1000046"), _length(terms, "IMS:1000047")
            except ValueError:
                raise NotLegal("a pixel size that is no number") from None
            if x or y:
                sizes.add((y or x, x or y))
        return sizes.pop() if len(sizes) == 1 else None


def _name(element: Any) -> str:
    # Comments and processing instructions have a function for a tag.
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def _all(root: Any, name: str) -> list[Any]:
    return [element for element in root.iter() if _name(element) == name]


def _children(element: Any, name: str) -> list[Any]:
    return [child for child in element if _name(child) == name]


def _has(terms: list[Any], accession: str) -> bool:
    return any(term.get("accession", "").strip() == accession for term in terms)


def _one(terms: list[Any], meanings: dict[str, str], default: str | None = None) -> str:
    found = {meanings[a] for t in terms if (a := t.get("accession", "").strip()) in meanings}
    if len(found) > 1 or (not found and default is None):
        raise NotLegal(f"{sorted(found)} of {sorted(meanings)}")
    return found.pop() if found else str(default)


def _number(terms: list[Any], accession: str, default: int | None = None) -> int:
    found = set()
    for term in terms:
        if term.get("accession", "").strip() == accession:
            match = WHOLE.fullmatch(term.get("value", ""))
            if match is None or len(match[1]) > 20 or abs(int(match[1])) >= 2**63:
                raise NotLegal(f"{accession} is no whole number")
            found.add(int(match[1]))
    if len(found) > 1 or (not found and default is None):
        raise NotLegal(f"{accession}: {sorted(found)}")
    return found.pop() if found else int(default or 0)


def _length(terms: list[Any], accession: str) -> float | None:
    found = [t for t in terms if t.get("accession", "").strip() == accession]
    if not found:
        return None
    um = UM.get(found[0].get("unitAccession", "").strip())
    if um is None:
        raise NotLegal("a unit")
    value = float(found[0].get("value", "")) * um
    if not (np.isfinite(value) and value > 0):
        raise NotLegal("a pixel size")
    return value
