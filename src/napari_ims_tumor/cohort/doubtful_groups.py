"""What the groups of a cohort are, and what may be wrong about them: then patients leak."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Final

from napari_ims_tumor.annotation.regions import GroupKind
from napari_ims_tumor.cohort.labelled_slide import LabelledSlide
from napari_ims_tumor.cohort.naming import WholeSlide, listed

_GIVEN: Final = "A group is what was named as one, such as a patient or a core."
_SLIDES: Final = (
    "No groups were given, so each slide is a group: where a patient has several slides, the "
    "figures are too high."
)
_PIECES: Final[dict[GroupKind, str]] = {
    "region": "No groups were given, so each connected piece of measured tissue is a region.",
    "stroke": "No groups were given, so each connected painted stroke is a stroke.",
}


def what_groups_are(keys: Iterable[Hashable], kind: GroupKind) -> str:
    """Say in one sentence what a group of a validation is.

    Parameters
    ----------
    keys
        One per group.
    kind
        What they are.
    """
    if kind != "group":
        return _PIECES[kind]
    whole = [isinstance(key, WholeSlide) for key in keys]
    if not any(whole):
        return _GIVEN
    if all(whole):
        return _SLIDES
    n = sum(whole)
    slides = "one slide without a name is" if n == 1 else f"each of {n} slides without a name is"
    return f"{_GIVEN[:-1]}; {slides} a group as well."


def group_doubts(parts: Sequence[LabelledSlide]) -> tuple[str, ...]:
    """One sentence per way in which one patient may have become two groups."""
    keys = list(dict.fromkeys(key for part in parts for key in part.groups))
    return (*_without(parts, keys), *_alike(keys))


def _without(parts: Sequence[LabelledSlide], keys: list[Hashable]) -> list[str]:
    """Slides without a group beside others that have one: a forgotten cell, most of the time."""
    bare = [key.name for key in keys if isinstance(key, WholeSlide)]
    if not bare or len(bare) == len(keys) or len(parts) == 1:
        return []
    each = "it counts as a group of its own" if len(bare) == 1 else "each counts as a group"
    return [
        f"No group is named for {listed(bare)}, and others have one: {each}. If other slides show "
        "the same patient, the figures are too high: fill in the column groups."
    ]


def _alike(keys: list[Hashable]) -> list[str]:
    """Names that somebody may have meant to be the same."""
    meant: dict[str, list[str]] = {}
    for key in keys:
        if not isinstance(key, WholeSlide):
            meant.setdefault("".join(str(key).casefold().split()), []).append(str(key))
    pairs = [" and ".join(repr(name) for name in names) for names in meant.values() if names[1:]]
    if not pairs:
        return []
    return [
        f"Groups that differ only by case or spaces count as different ones: {listed(pairs)}. If "
        "they are the same patient, the figures are too high: write each name in one way."
    ]
