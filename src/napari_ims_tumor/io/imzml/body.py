"""Reads a whole .imzML file into a header and columns of numbers, in pieces of bounded memory.

The XML parser reads the header, the tail, and one spectrum of each way of writing them; spectra
written alike are read by :mod:`~napari_ims_tumor.io.imzml.template`. Any error on that shorter way
is looked at again by the parser alone, so that its line is right.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.io.imzml.batch import Batch
from napari_ims_tumor.io.imzml.collector import Collector
from napari_ims_tumor.io.imzml.columns import Columns, Document
from napari_ims_tumor.io.imzml.markup import SafeParser, WrongEncoding
from napari_ims_tumor.io.imzml.template import MARKUP, Template, learn
from napari_ims_tumor.io.imzml.text import Text
from napari_ims_tumor.job import STOP, Job, JobStopped, Progress

PIECE: Final = 1 << 22
"""Bytes of XML in memory at a time."""

_END: Final = re.compile(rb"</(?:[\w.\-]+:)?spectrum\s*>")
_LEARN_AFTER: Final = 4
_MOST_TEMPLATES: Final = 16
_MOST_FAILURES: Final = 64
"""Spectra that gave no template: where each is unusual, trying on would cost most of the time."""

_LARGE_BLOCK: Final = 1 << 20
_MOST_CUTS: Final = 64
"""Times that a piece of text is cut into spectra."""

_COMPRESSED: Final = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"7z\xbc\xaf": "7z",
    b"BZh": "bzip2",
}


@dataclass(frozen=True, slots=True)
class _Way:
    """How a file is to be read."""

    use_templates: bool
    piece: int
    encoding: str | None = None


def read_document(
    path: Path, use_templates: bool = True, piece: int = PIECE
) -> Job[Progress, Document]:
    """Read an .imzML file.

    Parameters
    ----------
    path
        The file.
    use_templates
        ``False`` reads every spectrum with the XML parser: the same result, later.
    piece
        Bytes of XML that are read at a time.

    Returns
    -------
    Document
        Header and numbers; nothing is interpreted yet.
    """
    try:
        return (yield from _read_in_some_encoding(path, _Way(use_templates, piece)))
    except OSError as error:
        raise SlideError(
            f"{path.name} cannot be read: {error.strerror}; is its drive connected, and are you "
            "allowed to read it?"
        ) from None


def _read_in_some_encoding(path: Path, way: _Way) -> Job[Progress, Document]:
    if path.stat().st_size == 0:
        raise SlideError(
            f"{path.name} is empty (0 bytes): incomplete copy or export? Copy or export it again."
        )
    _refuse_compressed(path)
    notes: list[str] = []
    while True:
        try:
            document = yield from _read(path, way)
        except WrongEncoding as wrong:
            way = replace(way, encoding=wrong.encoding)
            notes.append(wrong.note)
        except SlideError:
            if not way.use_templates:
                raise
            way = replace(way, use_templates=False)
        else:
            document.notes.extend(notes)
            return document


def _refuse_compressed(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(4)
    for start, kind in _COMPRESSED.items():
        if head.startswith(start):
            raise SlideError(f"{path.name} is a {kind} archive: unpack it, then open the result")


def _read(path: Path, way: _Way) -> Job[Progress, Document]:
    _expect_large_blocks()
    body = _Body(path.name, way)
    text, done, size = Text(way.piece), 0, path.stat().st_size
    with path.open("rb", buffering=0) as file:
        used = 0
        while got := text.advance(file, used):
            used = body.take(text)
            done += got
            if (yield Progress("Reading the .imzML file", done, size)) is STOP:
                raise JobStopped("opening was stopped")
    return body.finish(text.cut(0, text.size))


def _expect_large_blocks() -> None:
    """Have memory that is given back stay with the process for the next time it is asked for.

    glibc returns blocks of more than 128 KB to the system at once, until the first larger one was
    given back: each would be asked for anew, page by page, while the first slide is read.
    """
    bytearray(_LARGE_BLOCK)


class _Body:
    """Deals the text out to the XML parser and to the templates."""

    def __init__(self, name: str, way: _Way) -> None:
        self._columns = Columns(name)
        self._collector = Collector(self._columns.add)
        self._parser = SafeParser(name, self._collector, way.encoding)
        self._way = way
        self._templates: list[Template] = []
        self._failures = 0
        self._batch: Batch | None = None
        self._cuts = 0
        # Whether everything up to here was parsed and ended with a complete spectrum: only then
        # may a template take over.
        self._between = False

    def take(self, text: Text) -> int:
        """Read what can be read; return how much of ``text`` is done."""
        start, self._batch, self._cuts = 0, None, 0
        while True:
            if self._between:
                start = self._skip(text, start)
            end = _END.search(text.buffer, start, text.size)
            if end is None:
                break
            self._parse_one(text.cut(start, end.end()))
            start = end.end()
        self._columns.pack()
        # The beginning of a spectrum waits for its end, unless that is suspiciously far away.
        if self._between and text.size - start < self._way.piece:
            return start
        self._parser.feed(text.cut(start, text.size))
        self._between = False
        return text.size

    def finish(self, rest: bytes) -> Document:
        """Read the end of the file."""
        self._parser.feed(rest, final=True)
        return self._columns.document(self._collector.header)

    def _skip(self, text: Text, start: int) -> int:
        """Let the templates read as far as they can."""
        while self._templates:
            run = self._cut(text, start).run_from(start)
            if run is not None:
                self._columns.add_run(run)
                start = run.end
            elif (end := self._match_one(text, start)) is not None:
                start = end
            else:
                break
        return start

    def _cut(self, text: Text, start: int) -> Batch:
        """The spectra from ``start`` on, which usually are known from a cut further up."""
        if self._batch is None or not self._batch.starts_at(start):
            # Where spectra keep ending in other places than expected, cutting is not worth it.
            known = self._templates if self._cuts < _MOST_CUTS else []
            self._batch = Batch(text, start, known)
            self._cuts += 1
        return self._batch

    def _match_one(self, text: Text, start: int) -> int | None:
        """Read one spectrum with a template's pattern; return where the next one starts."""
        for template in self._templates:
            # Most often this is the beginning of the next spectrum, cut off by the piece's end.
            if text.buffer.find(template.end, start, text.size) < 0:
                continue
            found = template.pattern.read_one(text.buffer, start, text.size)
            if found is not None:
                self._columns.add_one(template.kind, found[0])
                return found[1]
        return None

    def _parse_one(self, text: bytes) -> None:
        was_between, before = self._between, self._columns.n_spectra
        self._parser.feed(text)
        # With markup, the closing tag at the end might lie in a comment that goes on.
        self._between = self._columns.n_spectra == before + 1 and not MARKUP.search(text)
        worth = self._way.use_templates and len(self._templates) < _MOST_TEMPLATES
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
            return
        self._templates.insert(0, template)
        if self._batch is not None:
            self._batch.read(template)
