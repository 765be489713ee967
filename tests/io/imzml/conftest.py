"""A tiny imzML writer for tests: independent of the reader and of pyimzML, with legal quirks."""

from __future__ import annotations

import hashlib
import uuid
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from napari_ims_tumor.io.imzml.columns import Document

TYPES = {
    "f2": ("MS:1000520", "16-bit float"),
    "f4": ("MS:1000521", "32-bit float"),
    "f8": ("MS:1000523", "64-bit float"),
    "i1": ("IMS:1100000", "8-bit integer"),
    "i2": ("IMS:1100001", "16-bit integer"),
    "i4": ("MS:1000519", "32-bit integer"),
    "i8": ("MS:1000522", "64-bit integer"),
}
IDENTITY = uuid.UUID("12345678-9abc-def0-1234-56789abcdef0")


@dataclass(frozen=True)
class Pixel:
    """One spectrum and where it lies."""

    x: int
    y: int
    mz: np.ndarray
    intensity: np.ndarray
    z: int | None = None


@dataclass(frozen=True)
class Quirks:
    """What is legal, and done differently by different exporters."""

    layout: str = "processed"
    mode: str = "MS:1000127"
    mz_type: str = "f8"
    intensity_type: str = "f4"
    mz_zlib: bool = False
    intensity_zlib: bool = False
    intensity_first: bool = False
    inline: bool = False
    nested: bool = False
    share_mz: bool = False
    mobility: bool = False
    encoding: str = "ISO-8859-1"
    declaration: bool = True
    bom: bool = False
    newline: str = "\n"
    single_quotes: bool = False
    namespace: str | None = "http://psi.hupo.org/ms/mzml"
    prefix: str = ""
    reverse_attributes: bool = False
    comments: bool = False
    settings: str = ""
    suffixes: tuple[str, str] = (".imzML", ".ibd")
    hash_kind: str = "sha1"
    identity: bytes = IDENTITY.bytes
    edit: Callable[[str], str] = lambda text: text
    edit_ibd: Callable[[bytes], bytes] = lambda data: data


def param(accession: str, name: str = "", value: object = "", quirks: Quirks = Quirks()) -> str:
    pairs = [
        ("cvRef", accession.split(":")[0]),
        ("accession", accession),
        ("name", name),
        ("value", value),
    ]
    if quirks.reverse_attributes:
        pairs.reverse()
    return f"<{quirks.prefix}cvParam " + " ".join(f'{k}="{v}"' for k, v in pairs) + "/>\n"


def array_terms(kind: str, quirks: Quirks) -> str:
    is_mz = kind == "mz"
    packed = quirks.mz_zlib if is_mz else quirks.intensity_zlib
    dtype = quirks.mz_type if is_mz else quirks.intensity_type
    name = ("MS:1000514", "m/z array") if is_mz else ("MS:1000515", "intensity array")
    compression = ("MS:1000574", "zlib compression") if packed else ("MS:1000576", "no compression")
    terms = [name, TYPES[dtype], compression]
    return "".join(param(*term, quirks=quirks) for term in terms)


class Writer:
    """Writes one slide."""

    def __init__(self, quirks: Quirks) -> None:
        self.q = quirks
        self.ibd = bytearray(quirks.identity)
        self.shared: dict[tuple[bytes, bool], tuple[int, int, int]] = {}

    def array(self, values: np.ndarray, dtype: str, packed: bool, share: bool) -> tuple[int, ...]:
        data = np.asarray(values).astype("<" + dtype).tobytes()
        if share and (data, packed) in self.shared:
            return self.shared[data, packed]
        stored = zlib.compress(data) if packed else data
        place = (len(self.ibd), len(values), len(stored))
        self.ibd += stored
        self.shared[data, packed] = place
        return place

    def array_xml(self, kind: str, place: tuple[int, ...]) -> str:
        q, p = self.q, self.q.prefix
        head = (
            array_terms(kind, q)
            if q.inline
            else f'<{p}referenceableParamGroupRef ref="{kind}Array"/>\n'
        )
        numbers = [
            param("IMS:1000102", "external offset", place[0], q),
            param("IMS:1000103", "external array length", place[1], q),
            param("IMS:1000104", "external encoded length", place[2], q),
            param("IMS:1000101", "external data", "true", q),
        ]
        if q.reverse_attributes:
            numbers.reverse()
        return (
            f'<{p}binaryDataArray encodedLength="0">\n{head}{"".join(numbers)}'
            f"<{p}binary/></{p}binaryDataArray>\n"
        )

    def spectrum(self, i: int, pixel: Pixel) -> str:
        q, p = self.q, self.q.prefix
        share = q.layout == "continuous" or q.share_mz
        mz = self.array(pixel.mz, q.mz_type, q.mz_zlib, share)
        intensity = self.array(pixel.intensity, q.intensity_type, q.intensity_zlib, False)
        arrays = [self.array_xml("mz", mz), self.array_xml("intensity", intensity)]
        if q.mobility:
            place = self.array(pixel.mz, "f8", False, False)
            arrays.insert(1, self.mobility_xml(place))
        if q.intensity_first:
            arrays.reverse()
        position = param("IMS:1000050", "position x", pixel.x, q)
        position += param("IMS:1000051", "position y", pixel.y, q)
        if pixel.z is not None:
            position += param("IMS:1000052", "position z", pixel.z, q)
        comment = "<!-- <spectrum> & --> \n" if q.comments else ""
        return (
            f'{comment}<{p}spectrum id="Scan={i}" index="{i}" defaultArrayLength="0">\n'
            f"{param(q.mode, '', '', q)}{param('MS:1000285', 'total ion current', i * 1.5, q)}"
            f'<{p}scanList count="1"><{p}scan>\n{position}</{p}scan></{p}scanList>\n'
            f'<{p}binaryDataArrayList count="{len(arrays)}">\n{"".join(arrays)}'
            f"</{p}binaryDataArrayList></{p}spectrum>\n"
        )

    def mobility_xml(self, place: tuple[int, ...]) -> str:
        xml = self.array_xml("mz", place)
        inline = param("MS:1003006", "mean inverse reduced ion mobility array", "", self.q)
        inline += param("MS:1000523", "64-bit float", "", self.q)
        head = (
            array_terms("mz", self.q)
            if self.q.inline
            else f'<{self.q.prefix}referenceableParamGroupRef ref="mzArray"/>\n'
        )
        return xml.replace(head, inline)

    def groups(self) -> str:
        q, p = self.q, self.q.prefix
        if not q.nested:
            return "".join(
                f'<{p}referenceableParamGroup id="{kind}Array">{array_terms(kind, q)}'
                f"</{p}referenceableParamGroup>\n"
                for kind in ("mz", "intensity")
            )
        return "".join(
            f'<{p}referenceableParamGroup id="{kind}Array">'
            f'<{p}referenceableParamGroupRef ref="{kind}Inner"/></{p}referenceableParamGroup>\n'
            f'<{p}referenceableParamGroup id="{kind}Inner">{array_terms(kind, q)}'
            f"</{p}referenceableParamGroup>\n"
            for kind in ("mz", "intensity")
        )

    def document(self, pixels: list[Pixel]) -> str:
        q, p = self.q, self.q.prefix
        body = "".join(self.spectrum(i, pixel) for i, pixel in enumerate(pixels))
        self.ibd = bytearray(q.edit_ibd(bytes(self.ibd)))
        layout = {"continuous": "IMS:1000030", "processed": "IMS:1000031"}.get(q.layout, "")
        checksum = {"sha1": "IMS:1000091", "md5": "IMS:1000090"}
        content = param("IMS:1000080", "universally unique identifier", f"{{{IDENTITY}}}", q)
        content += param(layout, q.layout, "", q) if layout else ""
        if q.hash_kind in checksum:
            digest = hashlib.new(q.hash_kind, self.ibd).hexdigest().upper()
            content += param(checksum[q.hash_kind], f"ibd {q.hash_kind}", digest, q)
        colon = ":" + p.rstrip(":") if p else ""
        space = f' xmlns{colon}="{q.namespace}"' if q.namespace else ""
        declaration = f'<?xml version="1.0" encoding="{q.encoding}"?>\n' if q.declaration else ""
        return (
            f'{declaration}<{p}mzML{space} version="1.1">\n'
            f"<{p}fileDescription><{p}fileContent>\n{content}</{p}fileContent>"
            f"</{p}fileDescription>\n"
            f'<{p}referenceableParamGroupList count="2">{self.groups()}'
            f"</{p}referenceableParamGroupList>\n"
            f'<{p}softwareList count="1"><{p}software id="müller" version="1"/></{p}softwareList>\n'
            f'<{p}scanSettingsList count="1"><{p}scanSettings id="s">\n{q.settings}'
            f"</{p}scanSettings></{p}scanSettingsList>\n"
            f'<{p}run id="r"><{p}spectrumList count="{len(pixels)}">\n{body}'
            f"</{p}spectrumList></{p}run></{p}mzML>\n"
        )

    def write(self, folder: Path, pixels: list[Pixel], name: str) -> Path:
        text = self.q.edit(self.document(pixels))
        if self.q.single_quotes:
            text = text.replace('"', "'")
        raw = text.replace("\n", self.q.newline).encode(self.q.encoding)
        if self.q.bom and self.q.encoding.lower() == "utf-8":
            raw = b"\xef\xbb\xbf" + raw
        imzml = folder / f"{name}{self.q.suffixes[0]}"
        imzml.write_bytes(raw)
        (folder / f"{name}{self.q.suffixes[1]}").write_bytes(bytes(self.ibd))
        return imzml


def is_same(one: Document, other: Document) -> bool:
    """Whether two readings found the same header, structures and numbers, in the same order."""
    return (
        (one.header, one.structures, one.notes) == (other.header, other.structures, other.notes)
        and np.array_equal(one.kinds, other.kinds)
        and len(one.tables) == len(other.tables)
        and all(map(np.array_equal, one.tables, other.tables))
    )


@pytest.fixture
def same_document() -> Callable[[Document, Document], bool]:
    """``same_document(one, other)``: whether two readings found the same."""
    return is_same


WriteSlide = Callable[..., Path]


@pytest.fixture
def write_slide(tmp_path: Path) -> WriteSlide:
    """``write_slide(pixels, name="slide", **quirks)`` writes a slide and returns its .imzML."""

    def write(pixels: list[Pixel], name: str = "slide", **quirks: object) -> Path:
        return Writer(Quirks(**quirks)).write(tmp_path, pixels, name)  # type: ignore[arg-type]

    return write


@pytest.fixture
def write_slide_in() -> WriteSlide:
    """Like ``write_slide``, in a folder of the caller's choice: for generated examples."""

    def write(folder: Path, pixels: list[Pixel], name: str = "slide", **quirks: object) -> Path:
        return Writer(Quirks(**quirks)).write(folder, pixels, name)  # type: ignore[arg-type]

    return write


def _centroids(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    mz = np.unique(rng.uniform(100, 1000, n).astype(np.float32)).astype(np.float64)
    return mz, rng.integers(0, 100, mz.size).astype(np.float64)


@pytest.fixture
def processed_pixels() -> list[Pixel]:
    """Twelve centroid spectra of different lengths on 3 columns x 4 rows; one is empty."""
    pixels = []
    for i in range(12):
        mz, intensity = _centroids(0 if i == 5 else 5 + i, i)
        pixels.append(Pixel(i % 3 + 1, i // 3 + 1, mz, intensity))
    return pixels


@pytest.fixture
def continuous_pixels() -> list[Pixel]:
    """Twelve spectra on one axis of 30 channels, on 3 columns x 4 rows."""
    rng = np.random.default_rng(7)
    mz = np.arange(100.0, 130.0)
    return [
        Pixel(i % 3 + 1, i // 3 + 1, mz, rng.integers(0, 100, 30).astype(float)) for i in range(12)
    ]


@pytest.fixture
def make_pixel() -> type[Pixel]:
    """The class of a pixel: ``make_pixel(x, y, mz, intensity, z=None)``."""
    return Pixel


@pytest.fixture
def make_param() -> Callable[..., str]:
    """``make_param(accession, name, value)``: the XML of a term."""
    return param
