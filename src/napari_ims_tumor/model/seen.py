"""What a model was fitted on, as marks: enough to recognize it, too little to name it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from napari_ims_tumor.errors import ModelFileError


@dataclass(frozen=True, slots=True)
class Seen:
    """Marks of slides, pixels and groups.

    Attributes
    ----------
    slides
        Mark of a slide → its labelled spectra, packed into text.
    groups
        Marks of the groups that were named (patients, cores), sorted.
    salt
        Makes the marks of groups those of this model.
    """

    slides: Mapping[str, str] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    salt: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "slides", MappingProxyType(dict(sorted(self.slides.items()))))

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON for a model file."""
        return {"slides": dict(self.slides), "groups": list(self.groups), "salt": self.salt}

    @classmethod
    def from_dict(cls, stored: object) -> Seen | None:
        """Read what a model file holds; ``None`` where it is of a version that kept no marks."""
        if stored is None:
            return None
        try:
            slides, groups, salt = _parts(stored)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError(
                "the marks in the model file are damaged: copy it again"
            ) from error
        return cls(slides, groups, salt)


def _parts(stored: Any) -> tuple[dict[str, str], tuple[str, ...], str]:
    slides, groups, salt = dict(stored["slides"]), tuple(stored["groups"]), stored["salt"]
    if not all(isinstance(text, str) for text in (*slides, *slides.values(), *groups, salt)):
        raise TypeError("marks are texts")
    return slides, groups, salt
