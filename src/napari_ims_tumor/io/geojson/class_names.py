"""QuPath's class names and ours: the same without case, or said by the user; never guessed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from napari_ims_tumor.annotation.label_classes import ClassScheme, LabelClass
from napari_ims_tumor.errors import LabelsError

IGNORE: Final = "ignore"
"""What a class of the file is mapped to where it shall be left out."""
WEAK: Final = "weak"
"""The property of an annotation that a whole region is meant, roughly; in QuPath, a class inside
another does the same: ``Tumor: weak``."""


@dataclass(frozen=True)
class ClassMapping:
    """What the user said about names that are not those of the scheme.

    Attributes
    ----------
    of_name
        A class name of the file → a class name of the scheme, or :data:`IGNORE`; without case.
    """

    of_name: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, texts: Iterable[str]) -> ClassMapping:
        """Read ``"Stroma=healthy"``, ``"Necrosis=ignore"``."""
        found: dict[str, str] = {}
        for text in texts:
            name, sign, target = text.rpartition("=")
            if not sign or not name.strip() or not target.strip():
                raise LabelsError(
                    f'--class {text!r}: write NAME=CLASS, for example "Stroma=healthy"'
                )
            found[name.strip()] = target.strip()
        return cls(found)

    def resolve(self, name: str, scheme: ClassScheme) -> int | None:
        """Find the label value of a class name; 0 to leave it out, ``None`` where it is unknown."""
        said = {_plain(key): target for key, target in self.of_name.items()}.get(_plain(name))
        if said is not None and _plain(said) == IGNORE:
            return 0
        found = _named(name if said is None else said, scheme)
        return None if found is None else found.value

    def check(self, scheme: ClassScheme) -> None:
        """Refuse a mapping to a class that does not exist."""
        for name, target in self.of_name.items():
            if _plain(target) != IGNORE and _named(target, scheme) is None:
                known = ", ".join((*scheme.names, IGNORE))
                raise LabelsError(f"{name!r} cannot be read as {target!r}: use one of {known}")


def qupath_name(label: LabelClass) -> str:
    """Write a class name as QuPath's own classes are written: ``"Tumor"``."""
    return label.name[:1].upper() + label.name[1:]


def class_of(properties: Mapping[str, Any]) -> tuple[str, str | None] | None:
    """Read the class of a feature, as any version of QuPath writes it.

    Returns
    -------
    tuple or None
        Its name, and its color ``"#rrggbb"`` where it has one; ``None`` for no class.
    """
    found = properties.get("classification")
    if isinstance(found, str):
        return (found.strip(), None) if found.strip() else None
    if not isinstance(found, Mapping):
        return None
    names = found.get("names")
    joined = ": ".join(map(str, names)) if isinstance(names, list) else found.get("name")
    if not isinstance(joined, str) or not joined.strip():
        return None
    # Before version 0.4 a class inside another named it as its parent.
    above = class_of({"classification": found.get("parentClass")})
    full = joined.strip() if above is None else f"{above[0]}: {joined.strip()}"
    return full, _color(found)


def is_weak(properties: Mapping[str, Any]) -> bool:
    """Whether an annotation means a whole region, roughly: said in any place QuPath has for it."""
    places = (properties, properties.get("metadata"), properties.get("measurements"))
    return any(_says_weak(place) for place in places)


def without_weak(name: str) -> tuple[str, bool]:
    """Take ``: weak`` off a class name; whether it was there."""
    outer, sign, inner = name.rpartition(":")
    found = bool(sign) and _plain(inner) == WEAK
    return (outer.strip(), True) if found else (name, False)


def _says_weak(place: object) -> bool:
    if isinstance(place, list):
        # Before version 0.4 measurements were a list of names and values.
        pairs = [entry for entry in place if isinstance(entry, Mapping)]
        return any(_says_weak({str(e.get("name")): e.get("value")}) for e in pairs)
    if not isinstance(place, Mapping):
        return False
    said = {_plain(str(key)): value for key, value in place.items()}.get(WEAK)
    return said is not None and str(said).strip().lower() in ("true", "yes", "1", "1.0")


def is_ignored_by_qupath(name: str) -> bool:
    """Whether QuPath itself leaves a class out: its name ends in a star."""
    return name.endswith("*")


def _named(name: str, scheme: ClassScheme) -> LabelClass | None:
    return next((c for c in scheme.classes if _plain(c.name) == _plain(name)), None)


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()


def _color(found: Mapping[str, Any]) -> str | None:
    """Read ``color`` [r, g, b], or the older ``colorRGB``: one number, alpha in the upper bits."""
    color, packed = found.get("color"), found.get("colorRGB")
    if isinstance(color, list) and len(color) >= 3:
        parts = color[:3]
    elif isinstance(packed, int):
        parts = [packed >> 16 & 255, packed >> 8 & 255, packed & 255]
    else:
        return None
    if not all(isinstance(part, int) and 0 <= part <= 255 for part in parts):
        return None
    return "#{:02x}{:02x}{:02x}".format(*parts)
