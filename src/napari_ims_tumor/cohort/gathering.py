"""From many slides to one matrix of labelled spectra on one m/z axis."""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from napari_ims_tumor.annotation.regions import GroupKind
from napari_ims_tumor.cohort.common_axis import (
    NamedSlides,
    common_axis,
    left_out,
    refuse_other_channels,
)
from napari_ims_tumor.cohort.doubtful_groups import group_doubts, what_groups_are
from napari_ims_tumor.cohort.fingerprints import SlideRecord
from napari_ims_tumor.cohort.labelled_slide import LabelledSlide, labelled_slide
from napari_ims_tumor.cohort.naming import WholeSlide, distinct_names, group_names
from napari_ims_tumor.cohort.polarity import common_polarity
from napari_ims_tumor.cohort.region_numbers import numbered_through
from napari_ims_tumor.cohort.table import CohortSlide
from napari_ims_tumor.cohort.twins import Twins
from napari_ims_tumor.errors import CohortError
from napari_ims_tumor.io.cache_folder import CacheFolder
from napari_ims_tumor.io.imzml import open_imzml
from napari_ims_tumor.job import STOP, Job, JobStopped, Progress
from napari_ims_tumor.model.samples import LabelledSpectra
from napari_ims_tumor.msi.arrays import Float32Array, IntArray, frozen
from napari_ims_tumor.msi.binning import bin_spectra, kept_nbytes, refuse_uncovered
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.mass_axis import MassAxis
from napari_ims_tumor.msi.matrix_room import MatrixRoom
from napari_ims_tumor.msi.memory_budget import MemoryBudget
from napari_ims_tumor.msi.pixel_grid import PixelGrid

SCRATCH: Final = "scratch"
"""Below the cache folder: matrices that are larger than memory while a fit runs."""


@dataclass(frozen=True, eq=False)
class Gathered:
    """Labelled spectra, and where each came from.

    Attributes
    ----------
    spectra
        All labelled spectra of all slides.
    slides
        Names of the slides.
    slide, plane, row, column
        Shape (n,): position of each labelled spectrum; ``slide`` counts in ``slides``.
    group_names
        Name of each group number in ``spectra.groups``.
    notices
        What was done to labels to make them fit, one sentence each.
    grids
        Where the spectra of each slide lie, labelled or not.
    records
        Which files each slide was.
    group_ids
        Name or number of each group as the user gave it; ``None`` for a slide, stroke or region.
    cautions
        Why figures of a validation may not mean what they seem to, one sentence each.
    group_means
        What a group is, in one sentence.
    polarity
        Of the ions, where a slide or the model says so.
    """

    spectra: LabelledSpectra
    slides: tuple[str, ...]
    slide: IntArray
    plane: IntArray
    row: IntArray
    column: IntArray
    group_names: tuple[str, ...]
    notices: tuple[str, ...] = ()
    grids: tuple[PixelGrid, ...] = ()
    records: tuple[SlideRecord, ...] = ()
    group_ids: tuple[str | None, ...] = ()
    cautions: tuple[str, ...] = ()
    group_means: str = ""
    polarity: str | None = None

    def __post_init__(self) -> None:
        for name in ("slide", "plane", "row", "column"):
            object.__setattr__(self, name, frozen(getattr(self, name), np.int64))


def gather(
    slides: tuple[CohortSlide, ...],
    axis: MassAxis | None = None,
    memory: MemoryBudget | None = None,
    only_by_hand: bool = False,
    polarity: str | None = None,
) -> Job[Progress, Gathered]:
    """Read the labelled spectra of every slide onto one axis.

    Parameters
    ----------
    slides
        Rows of the cohort table.
    axis
        A model's axis; ``None`` chooses one from the slides' spectra (not from their labels).
    memory
        What the slides may take in memory; the usual budget by default. What exceeds it lies in
        scratch files in the user's cache folder.
    only_by_hand
        Leave out what is only roughly known: no pixel can be judged by it.
    polarity
        Of the model's ions; ``None`` where that is not known.

    Raises
    ------
    ImsTumorError
        A file that cannot be read, labels that do not fit, a slide that does not cover the axis, or
        slides of positive and of negative ions.
    """
    if not slides:
        raise CohortError("the cohort lists no slide")
    budget = memory or MemoryBudget.usual()
    most = max(0, budget.of_matrices - kept_nbytes())
    room = MatrixRoom(most, CacheFolder.of_user().root / SCRATCH)
    with ExitStack() as opened:
        parts: list[LabelledSlide] = []
        names = distinct_names(slides)
        for number, slide in enumerate(slides):
            yield from _go_on("Opening slides", number, len(slides))
            dataset = _open(slide, opened, budget)
            part = labelled_slide(slide, dataset, names[number], len(slides) == 1)
            parts.append(part.by_hand() if only_by_hand else part)
        _refuse_pixels_labelled_twice(parts)
        ions = common_polarity(_named(parts), polarity)
        chosen, said = (axis, ()) if axis else _axis_for(parts)
        values = room.matrix(sum(part.indices.size for part in parts), len(chosen))
        noted: list[LabelledSlide] = []
        first, twins = 0, Twins()
        for part in parts:
            refuse_uncovered(part.dataset, chosen)
            own = values[first : first + part.indices.size]
            yield from bin_spectra(part.dataset, chosen, part.indices, own)
            noted.append(part.with_empty_noted(own))
            if len(parts) > 1:
                twins.add(part, own)
            first += part.indices.size
        found = _joined(noted, values, chosen, room)
        cautions = (*found.cautions, *twins.cautions())
        notices = (*said, *found.notices)
        return replace(found, polarity=ions, notices=notices, cautions=cautions)


def _named(parts: list[LabelledSlide]) -> NamedSlides:
    return [(part.name, part.dataset) for part in parts]


def _axis_for(parts: list[LabelledSlide]) -> tuple[MassAxis, tuple[str, ...]]:
    """One axis for slides that no model asks for, and what it leaves out of them."""
    axis = common_axis([part.dataset for part in parts])
    refuse_other_channels(_named(parts), axis)
    return axis, left_out(_named(parts))


def _go_on(phase: str, done: int, total: int) -> Job[Progress, None]:
    if (yield Progress(phase, done, total)) is STOP:
        raise JobStopped("Stopped while reading the slides: nothing was changed.")


def _open(slide: CohortSlide, opened: ExitStack, budget: MemoryBudget) -> MsiDataset:
    if not isinstance(slide.slide, Path):
        return slide.slide
    return opened.enter_context(open_imzml(slide.slide, memory_budget=budget))


def _joined(
    parts: list[LabelledSlide],
    values: Float32Array,
    axis: MassAxis,
    room: MatrixRoom,
) -> Gathered:
    keys = [key for part in parts for key in part.groups]
    number_of = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    grids = [(part.dataset.pixels, part.indices) for part in parts]
    slide = np.repeat(np.arange(len(parts)), [part.indices.size for part in parts])
    plane = np.concatenate([pixels.planes[at] for pixels, at in grids])
    row = np.concatenate([pixels.rows[at] for pixels, at in grids])
    column = np.concatenate([pixels.columns[at] for pixels, at in grids])
    # One slide with strokes or pieces of tissue keeps that word; everything else is a group.
    kind = parts[0].kind if len(parts) == 1 else "group"
    spectra = LabelledSpectra(
        values=values,
        classes=np.concatenate([part.classes for part in parts]),
        groups=np.array([number_of[key] for key in keys], np.int64),
        axis=axis,
        class_names=parts[0].class_names,
        group_kind=kind,
        annotation_revision=max(part.revision for part in parts),
        room=room,
        regions=numbered_through([part.regions for part in parts]),
        places=np.stack([slide * (int(plane.max(initial=0)) + 1) + plane, row, column], axis=1),
    )
    return Gathered(
        spectra=spectra,
        slides=tuple(part.name for part in parts),
        slide=slide,
        plane=plane,
        row=row,
        column=column,
        group_names=group_names(number_of, kind),
        notices=tuple(notice for part in parts for notice in part.notices),
        grids=tuple(part.dataset.pixels for part in parts),
        records=tuple(part.record for part in parts),
        group_ids=tuple(_given(key, kind) for key in number_of),
        cautions=group_doubts(parts),
        group_means=what_groups_are(number_of, kind),
    )


def _given(key: Hashable, kind: GroupKind) -> str | None:
    """A group's name or number where the user gave it."""
    return None if isinstance(key, WholeSlide) or kind != "group" else str(key)


def _refuse_pixels_labelled_twice(parts: list[LabelledSlide]) -> None:
    """A spectrum that comes twice could be learned from and be judged by at the same time."""
    seen: dict[Hashable, tuple[str, IntArray]] = {}
    for part in parts:
        key = part.identity
        name, earlier = seen.get(key, (part.name, np.zeros(0, np.int64)))
        both = np.intersect1d(earlier, part.indices)
        if both.size and name == part.name:
            raise CohortError(
                f"the slide {name} is listed more than once and {both.size} of its pixels are "
                "labelled each time: list it once, or with labels that do not overlap"
            )
        if both.size:
            raise CohortError(
                f"{name} and {part.name} are the same measurement by UUID and checksum, and "
                f"{both.size} pixels are labelled in both: keep one of them"
            )
        seen[key] = (name, np.union1d(earlier, part.indices))
