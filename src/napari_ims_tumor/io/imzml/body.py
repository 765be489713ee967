"""Reads a whole .imzML file into a header and columns of numbers, in pieces of bounded memory.

The XML parser reads the header, the tail, and one spectrum of each way of writing them; spectra
written alike are read by :mod:`~napari_ims_tumor.io.imzml.template`. Any error on that shorter way
is looked at again by the parser alone, so that its line is right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.io.imzml.collector import Collector
from napari_ims_tumor.io.imzml.columns import Columns, Document
from napari_ims_tumor.io.imzml.markup import SafeParser, WrongEncoding
from napari_ims_tumor.io.imzml.template import Template, learn
from napari_ims_tumor.job import STOP, Job, JobStopped, Progress

PIECE: Final = 1 << 23
"""Bytes of XML in memory at a time."""

_END: Final = re.compile(rb"</(?:[\w.\-]+:)?spectrum\s*>")
_LEARN_AFTER: Final = 4
_MOST_TEMPLATES: Final = 16
_MOST_FAILURES: Final = 64
"""Spectra that gave no template: where each is unusual, trying on would cost most of the time."""

_COMPRESSED: Final = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"7z\xbc\xaf": "7z",
    b"BZh": "bzip2",
}


def read_document(path: Path, use_templates: bool = True) -> Job[Progress, Document]:
    """Read an .imzML file.

    Parameters
    ----------
    path
        The file.
    use_templates
        ``False`` reads every spectrum with the XML parser: the same result, later.

    Returns
    -------
    Document
        Header and numbers; nothing is interpreted yet.
    """
    try:
        return (yield from _read_in_some_encoding(path, use_templates))
    except OSError as error:
        raise SlideError(
            f"{path.name} cannot be read: {error.strerror}; is its drive connected, and are you "
            "allowed to read it?"
        ) from None


def _read_in_some_encoding(path: Path, use_templates: bool) -> Job[Progress, Document]:
    if path.stat().st_size == 0:
        raise SlideError(
            f"{path.name} is empty (0 bytes): incomplete copy or export? Copy or export it again."
        )
    _refuse_compressed(path)
    encoding: str | None = None
    notes: list[str] = []
    while True:
        try:
            document = yield from _read(path, encoding, use_templates)
        except WrongEncoding as wrong:
            encoding = wrong.encoding
            notes.append(wrong.note)
        except SlideError:
            if not use_templates:
                raise
            use_templates = False
        else:
            document.notes.extend(notes)
            return document


def _refuse_compressed(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(4)
    for start, kind in _COMPRESSED.items():
        if head.startswith(start):
            raise SlideError(f"{path.name} is a {kind} archive: unpack it, then open the result")


def _read(path: Path, encoding: str | None, use_templates: bool) -> Job[Progress, Document]:
    body = _Body(path.name, encoding, use_templates)
    done, size, rest = 0, path.stat().st_size, b""
    with path.open("rb") as file:
        for piece in _pieces(file):
            text = rest + piece
            rest = text[body.take(text) :]
            done += len(piece)
            if (yield Progress("Reading the .imzML file", done, size)) is STOP:
                raise JobStopped("opening was stopped")
    return body.finish(rest)


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(PIECE):
        yield piece


class _Body:
    """Deals the text out to the XML parser and to the templates."""

    def __init__(self, name: str, encoding: str | None, use_templates: bool) -> None:
        self._columns = Columns(name)
        self._collector = Collector(self._columns.add)
        self._parser = SafeParser(name, self._collector, encoding)
        self._use_templates = use_templates
        self._templates: list[Template] = []
        self._failures = 0
        # Whether everything up to here was parsed and ended with a complete spectrum: only then
        # may a template take over.
        self._between = False

    def take(self, text: bytes) -> int:
        """Read what can be read; return how much of ``text`` is done."""
        start = 0
        while True:
            if self._between:
                start = self._skip(text, start)
            end = _END.search(text, start)
            if end is None:
                break
            self._parse_one(text[start : end.end()])
            start = end.end()
        self._columns.pack()
        # The beginning of a spectrum waits for its end, unless that is suspiciously far away.
        if self._between and len(text) - start < PIECE:
            return start
        self._parser.feed(text[start:])
        self._between = False
        return len(text)

    def finish(self, rest: bytes) -> Document:
        """Read the end of the file."""
        self._parser.feed(rest, final=True)
        return self._columns.document(self._collector.header)

    def _skip(self, text: bytes, start: int) -> int:
        """Let each template read as far as it can, until none of them can."""
        while True:
            before = start
            for template in self._templates:
                start = self._columns.add_alike(template, text, start)
            if start == before:
                return start

    def _parse_one(self, text: bytes) -> None:
        was_between, before = self._between, self._columns.n_spectra
        self._parser.feed(text)
        self._between = self._columns.n_spectra == before + 1
        worth = self._use_templates and len(self._templates) < _MOST_TEMPLATES
        worth = worth and self._failures < _MOST_FAILURES
        if was_between and self._between and worth and before >= _LEARN_AFTER:
            self._learn(text)

    def _learn(self, text: bytes) -> None:
        last = self._columns.last
        if last is None:
            return
        template = learn(text, self._columns.structures[last.structure], last.values)
        if template is None:
            self._failures += 1
        else:
            self._templates.insert(0, template)
