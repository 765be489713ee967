"""The text of an .imzML file: a head, one passage per spectrum, and an end.

Elements and their order follow mzML 1.1 and imzML 1.1. What a head says of the measurement may come
from another slide's: see :mod:`napari_ims_tumor.io.imzml_heritage`.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import quoteattr

import numpy as np

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.io.imzml_heritage import Heritage
from napari_ims_tumor.msi.spectrum import Layout, Mode

SHA1_DIGITS: Final = 40
_SHA1_LATER: Final = "#" * SHA1_DIGITS
"""Stands in the head until the data are written, and is as long as what takes its place."""

_TYPES: Final = {
    "float64": ("MS", "MS:1000523", "64-bit float"),
    "float32": ("MS", "MS:1000521", "32-bit float"),
    "float16": ("MS", "MS:1000520", "16-bit float"),
    "int64": ("MS", "MS:1000522", "64-bit integer"),
    "int32": ("MS", "MS:1000519", "32-bit integer"),
    "int16": ("IMS", "IMS:1100001", "16-bit integer"),
    "int8": ("IMS", "IMS:1100000", "8-bit integer"),
}
_POLARITIES: Final = {
    "positive": ("MS", "MS:1000130", "positive scan"),
    "negative": ("MS", "MS:1000129", "negative scan"),
}
_LAYOUTS: Final = {"continuous": "IMS:1000030", "processed": "IMS:1000031"}
_MODES: Final = {"profile": "MS:1000128", "centroid": "MS:1000127"}
SOFTWARE: Final = "napari-ims-tumor"

_OWN_SOFTWARE: Final = "napari_ims_tumor"
_OWN_HISTORY: Final = "napari_ims_tumor_export"
_HEAD_AT_MOST: Final = 1 << 24

END: Final = "    </spectrumList>\n  </run>\n</mzML>\n"


@dataclass(frozen=True, slots=True)
class Step:
    """Something that was done to the data.

    Attributes
    ----------
    accession, name
        A data processing action of the mass spectrometry vocabulary.
    details
        (name, value) pairs in plain words.
    """

    accession: str
    name: str
    details: tuple[tuple[str, str], ...] = ()


CONVERSION: Final = Step("MS:1000530", "file format conversion", (("output", "imzML 1.1"),))


@dataclass(frozen=True, eq=False)
class Head:
    """What a head is made of.

    Attributes
    ----------
    name
        Of the slide.
    layout, mode
        As the terms of imzML say them.
    polarities
        ``"positive"``, ``"negative"``, both or none.
    identity
        The UUID of both files.
    types
        Types of m/z and intensities in the .ibd file.
    n_spectra
        How many there are.
    counts
        Highest x and y: the counts of pixels.
    pixel_size_um
        (row, column), or ``None``.
    steps
        What was done, in order; the last lines of the file's history.
    heritage
        What is passed on from the slide that the data come from.
    """

    name: str
    layout: Layout
    mode: Mode
    polarities: tuple[str, ...]
    identity: uuid.UUID
    types: tuple[np.dtype[Any], np.dtype[Any]]
    n_spectra: int
    counts: tuple[int, int]
    pixel_size_um: tuple[float, float] | None = None
    steps: tuple[Step, ...] = (CONVERSION,)
    heritage: Heritage = field(default_factory=Heritage)


def head_text(head: Head) -> str:
    """Write everything before the first spectrum; the checksum is filled in later."""
    history = _history(head)
    return "".join(
        (
            '<?xml version="1.0" encoding="UTF-8"?>\n',
            '<mzML xmlns="http://psi.hupo.org/ms/mzml" '
            'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
            'xsi:schemaLocation="http://psi.hupo.org/ms/mzml '
            'http://psidev.info/files/ms/mzML/xsd/mzML1.1.0.xsd" version="1.1.0">\n',
            _vocabularies(),
            _file_description(head),
            _groups(head),
            head.heritage.samples,
            _software(head),
            _scan_settings(head),
            head.heritage.instruments,
            history,
            f'  <run id={quoteattr(run_id(head.name))} defaultInstrumentConfigurationRef='
            f"{quoteattr(head.heritage.instrument)}>\n",
            f'    <spectrumList count="{head.n_spectra}" '
            f'defaultDataProcessingRef="{_OWN_HISTORY}">\n',
        )
    )  # fmt: skip


def checksum_place(text: bytes) -> int:
    """Find the byte of the head at which the digits of the checksum stand."""
    return text.index(_SHA1_LATER.encode())


def is_own(path: Path) -> bool:
    """Whether an .imzML file says in its head that it was last written here."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_AT_MOST)
    except OSError:
        return False
    return f'defaultDataProcessingRef="{_OWN_HISTORY}"'.encode() in head


def run_id(name: str) -> str:
    """Make an XML id of a slide's name: without spaces and the like, and not numeric at first."""
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", name) or "run"
    return plain if plain[0].isalpha() or plain[0] == "_" else f"_{plain}"


def type_terms(dtype: np.dtype[Any]) -> tuple[str, str, str]:
    """Return the vocabulary, accession and name of a number type."""
    known = _TYPES.get(dtype.name)
    if known is None:
        raise SlideError(f"imzML has no values of type {dtype.name}: use {', '.join(_TYPES)}")
    return known


def _term(vocabulary: str, accession: str, name: str, value: str = "", more: str = "") -> str:
    said = f" value={quoteattr(value)}" if value else ""
    return f'<cvParam cvRef="{vocabulary}" accession="{accession}" name="{name}"{said}{more}/>\n'


def _vocabularies() -> str:
    known = (
        ("MS", "Proteomics Standards Initiative Mass Spectrometry Ontology",
         "http://purl.obolibrary.org/obo/ms/psi-ms.obo"),
        ("UO", "Unit Ontology", "http://purl.obolibrary.org/obo/uo.obo"),
        ("IMS", "Mass Spectrometry Imaging Ontology",
         "https://raw.githubusercontent.com/imzML/imzML/master/imagingMS.obo"),
    )  # fmt: skip
    lines = [f'    <cv id="{a}" fullName="{b}" URI="{c}"/>\n' for a, b, c in known]
    return f'  <cvList count="{len(known)}">\n{"".join(lines)}  </cvList>\n'


def _file_description(head: Head) -> str:
    terms = [
        _term("MS", "MS:1000579", "MS1 spectrum"),
        _term("MS", _MODES[head.mode], f"{head.mode} spectrum"),
        *(_term(*_POLARITIES[p]) for p in head.polarities),
        _term("IMS", _LAYOUTS[head.layout], head.layout),
        _term("IMS", "IMS:1000080", "universally unique identifier", f"{{{head.identity}}}"),
        _term("IMS", "IMS:1000091", "ibd SHA-1", _SHA1_LATER),
    ]
    content = "".join(f"      {term}" for term in terms)
    return (
        f"  <fileDescription>\n    <fileContent>\n{content}    </fileContent>\n"
        f"{head.heritage.source_files}  </fileDescription>\n"
    )


def _groups(head: Head) -> str:
    units = ' unitCvRef="MS" unitAccession="{}" unitName="{}"'
    arrays = (
        ("mzArray", ("MS", "MS:1000514", "m/z array"), ("MS:1000040", "m/z"), head.types[0]),
        ("intensityArray", ("MS", "MS:1000515", "intensity array"),
         ("MS:1000131", "number of detector counts"), head.types[1]),
    )  # fmt: skip
    groups = [
        (
            name,
            [
                _term(*type_terms(dtype)),
                _term("MS", "MS:1000576", "no compression"),
                _term(*kind, more=units.format(*unit)),
                _term("IMS", "IMS:1000101", "external data", "true"),
            ],
        )
        for name, kind, unit, dtype in arrays
    ]
    own = _POLARITIES[head.polarities[0]] if len(head.polarities) == 1 else None
    spectrum = [
        _term("MS", "MS:1000579", "MS1 spectrum"),
        _term("MS", "MS:1000511", "ms level", "1"),
        _term("MS", _MODES[head.mode], f"{head.mode} spectrum"),
        *([_term(*own)] if own is not None else []),
    ]
    groups.append(("spectrum", spectrum))
    lines = "".join(_group(name, terms) for name, terms in groups)
    count = len(groups)
    return (
        f'  <referenceableParamGroupList count="{count}">\n{lines}'
        "  </referenceableParamGroupList>\n"
    )


def _group(name: str, terms: Sequence[str]) -> str:
    inside = "".join(f"      {term}" for term in terms)
    return f'    <referenceableParamGroup id="{name}">\n{inside}    </referenceableParamGroup>\n'


def _software(head: Head) -> str:
    earlier = head.heritage.software
    own = (
        f'    <software id="{_OWN_SOFTWARE}" version="{version(SOFTWARE)}">\n      '
        f"{_term('MS', 'MS:1000799', 'custom unreleased software tool', SOFTWARE)}"
        "    </software>\n"
    )
    return (
        f'  <softwareList count="{len(earlier) + 1}">\n{"".join(earlier)}{own}  </softwareList>\n'
    )


def _scan_settings(head: Head) -> str:
    terms = [
        _term("IMS", "IMS:1000042", "max count of pixels x", str(head.counts[0])),
        _term("IMS", "IMS:1000043", "max count of pixels y", str(head.counts[1])),
    ]
    if head.pixel_size_um is not None:
        height, width = (float(size) for size in head.pixel_size_um)
        um = ' unitCvRef="UO" unitAccession="UO:0000017" unitName="micrometer"'
        whole = [count * size for count, size in zip(head.counts, (width, height), strict=True)]
        for accession, name, um_long in (
            ("IMS:1000044", "max dimension x", whole[0]),
            ("IMS:1000045", "max dimension y", whole[1]),
            ("IMS:1000046", "pixel size x", width),
            ("IMS:1000047", "pixel size y", height),
        ):
            terms.append(_term("IMS", accession, name, repr(um_long), um))
    inside = "".join(f"      {term}" for term in terms)
    return (
        '  <scanSettingsList count="1">\n    <scanSettings id="scanSettings1">\n'
        f"{inside}{head.heritage.scan_terms}    </scanSettings>\n  </scanSettingsList>\n"
    )


def _history(head: Head) -> str:
    earlier = head.heritage.history
    methods = "".join(_method(number, step) for number, step in enumerate(head.steps, 1))
    own = f'    <dataProcessing id="{_OWN_HISTORY}">\n{methods}    </dataProcessing>\n'
    return (
        f'  <dataProcessingList count="{len(earlier) + 1}">\n{"".join(earlier)}{own}'
        "  </dataProcessingList>\n"
    )


def _method(number: int, step: Step) -> str:
    details = "".join(
        f"        <userParam name={quoteattr(name)} value={quoteattr(value)}/>\n"
        for name, value in step.details
    )
    return (
        f'      <processingMethod order="{number}" softwareRef="{_OWN_SOFTWARE}">\n'
        f"        {_term('MS', step.accession, step.name)}{details}      </processingMethod>\n"
    )
