"""Learns how a file writes its spectra, and reads further ones without an XML parser.

A template is learned from a spectrum that the XML parser has just read: its text with the values
left open. Text that matches is well-formed, has the same elements, accessions and groups, and so
means the same; only its numbers differ, and those are captured. What does not match goes to the
parser. The result is the parser's, many times sooner.

A template reads in two ways. Its stencil reads many spectra at once, written as plainly as can be.
Its pattern reads one spectrum, and is more generous: numbers may have signs, blanks and ".0".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import Final, Literal, NamedTuple, TypeAlias

import numpy as np

from napari_ims_tumor.io.imzml.stencil import NUMBER, Stencil, make_stencil
from napari_ims_tumor.io.imzml.text import Text
from napari_ims_tumor.io.imzml.vocabulary import NUMBERS

_TAG: Final = re.compile(
    rb"<(?P<name>/?[\w:.\-]+)"
    rb"(?P<attributes>(?:\s+[\w:.\-]+\s*=\s*(?:\"[^\"<]*\"|'[^'<]*'))*)"
    rb"\s*/?>"
)
_ATTRIBUTE: Final = re.compile(
    rb"(?P<name>[\w:.\-]+)\s*=\s*(?:\"(?P<double>[^\"<]*)\"|'(?P<single>[^'<]*)')"
)

_NUMBER: Final = rb"[ \t]*+([-+]?[0-9]{1,18}+)(?:\.0*+)?[ \t]*+"
# Printable ASCII without the quote, & and <: what may stand in a value without a second look.
_ANYTHING: Final = {
    "double": rb"[\t\n\r !#-%'-;=-~]*+",
    "single": rb"[\t\n\r -%(-;=-~]*+",
}
_OPEN_ATTRIBUTES: Final = {
    b"spectrum": frozenset({b"id", b"index", b"defaultArrayLength", b"spotID", b"nativeID"}),
    b"binaryDataArray": frozenset({b"encodedLength", b"arrayLength"}),
    b"cvParam": frozenset({b"value"}),
    b"userParam": frozenset({b"value"}),
}
_QUOTES: Final = {"double": ord('"'), "single": ord("'")}
MARKUP: Final = re.compile(rb"<[!?]")
"""Begins a comment, a CDATA section, a processing instruction or a declaration."""

_PLAIN: Final = re.compile(r"[ \t]*([-+]?[0-9]{1,18})(?:\.0*)?[ \t]*")


_Pick: TypeAlias = Callable[[tuple[bytes, ...]], tuple[bytes, ...]]


class _Piece(NamedTuple):
    """A stretch of fixed text, or the pattern of a value, its quote and its length here."""

    what: Literal["fixed", "open", "number"]
    text: bytes
    quote: int = 0
    size: int = 0


class Pattern:
    """A template's regular expression: reads one spectrum, and is made when it is first needed.

    It matches white space and one spectrum; its groups are the stretches of fixed text and the
    numbers. A fixed stretch is matched as "so many bytes" and compared afterwards, which is several
    times faster than a pattern that spells it out.
    """

    def __init__(self, pieces: list[_Piece]) -> None:
        self._pieces = pieces
        self._fixed = tuple(piece.text for piece in pieces if piece.what == "fixed")
        grouped = [piece.what for piece in pieces if piece.what != "open"]
        self._pick_fixed: _Pick = _picking(grouped, "fixed")
        self._pick_numbers: _Pick = _picking(grouped, "number")

    @cached_property
    def _compiled(self) -> re.Pattern[bytes]:
        patterns = [b"(.{%d})" % len(t) if w == "fixed" else t for w, t, *_ in self._pieces]
        return re.compile(rb"[ \t\r\n]*+" + b"".join(patterns), re.DOTALL)

    def read_one(
        self, text: bytes | bytearray, start: int, size: int
    ) -> tuple[list[int], int] | None:
        """Read the spectrum at ``start`` in the first ``size`` bytes of a text.

        Returns
        -------
        tuple or None
            Its numbers, and where the next one starts; ``None`` where it does not match.
        """
        found = self._compiled.match(text, start, size)
        if found is None:
            return None
        groups = found.groups()
        if self._pick_fixed(groups) != self._fixed:
            return None
        return list(map(int, self._pick_numbers(groups))), found.end()


def _picking(grouped: Sequence[str], wanted: str) -> _Pick:
    return itemgetter(*(i for i, what in enumerate(grouped) if what == wanted))


@dataclass(frozen=True, slots=True)
class Template:
    """The text of a spectrum with its values left open.

    Attributes
    ----------
    pattern
        Reads one spectrum.
    stencil
        Reads many spectra at once; ``None`` where their values are too long for that.
    kind
        Index of the structure that such a spectrum has.
    end
        The closing tag.
    """

    pattern: Pattern
    stencil: Stencil | None
    kind: int
    end: bytes

    def reads(self, text: bytes, numbers: list[int]) -> bool:
        """Whether it finds these numbers in this spectrum, and reads it to its end."""
        if self.stencil is not None:
            places = np.array([0, len(text)])
            read = self.stencil.read(Text.of(text), places[:1], places[1:])
            if read.rows.size:
                return bool(read.numbers[:, 0].tolist() == numbers)
        return self.pattern.read_one(text, 0, len(text)) == (numbers, len(text))


def learn(text: bytes, kind: int, values: list[str]) -> Template | None:
    """Make a template from one spectrum.

    Parameters
    ----------
    text
        The spectrum as written, white space before it included.
    kind
        Index of its structure.
    values
        The numbers that the XML parser found in it.

    Returns
    -------
    Template or None
        ``None`` where the text is unusual (comments, entities) or would not be read the same way.
    """
    if MARKUP.search(text) or b"&" in text:
        return None
    written = text.lstrip(b" \t\r\n")
    pieces = list(_joined(_pieces(written)))
    if sum(piece.what == "number" for piece in pieces) < 2:
        return None
    template = _build(pieces, kind, text[: len(text) - len(written)])
    plain = [_PLAIN.fullmatch(value) for value in values]
    as_parsed = [int(found[1]) for found in plain if found is not None]
    return template if None not in plain and template.reads(text, as_parsed) else None


def _joined(pieces: Iterator[_Piece]) -> Iterator[_Piece]:
    """Join neighboring stretches of fixed text: then those and values take turns."""
    for what, run in groupby(pieces, key=lambda piece: piece.what):
        if what == "fixed":
            yield _Piece("fixed", b"".join(piece.text for piece in run))
        else:
            yield from run


def _build(pieces: list[_Piece], kind: int, before: bytes) -> Template:
    """Make the pattern and the stencil; ``before`` is the white space before the spectrum."""
    last = pieces[-1].text
    return Template(
        pattern=Pattern(pieces),
        stencil=make_stencil(_steps(pieces, before)),
        kind=kind,
        end=last[last.rindex(b"<") :],
    )


def _steps(pieces: list[_Piece], before: bytes) -> list[tuple[bytes, int | None, int]]:
    """Pair each stretch of fixed text with the value after it."""
    steps = []
    for i, piece in enumerate(pieces):
        if piece.what != "fixed":
            continue
        text = before + piece.text if i == 0 else piece.text
        value = pieces[i + 1] if i + 1 < len(pieces) else None
        quote = None if value is None else NUMBER if value.what == "number" else value.quote
        steps.append((text, quote, 0 if value is None else value.size))
    return steps


def _pieces(text: bytes) -> Iterator[_Piece]:
    done = 0
    for tag in _TAG.finditer(text):
        yield _Piece("fixed", text[done : tag.start("attributes")])
        name = tag["name"].rpartition(b":")[2]
        yield from _attributes(name, tag["attributes"])
        done = tag.end("attributes")
    yield _Piece("fixed", text[done:])


def _attributes(name: bytes, text: bytes) -> Iterator[_Piece]:
    """Cut a tag's attributes up: values that do not change the meaning are left open."""
    found = list(_ATTRIBUTE.finditer(text))
    accession = next((_value(one) for one in found if one["name"] == b"accession"), b"")
    is_number = name == b"cvParam" and accession.decode("latin-1").strip() in NUMBERS
    done = 0
    for one in found:
        is_open = one["name"] in _OPEN_ATTRIBUTES.get(name, frozenset())
        # An empty value belongs to a term that is a flag; it stays empty in the next spectrum.
        if not is_open or not _value(one):
            continue
        quoted = "double" if one["double"] is not None else "single"
        yield _Piece("fixed", text[done : one.start(quoted)])
        number = is_number and one["name"] == b"value"
        size = one.end(quoted) - one.start(quoted)
        if number:
            yield _Piece("number", _NUMBER)
        else:
            yield _Piece("open", _ANYTHING[quoted], _QUOTES[quoted], size)
        done = one.end(quoted)
    yield _Piece("fixed", text[done:])


def _value(attribute: re.Match[bytes]) -> bytes:
    double = attribute["double"]
    return double if double is not None else attribute["single"]
