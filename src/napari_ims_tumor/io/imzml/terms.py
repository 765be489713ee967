"""The pieces of an imzML header as values: terms, groups and what the file says about itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from napari_ims_tumor.errors import SlideError


class Term(NamedTuple):
    """One ``cvParam`` (or ``userParam``, whose accession is empty)."""

    accession: str
    name: str = ""
    value: str = ""
    unit: str = ""
    unit_name: str = ""


class GroupRef(NamedTuple):
    """A reference to a ``referenceableParamGroup``."""

    ref: str


Entry: TypeAlias = Term | GroupRef
Groups: TypeAlias = Mapping[str, list[Entry]]


@dataclass(slots=True)
class Header:
    """What an imzML file says outside its spectra, with groups not yet put in their places."""

    groups: dict[str, list[Entry]] = field(default_factory=dict)
    file_content: list[Entry] = field(default_factory=list)
    scan_settings: dict[str, list[Entry]] = field(default_factory=dict)
    instruments: dict[str, list[Entry]] = field(default_factory=dict)
    settings_of_instrument: dict[str, str] = field(default_factory=dict)
    default_instrument: str = ""
    software: list[str] = field(default_factory=list)
    spectra_declared: int | None = None
    root: str = ""

    def expanded(self, entries: list[Entry]) -> list[Term]:
        """Terms of ``entries`` with every group put in its place."""
        return list(expand(entries, self.groups))


def expand(entries: list[Entry], groups: Groups, depth: int = 0) -> Iterator[Term]:
    """Yield terms, following references into groups, also nested ones."""
    if depth > 16:
        raise SlideError(
            "the parameter groups of the .imzML refer to each other in a circle: it was edited by "
            "hand or written by faulty software. Export it again."
        )
    for entry in entries:
        if isinstance(entry, Term):
            yield entry
        elif entry.ref in groups:
            yield from expand(groups[entry.ref], groups, depth + 1)
        else:
            raise SlideError(
                f"the .imzML refers to a parameter group {entry.ref!r} that it does not define: "
                "it was cut or edited by hand. Export it again."
            )
