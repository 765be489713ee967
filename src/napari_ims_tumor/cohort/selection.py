"""Some of a cohort's slides: ``1-4,7`` counts rows of the table, anything else is a name."""

from __future__ import annotations

import re
from typing import Final

from napari_ims_tumor.cohort.naming import distinct_names
from napari_ims_tumor.cohort.table import CohortSlide
from napari_ims_tumor.errors import CohortError

_ROWS: Final = re.compile(r"(\d+)(?:\s*[-–]\s*(\d+))?")
_MOST_NAMED: Final = 8


def select_slides(slides: tuple[CohortSlide, ...], wanted: str | None) -> tuple[CohortSlide, ...]:
    """Choose slides of a cohort, in the order of the table.

    Parameters
    ----------
    slides
        Rows of the cohort table; the first slide is number 1.
    wanted
        Numbers, ranges and names, separated by commas: ``"1-4,7"``, ``"ann/slide,ben/slide"``.
        A name goes before a number. ``None`` takes all.

    Raises
    ------
    CohortError
        A slide that the table does not list.
    """
    if wanted is None:
        return slides
    parts = [part.strip() for part in wanted.split(",") if part.strip()]
    if not parts:
        raise CohortError(f"no slide is named in {wanted!r}: write 1-4,7 or names of slides")
    names = distinct_names(slides)
    chosen = {number for part in parts for number in _numbers(part, slides, names)}
    return tuple(slide for number, slide in enumerate(slides) if number in chosen)


def _numbers(part: str, slides: tuple[CohortSlide, ...], names: tuple[str, ...]) -> list[int]:
    """0-based rows that one part of the wish means."""
    named = [n for n, s in enumerate(slides) if part in (names[n], s.name)]
    if named:
        return named
    rows = _ROWS.fullmatch(part)
    if rows is None:
        more = len(names) - _MOST_NAMED
        known = ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
        raise CohortError(f"the cohort has no slide {part!r}; its slides are {known}")
    first, last = int(rows[1]), int(rows[2] or rows[1])
    if not 1 <= first <= last:
        raise CohortError(f"the slides {part} are no range: slides count from 1, as in 1-4")
    if last > len(slides):
        raise CohortError(f"there is no slide {last}: the cohort lists {len(slides)}")
    return list(range(first - 1, last))
