"""Ways to damage a slide: each takes the bytes of one file and a random generator."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from fuzzing.slides import Pair, changed

Damage: TypeAlias = Callable[[bytes, np.random.Generator], bytes]

_ATTRIBUTE = re.compile(rb"\s[\w:.\-]+\s*=\s*(?:\"[^\"<]*\"|'[^'<]*')")
_VALUE = re.compile(rb"(?<=value=\")[^\"<]*(?=\")")
_NUMBER = re.compile(rb"(?<=value=\")[0-9.\-]+(?=\")")
_ACCESSION = re.compile(rb"(?<=accession=\")[^\"<]*(?=\")")
_TAG = re.compile(rb"<[^!?<>][^<>]*>")
_EMPTY_TAG = re.compile(rb"<[^!?/<>][^<>]*/>")
_ELEMENTS = (
    _EMPTY_TAG,
    re.compile(rb"<spectrum .*?</spectrum>", re.DOTALL),
    re.compile(rb"<binaryDataArray .*?</binaryDataArray>", re.DOTALL),
    re.compile(rb"<scan>.*?</scan>", re.DOTALL),
    re.compile(rb"<referenceableParamGroup .*?</referenceableParamGroup>", re.DOTALL),
)
_ODD_VALUES = (
    b"", b"0", b"-1", b"-16", b"2147483648", b"4294967296", b"4294967312", b"9223372036854775807",
    b"9223372036854775808", b"18446744073709551600", b"1" + b"0" * 30, b"9" * 5000, b"1e3", b"NaN",
    b"inf", b" 16 ", b"16.0", b"16.", b"16.5", b"+16", b"0x10", b"1_6", b"016", b"true", b"1,000",
    b"\xd9\xa1\xd9\xa6", b"&#49;6", b"&amp;",
)  # fmt: skip
_ODD_ACCESSIONS = (
    b"MS:1000514", b"MS:1000515", b"MS:1000519", b"MS:1000520", b"MS:1000521", b"MS:1000522",
    b"MS:1000523", b"MS:1000574", b"MS:1000576", b"MS:1002312", b"MS:1003780", b"IMS:1000030",
    b"IMS:1000031", b"IMS:1000050", b"IMS:1000051", b"IMS:1000052", b"IMS:1000080", b"IMS:1000091",
    b"IMS:1000102", b"IMS:1000103", b"IMS:1000104", b"IMS:1100000", b"IMS:1100001", b"IMS:1005001",
    b"IMS:1000046", b"IMS:1000047", b"MS:1000128", b"", b"MS:9999999",
)  # fmt: skip
_SNIPPETS = (
    b"&x;", b"&#1;", b"&#x41;", b"&amp;", b"&lt;", b"<!-- <spectrum> -->", b"<!-- -- -->",
    b"<?x y?>", b"<![CDATA[<spectrum>]]>", b"]]>", b"<!DOCTYPE x>", b"\x00", b"\xff\xfe",
    b"\xef\xbb\xbf", b"\x0b", b"<", b">", b"\"", b"'", b"/>", b"</spectrum>", b"<spectrum>",
    b"<cvParam/>", b" ", b"\xc3", b"\xe9", b"<userParam name=\"a\" value=\"1\"/>",
)  # fmt: skip
_DOCTYPES = (
    b'<!DOCTYPE mzML [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
    b'<!DOCTYPE mzML SYSTEM "http://example.org/x.dtd">',
    b'<!DOCTYPE mzML [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
    b"<!DOCTYPE mzML>",
)
_ENCODINGS = (
    b"UTF-8", b"UTF-16", b"US-ASCII", b"windows-1252", b"ISO-8859-1", b"ISO-8859-15", b"Shift_JIS",
    b"UTF-7", b"UTF-32", b"x-nowhere", b"hex", b"", b"EBCDIC-CP-US",
)  # fmt: skip


def damaged(pair: Pair, rng: np.random.Generator) -> tuple[str, Pair]:
    """Damage a slide in one way, one in ten in several.

    Returns
    -------
    tuple
        The way's name, and the slide; the name of several is ``"several"``.
    """
    names = list(WAYS)
    if rng.random() < 0.1:
        for _ in range(int(rng.integers(2, 5))):
            pair = _once(pair, names[int(rng.integers(len(names)))], rng)
        return "several", pair
    name = names[int(rng.integers(len(names)))]
    return name, _once(pair, name, rng)


def _once(pair: Pair, name: str, rng: np.random.Generator) -> Pair:
    damage = WAYS[name]
    if name.startswith("ibd"):
        return changed(pair, ibd=damage(pair.ibd, rng))
    return changed(pair, xml=damage(pair.xml, rng))


def _place(data: bytes, rng: np.random.Generator) -> int:
    return int(rng.integers(len(data))) if data else 0


def _bytes(data: bytes, rng: np.random.Generator, first: int = 0) -> bytes:
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 6))):
        if len(out) > first:
            out[int(rng.integers(first, len(out)))] = int(rng.integers(256))
    return bytes(out)


def _bit(data: bytes, rng: np.random.Generator, first: int = 0) -> bytes:
    out = bytearray(data)
    if len(out) > first:
        out[int(rng.integers(first, len(out)))] ^= 1 << int(rng.integers(8))
    return bytes(out)


def _spot(pattern: re.Pattern[bytes], data: bytes, rng: np.random.Generator) -> tuple[int, int]:
    found = [match.span() for match in pattern.finditer(data)]
    return found[int(rng.integers(len(found)))] if found else (0, 0)


def _swapped(data: bytes, one: tuple[int, int], two: tuple[int, int]) -> bytes:
    (a, b), (c, d) = sorted((one, two))
    if b > c:
        return data
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def _replaced(pattern: re.Pattern[bytes], choices: tuple[bytes, ...]) -> Damage:
    def damage(data: bytes, rng: np.random.Generator) -> bytes:
        start, end = _spot(pattern, data, rng)
        return data[:start] + choices[int(rng.integers(len(choices)))] + data[end:]

    return damage


def _digit(data: bytes, rng: np.random.Generator) -> bytes:
    start, end = _spot(_NUMBER, data, rng)
    if start == end:
        return data
    place = int(rng.integers(start, end))
    return data[:place] + b"%d" % rng.integers(10) + data[place + 1 :]


def _nudged(data: bytes, rng: np.random.Generator) -> bytes:
    """Move a whole number a little: the way offsets and lengths go wrong."""
    start, end = _spot(re.compile(rb"(?<=value=\")[0-9]{1,15}(?=\")"), data, rng)
    if start == end:
        return data
    step = int(rng.choice([-8, -4, -1, 1, 4, 8, 16]))
    return data[:start] + b"%d" % (int(data[start:end]) + step) + data[end:]


def _removed(pattern: re.Pattern[bytes]) -> Damage:
    def damage(data: bytes, rng: np.random.Generator) -> bytes:
        start, end = _spot(pattern, data, rng)
        return data[:start] + data[end:]

    return damage


def _doubled(pattern: re.Pattern[bytes]) -> Damage:
    def damage(data: bytes, rng: np.random.Generator) -> bytes:
        start, end = _spot(pattern, data, rng)
        return data[:end] + data[start:end] + data[end:]

    return damage


def _exchanged(pattern: re.Pattern[bytes]) -> Damage:
    def damage(data: bytes, rng: np.random.Generator) -> bytes:
        return _swapped(data, _spot(pattern, data, rng), _spot(pattern, data, rng))

    return damage


def _element(act: Callable[[re.Pattern[bytes]], Damage]) -> Damage:
    def damage(data: bytes, rng: np.random.Generator) -> bytes:
        return act(_ELEMENTS[int(rng.integers(len(_ELEMENTS)))])(data, rng)

    return damage


def _moved(data: bytes, rng: np.random.Generator) -> bytes:
    """Copy an element to where another one stands."""
    start, end = _spot(_EMPTY_TAG, data, rng)
    there = _spot(_TAG, data, rng)[0]
    return data[:there] + data[start:end] + data[there:]


def _truncated(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: _place(data, rng)]


def _extended(data: bytes, rng: np.random.Generator) -> bytes:
    return data + rng.bytes(int(rng.integers(1, 200)))


def _inserted(data: bytes, rng: np.random.Generator) -> bytes:
    place = _place(data, rng)
    return data[:place] + _SNIPPETS[int(rng.integers(len(_SNIPPETS)))] + data[place:]


def _block(data: bytes, rng: np.random.Generator) -> bytes:
    """Lose, repeat or blank a stretch, as a bad sector or a broken transfer does."""
    start = _place(data, rng)
    end = min(start + int(rng.integers(1, 500)), len(data))
    act = int(rng.integers(3))
    return data[:start] + (b"", data[start:end] * 2, bytes(end - start))[act] + data[end:]


def _blocks_swapped(data: bytes, rng: np.random.Generator) -> bytes:
    size = int(rng.integers(1, 65))
    places = [_place(data[:-size] or data, rng) for _ in range(2)]
    return _swapped(data, *((place, min(place + size, len(data))) for place in places))


def _doctype(data: bytes, rng: np.random.Generator) -> bytes:
    kind = _DOCTYPES[int(rng.integers(len(_DOCTYPES)))]
    head, end, rest = data.partition(b"?>")
    return head + end + kind + rest


def _encoding(data: bytes, rng: np.random.Generator) -> bytes:
    """State another encoding, write another one, or put a byte order mark in front."""
    act = int(rng.integers(4))
    if act == 0:
        return re.sub(rb"<\?xml.*?\?>", b"", data, count=1)
    if act == 1:
        return b"\xef\xbb\xbf" + data
    if act == 2:
        name = ("utf-8", "utf-16", "utf-16-be", "utf-32", "cp1252", "cp500")[int(rng.integers(6))]
        return data.decode("latin-1").encode(name, "replace")
    name = _ENCODINGS[int(rng.integers(len(_ENCODINGS)))]
    return re.sub(rb'encoding="[^"]*"', b'encoding="' + name + b'"', data, count=1)


WAYS: dict[str, Damage] = {
    "xml: bytes": _bytes,
    "xml: one bit": _bit,
    "xml: a digit": _digit,
    "xml: a number nudged": _nudged,
    "xml: an odd value": _replaced(_NUMBER, _ODD_VALUES),
    "xml: another accession": _replaced(_ACCESSION, _ODD_ACCESSIONS),
    "xml: attribute removed": _removed(_ATTRIBUTE),
    "xml: attribute repeated": _doubled(_ATTRIBUTE),
    "xml: attributes swapped": _exchanged(_ATTRIBUTE),
    "xml: values swapped": _exchanged(_VALUE),
    "xml: accessions swapped": _exchanged(_ACCESSION),
    "xml: tag removed": _removed(_TAG),
    "xml: tag repeated": _doubled(_TAG),
    "xml: tags swapped": _exchanged(_TAG),
    "xml: element removed": _element(_removed),
    "xml: element repeated": _element(_doubled),
    "xml: elements swapped": _element(_exchanged),
    "xml: element copied elsewhere": _moved,
    "xml: truncated": _truncated,
    "xml: extended": _extended,
    "xml: block lost or repeated": _block,
    "xml: blocks swapped": _blocks_swapped,
    "xml: something inserted": _inserted,
    "xml: document type": _doctype,
    "xml: encoding": _encoding,
    "ibd: bytes": lambda data, rng: _bytes(data, rng, 16),
    "ibd: one bit": lambda data, rng: _bit(data, rng, 16),
    "ibd: UUID": lambda data, rng: rng.bytes(16) + data[16:],
    "ibd: truncated": _truncated,
    "ibd: extended": _extended,
    "ibd: block lost or repeated": _block,
    "ibd: blocks swapped": _blocks_swapped,
}
