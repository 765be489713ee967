"""What a slide says about itself: identity, mode, polarity, instrument, software."""

from __future__ import annotations

import re
import uuid
from typing import Any, Final

import numpy as np

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.io.imzml import vocabulary as cv
from napari_ims_tumor.io.imzml.arrays import IbdFile
from napari_ims_tumor.io.imzml.index import ArrayTable, SpectrumIndex
from napari_ims_tumor.io.imzml.single import read_mz
from napari_ims_tumor.io.imzml.slide_index import SlideIndex
from napari_ims_tumor.io.imzml.terms import Header
from napari_ims_tumor.io.imzml.wording import spectra
from napari_ims_tumor.msi.arrays import Float64Array
from napari_ims_tumor.msi.spectrum import Mode

_BEGINNING: Final = 16
"""Bytes of the .ibd file that hold its UUID and no values."""


def uuid_note(header: Header, index: SpectrumIndex, ibd: IbdFile) -> list[str]:
    """Warn where the two files do not carry the same identity.

    The first 16 bytes of the .ibd are the UUID, in either byte order: the reference exporter wrote
    the Windows structure.
    """
    stated = re.sub("[^0-9a-f]", "", _value(header, cv.UUID).lower())
    if len(stated) != 32:
        return [
            "no valid UUID is stated, so it is not certain that the .ibd file belongs to it; "
            "compare the names and dates of both files"
        ]
    identity = uuid.UUID(stated)
    if ibd.size >= _BEGINNING and bytes(ibd.read(0, _BEGINNING)) in (
        identity.bytes,
        identity.bytes_le,
    ):
        _refuse_identity_as_values(index, ibd)
        return []
    return [
        "the UUID in the .ibd file is another one than the .imzML file states: do the two files "
        "belong together? Copy both again from the same export."
    ]


def _refuse_identity_as_values(index: SpectrumIndex, ibd: IbdFile) -> None:
    for table in (index.mz, index.intensity):
        inside = np.flatnonzero((table.offsets < _BEGINNING) & (table.nbytes > 0))
        if inside.size:
            raise SlideError(
                f"spectrum {int(inside[0])} is said to begin at byte "
                f"{int(table.offsets[inside[0]])} of {ibd.path.name}, where its UUID lies "
                f"({spectra(inside.size)} in all): the offsets are wrong. Export it again."
            )


def find_mode(header: Header, index: SlideIndex, ibd: IbdFile) -> tuple[Mode, list[str]]:
    """Profile or centroid: what the spectra say, else the file, else the shape of the data."""
    own = {mode for shape in index.shapes for mode in shape.modes}
    whole = {term.accession for term in header.expanded(header.file_content)}
    for said in (own, whole & {cv.PROFILE, cv.CENTROID}):
        if len(said) == 1:
            return ("profile" if cv.PROFILE in said else "centroid"), []
    mode = _guess_mode(index, ibd)
    said_what = "both profile and centroid" if own else "neither profile nor centroid"
    return mode, [
        f"its spectra are said to be {said_what}; they look like {mode} spectra and are read so"
    ]


def _guess_mode(index: SpectrumIndex, ibd: IbdFile) -> Mode:
    """Samples of a curve lie at even distances; peaks do not."""
    longest = int(np.argmax(index.mz.lengths))
    mz: Float64Array = read_mz(ibd, index, longest)
    if mz.size < 8:
        return "centroid"
    steps = np.diff(mz)
    near = np.abs(np.diff(steps)) < 0.1 * np.abs(steps[:-1])
    return "profile" if float(near.mean()) > 0.8 else "centroid"


def describe(header: Header, index: SlideIndex) -> dict[str, str]:
    """Facts for display, in words; what the file does not say is left out."""
    content = header.expanded(header.file_content)
    accessions = {term.accession for term in content}
    for shape in index.shapes:
        accessions |= shape.polarities
    facts = {
        **about_header(header),
        "polarity": " and ".join(
            word
            for word, code in (("positive", cv.POSITIVE), ("negative", cv.NEGATIVE))
            if code in accessions
        ),
        "checksum": ", ".join(kind for kind, _ in checksums(header)),
        "m/z type": _types(index.mz),
        "intensity type": _types(index.intensity),
        "m/z compression": _compressions(index.mz),
        "intensity compression": _compressions(index.intensity),
    }
    return {key: value for key, value in facts.items() if value}


def about_header(header: Header) -> dict[str, str]:
    """Identity, instrument and software, as far as they are stated."""
    facts = {
        "uuid": _value(header, cv.UUID).strip("{} ").lower(),
        "instrument": ", ".join(_instrument(header)),
        "software": ", ".join(dict.fromkeys(header.software)),
    }
    return {key: value for key, value in facts.items() if value}


def checksums(header: Header) -> list[tuple[str, str]]:
    """Hashes of the .ibd file as (kind, hexadecimal digits), imzML's own terms first."""
    found = [
        (cv.CHECKSUMS[term.accession], re.sub("[^0-9a-f]", "", term.value.lower()))
        for term in header.expanded(header.file_content)
        if term.accession in cv.CHECKSUMS and term.accession.startswith("IMS:")
    ]
    return list(dict.fromkeys(found))


def _value(header: Header, accession: str) -> str:
    terms = header.expanded(header.file_content)
    return next((term.value for term in terms if term.accession == accession), "")


def _instrument(header: Header) -> list[str]:
    terms = [t for entries in header.instruments.values() for t in header.expanded(entries)]
    # MS:1000031 is "instrument model" itself, used with the model in its value.
    models = [t.value if t.accession == "MS:1000031" else t.name for t in terms]
    return list(dict.fromkeys(model for model in models if model))


def _types(table: ArrayTable) -> str:
    kinds: list[np.dtype[Any]] = [encoding.dtype for encoding in table.encodings]
    return ", ".join(dict.fromkeys(kind.name for kind in kinds))


def _compressions(table: ArrayTable) -> str:
    return ", ".join(dict.fromkeys(encoding.compression for encoding in table.encodings))
