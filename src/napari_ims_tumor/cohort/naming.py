"""Names of slides and of groups in reports: no two alike, or figures would hide one another."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from napari_ims_tumor.annotation.regions import GroupKind
from napari_ims_tumor.cohort.table import CohortSlide
from napari_ims_tumor.io.file_name import readable

_MOST_FOLDERS: Final = 3
_MOST_LISTED: Final = 5


@dataclass(frozen=True, slots=True)
class WholeSlide:
    """The group of all pixels of a slide without groups of its own."""

    slide: Hashable
    name: str = field(compare=False)


def distinct_names(slides: tuple[CohortSlide, ...]) -> tuple[str, ...]:
    """Names of slides; files of the same name are told apart by the folders above them."""
    names = [slide.name for slide in slides]
    for above in range(1, _MOST_FOLDERS + 1):
        files: dict[str, set[Hashable]] = {}
        for name, slide in zip(names, slides, strict=True):
            files.setdefault(name, set()).add(_file_or_dataset(slide))
        if all(len(found) == 1 for found in files.values()):
            break
        names = [
            _with_folders(slide, above) if len(files[name]) > 1 else name
            for name, slide in zip(names, slides, strict=True)
        ]
    return tuple(names)


def _file_or_dataset(slide: CohortSlide) -> Hashable:
    return slide.slide.resolve() if isinstance(slide.slide, Path) else id(slide.slide)


def _with_folders(slide: CohortSlide, above: int) -> str:
    if not isinstance(slide.slide, Path):
        return slide.name
    folders = [readable(part) for part in slide.slide.resolve().parts[1:-1][-above:]]
    return "/".join([*folders, slide.name])


def group_names(keys: Iterable[Hashable], kind: GroupKind) -> tuple[str, ...]:
    """One name per group, no two alike."""
    found: list[str] = []
    for key in keys:
        name = _group_name(key, kind)
        number = 2
        while name in found:
            name, number = f"{_group_name(key, kind)} ({number})", number + 1
        found.append(name)
    return tuple(found)


def _group_name(key: Hashable, kind: GroupKind) -> str:
    if isinstance(key, WholeSlide):
        return key.name
    return key if isinstance(key, str) else f"{kind} {key}"


def listed(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - _MOST_LISTED
    return ", ".join(names[:_MOST_LISTED]) + (f" and {more} more" if more > 0 else "")
