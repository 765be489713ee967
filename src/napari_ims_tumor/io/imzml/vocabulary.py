"""What the accession numbers of the mzML and imzML vocabularies mean.

Sources: psi-ms.obo (HUPO-PSI) and imagingMS.obo 1.1 (imzML). Meaning comes from the accession and
never from the name: exporters spell names freely ("max count of pixel x", or no name at all).
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np

Compression = Literal["none", "zlib", "xz"]

CONTINUOUS: Final = "IMS:1000030"
PROCESSED: Final = "IMS:1000031"
CENTROID: Final = "MS:1000127"
PROFILE: Final = "MS:1000128"
NEGATIVE: Final = "MS:1000129"
POSITIVE: Final = "MS:1000130"

UUID: Final = "IMS:1000080"
CHECKSUMS: Final = {
    "IMS:1000090": "md5",
    "IMS:1000091": "sha1",
    "IMS:1000092": "sha256",
    "MS:1000568": "md5",
    "MS:1000569": "sha1",
    "MS:1003151": "sha256",
}
"""Hash of the .ibd file by accession; the MS terms count only where no IMS term is given."""

MAX_COUNT_X: Final = "IMS:1000042"
MAX_COUNT_Y: Final = "IMS:1000043"
MAX_DIMENSION_X: Final = "IMS:1000044"
MAX_DIMENSION_Y: Final = "IMS:1000045"
PIXEL_SIZE_X: Final = "IMS:1000046"
PIXEL_SIZE_Y: Final = "IMS:1000047"

POSITION_X: Final = "IMS:1000050"
POSITION_Y: Final = "IMS:1000051"
POSITION_Z: Final = "IMS:1000052"
OFFSET: Final = "IMS:1000102"
LENGTH: Final = "IMS:1000103"
ENCODED_LENGTH: Final = "IMS:1000104"

NUMBERS: Final = frozenset({POSITION_X, POSITION_Y, POSITION_Z, OFFSET, LENGTH, ENCODED_LENGTH})
"""The terms whose whole-number value is read from every spectrum."""

MZ_ARRAY: Final = "MS:1000514"
INTENSITY_ARRAY: Final = "MS:1000515"

VALUE_TYPES: Final[dict[str, np.dtype[np.generic]]] = {
    "MS:1000519": np.dtype("<i4"),
    "MS:1000520": np.dtype("<f2"),
    "MS:1000521": np.dtype("<f4"),
    "MS:1000522": np.dtype("<i8"),
    "MS:1000523": np.dtype("<f8"),
    "IMS:1000141": np.dtype("<i4"),
    "IMS:1000142": np.dtype("<i8"),
    "IMS:1100000": np.dtype("<i1"),
    "IMS:1100001": np.dtype("<i2"),
}
"""Types of array values; imzML is little-endian throughout."""

COMPRESSIONS: Final[dict[str, Compression]] = {
    "MS:1000574": "zlib",
    "MS:1000576": "none",
    "IMS:1005001": "xz",
}

FOREIGN_COMPRESSIONS: Final = {
    "MS:1002312": "MS-Numpress linear prediction compression",
    "MS:1002313": "MS-Numpress positive integer compression",
    "MS:1002314": "MS-Numpress short logged float compression",
    "MS:1002746": "MS-Numpress linear prediction compression followed by zlib compression",
    "MS:1002747": "MS-Numpress positive integer compression followed by zlib compression",
    "MS:1002748": "MS-Numpress short logged float compression followed by zlib compression",
    "MS:1003088": "truncation and zlib compression",
    "MS:1003089": "truncation, delta prediction and zlib compression",
    "MS:1003090": "truncation, linear prediction and zlib compression",
    "MS:1003780": "zstd compression",
    "MS:1003781": "byte-shuffled zstd compression",
    "MS:1003782": "dictionary-encoded zstd compression",
    "MS:1003783": "MS-Numpress linear prediction compression followed by zstd compression",
    "MS:1003784": "MS-Numpress positive integer compression followed by zstd compression",
    "MS:1003785": "MS-Numpress short logged float compression followed by zstd compression",
}
"""Compressions that cannot be decoded here; a file that uses one is refused."""

NAMES: Final[dict[str, str]] = {
    CONTINUOUS: "continuous",
    PROCESSED: "processed",
    CENTROID: "centroid spectrum",
    PROFILE: "profile spectrum",
    NEGATIVE: "negative scan",
    POSITIVE: "positive scan",
    MZ_ARRAY: "m/z array",
    INTENSITY_ARRAY: "intensity array",
    POSITION_X: "position x",
    POSITION_Y: "position y",
    POSITION_Z: "position z",
    OFFSET: "external offset",
    LENGTH: "external array length",
    ENCODED_LENGTH: "external encoded length",
    "MS:1000519": "32-bit integer",
    "MS:1000520": "16-bit float",
    "MS:1000521": "32-bit float",
    "MS:1000522": "64-bit integer",
    "MS:1000523": "64-bit float",
    "IMS:1000141": "32-bit integer",
    "IMS:1000142": "64-bit integer",
    "IMS:1100000": "8-bit integer",
    "IMS:1100001": "16-bit integer",
    "MS:1000574": "zlib compression",
    "MS:1000576": "no compression",
    "IMS:1005001": "xz compression",
}
"""Official names of the terms that decide how numbers are read."""

TYPES_BY_NAME: Final = {NAMES[accession]: dtype for accession, dtype in VALUE_TYPES.items()}

MICROMETRES_PER: Final[dict[str, float]] = {
    "UO:0000008": 1e6,
    "UO:0000015": 1e4,
    "UO:0000016": 1e3,
    "UO:0000017": 1.0,
    "UO:0000018": 1e-3,
    "UO:0000019": 1e-4,
    "UO:0000020": 1e-6,
}
"""Length units of the Unit Ontology in µm: m, cm, mm, µm, nm, Å, pm."""

MICROMETRES_BY_NAME: Final[dict[str, float]] = {
    spelling: um
    for um, spellings in (
        (1e6, ("m", "meter", "metre")),
        (1e4, ("cm", "centimeter", "centimetre")),
        (1e3, ("mm", "millimeter", "millimetre")),
        (1.0, ("um", "µm", "μm", "micron", "microns", "micrometer", "micrometre")),
        (1e-3, ("nm", "nanometer", "nanometre")),
    )
    for spelling in spellings
}


def names_disagree(accession: str, name: str) -> bool:
    """Whether a term carries the official name of a *different* term that is read here."""
    official = NAMES.get(accession)
    given = name.strip().lower()
    return official is not None and given != official.lower() and given in _KNOWN_NAMES


_KNOWN_NAMES: Final = frozenset(name.lower() for name in NAMES.values())
