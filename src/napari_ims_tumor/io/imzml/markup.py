"""Reads the XML of an .imzML file safely: no DTD, no entities, no network, flat memory.

The text is fed to expat piece by piece. What expat refuses becomes one message with the line.
"""

from __future__ import annotations

import re
from typing import Any, Final
from xml.parsers import expat

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.io.imzml.collector import Collector

_INVALID_TOKEN: Final = 4
_UNKNOWN_ENCODING: Final = 18
_INCORRECT_ENCODING: Final = 19
_TRUNCATED: Final = frozenset({3, 5, 20})
_HINTS: Final = {
    4: "a character that XML does not allow; the file was damaged or edited by hand",
    7: "an opening and a closing tag do not match; the file was damaged or edited by hand",
    8: "an attribute is given twice; the file was edited by hand",
    9: "there is something after the end; two files were joined, or the copy is damaged",
    11: "it uses an XML entity that is not defined",
    17: "the XML declaration is not at the very beginning",
}


class WrongEncoding(Exception):
    """The text is not in the encoding it states; it can be read as ``encoding`` instead."""

    def __init__(self, encoding: str, note: str) -> None:
        super().__init__(note)
        self.encoding = encoding
        self.note = note


class SafeParser:
    """An expat parser that feeds a :class:`Collector` and refuses what could be an attack."""

    def __init__(self, name: str, collector: Collector, encoding: str | None = None) -> None:
        self._name = name
        self._encoding = encoding
        self._last = b""
        parser = expat.ParserCreate(encoding)
        parser.buffer_text = True
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.StartElementHandler = collector.start
        parser.EndElementHandler = collector.end
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.EntityDeclHandler = self._refuse_doctype
        self._parser = parser

    def feed(self, data: bytes, final: bool = False) -> None:
        """Parse the next bytes of the file."""
        try:
            self._parser.Parse(data, final)
        except expat.ExpatError as error:
            self._explain(error, data)
        except SlideError as error:
            raise SlideError(self._with_line(str(error))) from None
        except (LookupError, ValueError):
            # Python's codecs, which expat asks: an unknown name, or several bytes per character.
            self._read_as_latin()

    def _with_line(self, message: str) -> str:
        if message.startswith(self._name):
            return message
        return f"{self._name}, line {self._parser.CurrentLineNumber}: {message}"

    def _refuse_doctype(self, *_: Any) -> None:
        raise SlideError(
            f"{self._name}, line {self._parser.CurrentLineNumber}: the file contains a document "
            "type declaration (DTD). imzML never does and it can be used for attacks, so the file "
            "is refused; export it again from the instrument software."
        )

    def _explain(self, error: expat.ExpatError, data: bytes) -> None:
        self._suggest_encoding(error, data)
        where = f"{self._name}, line {error.lineno}"
        if error.code in _TRUNCATED:
            raise SlideError(
                f"{where}: the file stops in the middle: incomplete copy or export? Copy it again."
            ) from None
        hint = _HINTS.get(error.code, expat.errors.messages[error.code])
        raise SlideError(f"{where}: not valid XML: {hint}. Export or copy it again.") from None

    def _read_as_latin(self) -> None:
        """In the encodings of East Asia too, bytes that look like markup are markup."""
        if self._encoding is not None:
            raise SlideError(
                f"{self._name}: its text encoding cannot be read: it was damaged or written by "
                "faulty software. Export it again."
            )
        note = "its text encoding is not known here; names in it may look wrong, numbers are right"
        raise WrongEncoding("iso-8859-1", note) from None

    def _suggest_encoding(self, error: expat.ExpatError, data: bytes) -> None:
        """Numbers are ASCII in any of these encodings, so reading on cannot change a value."""
        if self._encoding is not None:
            return
        if error.code in (_UNKNOWN_ENCODING, _INCORRECT_ENCODING):
            note = "its declaration states a wrong encoding; it is read as UTF-8, numbers are right"
            raise WrongEncoding("utf-8", note) from None
        start = data.find(b"\n") if error.lineno > 1 else 0
        if error.code == _INVALID_TOKEN and _has_high_byte(data, start):
            note = (
                "it states no encoding or a wrong one; special characters are read as Latin-1, "
                "numbers are right"
            )
            raise WrongEncoding("iso-8859-1", note) from None


def _has_high_byte(data: bytes, start: int) -> bool:
    return re.search(rb"[\x80-\xff]", data[max(start, 0) :]) is not None
