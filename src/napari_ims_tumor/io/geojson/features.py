"""The features of a GeoJSON file, one after the other.

A large file is parsed feature by feature: the window goes on in between, and where the file ends
in the middle, it is known how far it was whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from napari_ims_tumor.errors import LabelsError

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_DECODER: Final = json.JSONDecoder()
GEOMETRIES: Final = (
    "Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon",
    "GeometryCollection",
)  # fmt: skip


class FeatureFile:
    """A file of features: iterate over it, then ask what it says about itself.

    QuPath writes a FeatureCollection, a bare list or a single feature; each may also be a bare
    geometry.

    Attributes
    ----------
    facts
        Members of the file beside its features, as far as it has been read.
    share
        How much of it has been read, 0 to 1.
    """

    def __init__(self, path: Path) -> None:
        self._name = path.name
        self._text = _read_text(path)
        self._at = 0
        self._n = 0
        self.facts: dict[str, Any] = {}

    @property
    def share(self) -> float:
        """How much of the file has been read, 0 to 1."""
        return self._at / max(1, len(self._text))

    def __iter__(self) -> Iterator[Any]:
        """Give each feature; what is no feature comes as it is.

        Raises
        ------
        LabelsError
            No JSON, cut off in the middle, or neither a list nor an object of features.
        """
        opening = self._peek()
        if opening == "[":
            yield from self._items()
        elif opening == "{":
            yield from self._members()
        else:
            raise self._wrong("it is no JSON text" if self._text.strip() else "it is empty")
        if self._peek():
            raise self._wrong("there is more text behind its end")

    # ---- walking through the text -----------------------------------------------------------

    def _members(self) -> Iterator[Any]:
        """Walk through the outermost object; only its list of features is not parsed at once."""
        self._take("{")
        has_features = False
        while self._peek() != "}":
            name = self._value()
            self._take(":")
            if name == "features" and self._peek() == "[":
                has_features = True
                yield from self._items()
            else:
                self.facts[str(name)] = self._value()
            if self._peek() != "}":
                self._take(",")
        self._take("}")
        if not has_features:
            yield self._single()

    def _single(self) -> Any:
        kind = self.facts.get("type")
        if kind == "Feature" or kind in GEOMETRIES:
            return self.facts
        raise LabelsError(
            f"{self._name} is JSON, but no annotations as QuPath exports them: it has the type "
            f"{kind!r} and no list of features"
        )

    def _items(self) -> Iterator[Any]:
        self._take("[")
        while self._peek() != "]":
            yield self._value()
            self._n += 1
            if self._peek() != "]":
                self._take(",")
        self._take("]")

    def _peek(self) -> str:
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._text[self._at : self._at + 1]

    def _take(self, sign: str) -> None:
        if self._peek() != sign:
            raise self._wrong(f"{sign!r} is missing in line {self._line}")
        self._at += 1

    def _value(self) -> Any:
        self._peek()
        try:
            value, self._at = _DECODER.raw_decode(self._text, self._at)
        except (ValueError, RecursionError) as error:
            reason = getattr(error, "msg", "nested too deeply")
            raise self._wrong(f"line {self._line}: {reason}") from None
        return value

    @property
    def _line(self) -> int:
        return self._text.count("\n", 0, self._at) + 1

    def _wrong(self, reason: str) -> LabelsError:
        whole = f" after {self._n} whole annotations" if self._n else ""
        return LabelsError(
            f"{self._name} cannot be read as GeoJSON{whole} ({reason}): is it complete, and "
            "exported by QuPath?"
        )


def _read_text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise LabelsError(f"{path}: there is no such file") from None
    except UnicodeDecodeError:
        raise LabelsError(f"{path.name} cannot be read as GeoJSON: it is no text") from None
    except OSError as error:
        raise LabelsError(f"{path} cannot be read: {error.strerror}") from error
