"""Small whole slides of every kind, to be damaged: written here, and not by the package."""

from __future__ import annotations

import hashlib
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

TYPES = {
    "f4": ("MS:1000521", "32-bit float"),
    "f8": ("MS:1000523", "64-bit float"),
    "i2": ("IMS:1100001", "16-bit integer"),
    "i4": ("MS:1000519", "32-bit integer"),
    "i8": ("MS:1000522", "64-bit integer"),
}
HASHES = {"sha1": ("IMS:1000091", "ibd SHA-1"), "md5": ("IMS:1000090", "ibd MD5")}
SIZE = (
    '<cvParam cvRef="IMS" accession="IMS:1000046" name="pixel size (x)" value="20" '
    'unitCvRef="UO" unitAccession="UO:0000017" unitName="micrometer"/>\n'
)


@dataclass(frozen=True)
class Pair:
    """The two files of a slide, as bytes."""

    name: str
    xml: bytes
    ibd: bytes


@dataclass(frozen=True)
class Kind:
    """What a made-up slide is like."""

    continuous: bool = False
    mz_type: str = "f8"
    intensity_type: str = "f4"
    packed: bool = False
    inline: bool = False
    hash_kind: str = ""
    n_spectra: int = 12
    encoding: str = "ISO-8859-1"
    newline: str = "\n"


KINDS = (
    Kind(hash_kind="sha1"),
    Kind(hash_kind="md5", continuous=True),
    Kind(packed=True, hash_kind="sha1", inline=True),
    Kind(continuous=True, packed=True, hash_kind="sha1"),
    Kind(intensity_type="i4", inline=True, hash_kind="md5"),
    Kind(intensity_type="i8", mz_type="f4"),
    Kind(intensity_type="i2", continuous=True, hash_kind="sha1", encoding="UTF-8"),
    Kind(intensity_type="f8", newline="\r\n"),
    Kind(n_spectra=60, hash_kind="sha1", encoding="UTF-8"),
    Kind(n_spectra=60, continuous=True, inline=True),
    Kind(n_spectra=1, hash_kind="md5"),
)


def made_up_slides(seed: int) -> Iterator[Pair]:
    """One slide of each kind; every processed one has empty spectra."""
    for i, kind in enumerate(KINDS):
        yield _Writer(kind, np.random.default_rng([seed, i])).pair(f"made up {i}")


def made_up(kind: Kind, seed: int) -> Pair:
    """One slide."""
    return _Writer(kind, np.random.default_rng(seed)).pair("made up")


def real_slides(folder: Path | None, most_bytes: int = 60_000) -> Iterator[Pair]:
    """The small slides below a folder, in order of their names."""
    for path in sorted(folder.rglob("*")) if folder is not None else ():
        if path.suffix.lower() != ".imzml":
            continue
        ibd = next((p for p in path.parent.glob(f"{path.stem}.*") if p.suffix.lower() == ".ibd"), 0)
        if ibd and path.stat().st_size + ibd.stat().st_size <= most_bytes:
            yield Pair(path.stem, path.read_bytes(), ibd.read_bytes())


class _Writer:
    def __init__(self, kind: Kind, rng: np.random.Generator) -> None:
        self._kind, self._rng = kind, rng
        self._identity = uuid.UUID(bytes=rng.bytes(16))
        self._ibd = bytearray(self._identity.bytes)
        self._axis: tuple[int, int, int] | None = None

    def pair(self, name: str) -> Pair:
        kind = self._kind
        body = "".join(self._spectrum(i) for i in range(kind.n_spectra))
        text = self._head() + body + "</spectrumList></run></mzML>\n"
        xml = text.replace("\n", kind.newline).encode(kind.encoding)
        return Pair(name, xml, bytes(self._ibd))

    def _head(self) -> str:
        kind = self._kind
        layout = ("30", "continuous") if kind.continuous else ("31", "processed")
        content = _param("IMS:1000080", "universally unique identifier", f"{{{self._identity}}}")
        content += _param(f"IMS:10000{layout[0]}", layout[1])
        if kind.hash_kind:
            # The hash is of the whole .ibd: the body is written before the head.
            digest = hashlib.new(kind.hash_kind, self._ibd).hexdigest()
            content += _param(*HASHES[kind.hash_kind], digest)
        groups = "".join(
            f'<referenceableParamGroup id="{what}Array">\n{self._terms(what)}'
            "</referenceableParamGroup>\n"
            for what in ("mz", "intensity")
        )
        return (
            f'<?xml version="1.0" encoding="{kind.encoding}"?>\n'
            '<mzML xmlns="http://psi.hupo.org/ms/mzml" version="1.1">\n'
            f"<fileDescription><fileContent>\n{content}</fileContent></fileDescription>\n"
            f'<referenceableParamGroupList count="2">\n{groups}</referenceableParamGroupList>\n'
            '<softwareList count="1"><software id="müller" version="1.0"/></softwareList>\n'
            f'<scanSettingsList count="1"><scanSettings id="s">\n{SIZE}</scanSettings>'
            "</scanSettingsList>\n"
            f'<run id="r"><spectrumList count="{kind.n_spectra}">\n'
        )

    def _terms(self, what: str) -> str:
        kind = self._kind
        named = ("MS:1000514", "m/z array") if what == "mz" else ("MS:1000515", "intensity array")
        dtype = kind.mz_type if what == "mz" else kind.intensity_type
        packing = (
            ("MS:1000574", "zlib compression") if kind.packed else ("MS:1000576", "no compression")
        )
        return "".join(_param(*term) for term in (named, TYPES[dtype], packing))

    def _spectrum(self, i: int) -> str:
        kind, rng = self._kind, self._rng
        n = 20 if kind.continuous else (0 if i % 7 == 5 else 4 + i % 6)
        if kind.continuous:
            if self._axis is None:
                self._axis = self._store(np.linspace(100, 119, n), kind.mz_type)
            mz = self._axis
        else:
            mz = self._store(np.sort(rng.uniform(100, 1000, n)), kind.mz_type)
        intensity = self._store(rng.integers(0, 900, n), kind.intensity_type)
        arrays = self._array("mz", mz) + self._array("intensity", intensity)
        return (
            f'<spectrum id="Scan={i}" index="{i}" defaultArrayLength="0">\n'
            + _param("MS:1000127", "centroid spectrum")
            + _param("MS:1000285", "total ion current", i * 1.5)
            + '<scanList count="1"><scan>\n'
            + _param("IMS:1000050", "position x", i % 4 + 1)
            + _param("IMS:1000051", "position y", i // 4 + 1)
            + f'</scan></scanList>\n<binaryDataArrayList count="2">\n{arrays}'
            + "</binaryDataArrayList></spectrum>\n"
        )

    def _store(self, values: np.ndarray, dtype: str) -> tuple[int, int, int]:
        data = values.astype("<" + dtype).tobytes()
        stored = zlib.compress(data) if self._kind.packed else data
        place = (len(self._ibd), len(values), len(stored))
        self._ibd += stored
        return place

    def _array(self, what: str, place: tuple[int, int, int]) -> str:
        ref = f'<referenceableParamGroupRef ref="{what}Array"/>\n'
        head = self._terms(what) if self._kind.inline else ref
        return (
            f'<binaryDataArray encodedLength="0">\n{head}'
            + _param("IMS:1000102", "external offset", place[0])
            + _param("IMS:1000103", "external array length", place[1])
            + _param("IMS:1000104", "external encoded length", place[2])
            + _param("IMS:1000101", "external data", "true")
            + "<binary/></binaryDataArray>\n"
        )


def _param(accession: str, name: str, value: object = "") -> str:
    cv = accession.partition(":")[0]
    return f'<cvParam cvRef="{cv}" accession="{accession}" name="{name}" value="{value}"/>\n'


def changed(pair: Pair, xml: bytes | None = None, ibd: bytes | None = None) -> Pair:
    """A slide with other bytes in one of its files."""
    return replace(pair, xml=pair.xml if xml is None else xml, ibd=pair.ibd if ibd is None else ibd)
