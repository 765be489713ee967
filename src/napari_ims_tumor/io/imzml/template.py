"""Reads spectra that are written alike with one regular expression instead of an XML parser.

A template is learned from a spectrum that the XML parser has just read: its text with the values
left open. Text that matches is well-formed, has the same elements, accessions and groups, and so
means the same; only its numbers differ, and those are captured. What does not match goes to the
parser. The result is the parser's, some ten times sooner.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Final, Literal, NamedTuple

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
_MARKUP: Final = re.compile(rb"<[!?]")


_PLAIN: Final = re.compile(r"[ \t]*([-+]?[0-9]{1,18})(?:\.0*)?[ \t]*")


class _Piece(NamedTuple):
    """A stretch of fixed text, or the pattern of a value."""

    what: Literal["fixed", "open", "number"]
    text: bytes


@dataclass(frozen=True, slots=True)
class Template:
    """The text of a spectrum with its values left open.

    Attributes
    ----------
    pattern
        Matches white space and one spectrum; its groups are the stretches of fixed text and the
        numbers. A fixed stretch is matched as "so many bytes" and compared afterwards, which is
        several times faster than a pattern that spells it out.
    fixed
        What the fixed stretches must be.
    fixed_groups, number_groups
        Which groups of the pattern hold them.
    kind
        Index of the structure that such a spectrum has.
    """

    pattern: re.Pattern[bytes]
    fixed: tuple[bytes, ...]
    fixed_groups: tuple[int, ...]
    number_groups: tuple[int, ...]
    kind: int

    def skip(self, text: bytes, start: int, numbers: list[int]) -> tuple[int, int]:
        """Read as many spectra as match from ``start`` on, appending to ``numbers``.

        Returns
        -------
        tuple of int
            How many were read, and where the next one starts.
        """
        match, fixed = self.pattern.match, self.fixed
        pick_fixed, pick_numbers = itemgetter(*self.fixed_groups), itemgetter(*self.number_groups)
        count = 0
        while (found := match(text, start)) is not None:
            groups = found.groups()
            if pick_fixed(groups) != fixed:
                break
            numbers.extend(map(int, pick_numbers(groups)))
            start = found.end()
            count += 1
        return count, start


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
    if _MARKUP.search(text) or b"&" in text:
        return None
    template = _build(list(_pieces(text.strip(b" \t\r\n"))), kind)
    if len(template.number_groups) < 2 or len(template.fixed) < 2:
        return None
    numbers: list[int] = []
    read = template.skip(text, 0, numbers)
    plain = [_PLAIN.fullmatch(value) for value in values]
    as_parsed = [int(found[1]) for found in plain if found is not None]
    if read != (1, len(text)) or None in plain or numbers != as_parsed:
        return None
    return template


def _build(pieces: list[_Piece], kind: int) -> Template:
    """Join neighboring fixed pieces and number the groups."""
    patterns, fixed, fixed_groups, number_groups = [], [], [], []
    group = 0
    for what, run in groupby(pieces, key=lambda piece: piece.what):
        parts = [piece.text for piece in run]
        if what == "fixed":
            fixed.append(b"".join(parts))
            fixed_groups.append(group)
            patterns.append(b"(.{%d})" % len(fixed[-1]))
            group += 1
            continue
        for part in parts:
            patterns.append(part)
            if what == "number":
                number_groups.append(group)
                group += 1
    pattern = re.compile(rb"[ \t\r\n]*+" + b"".join(patterns), re.DOTALL)
    return Template(pattern, tuple(fixed), tuple(fixed_groups), tuple(number_groups), kind)


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
        yield _Piece("number", _NUMBER) if number else _Piece("open", _ANYTHING[quoted])
        done = one.end(quoted)
    yield _Piece("fixed", text[done:])


def _value(attribute: re.Match[bytes]) -> bytes:
    double = attribute["double"]
    return double if double is not None else attribute["single"]
