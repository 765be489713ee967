"""From many slides to one matrix of labelled spectra on one m/z axis."""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.annotation.regions import GroupKind, annotation_groups
from napari_ims_tumor.annotation.whole_regions import evenly_fewer, region_numbers
from napari_ims_tumor.cohort.common_axis import common_axis
from napari_ims_tumor.cohort.fingerprints import SlideRecord, slide_record
from napari_ims_tumor.cohort.naming import WholeSlide, distinct_names, group_names
from napari_ims_tumor.cohort.region_numbers import (
    PIXELS_OF_A_REGION,
    numbered_through,
    within_groups,
)
from napari_ims_tumor.cohort.slide_labels import labels_of
from napari_ims_tumor.cohort.table import CohortSlide
from napari_ims_tumor.errors import CohortError
from napari_ims_tumor.io.annotation_file import read_groups
from napari_ims_tumor.io.cache_folder import CacheFolder
from napari_ims_tumor.io.imzml import open_imzml
from napari_ims_tumor.job import STOP, Job, JobStopped, Progress
from napari_ims_tumor.model.normalization import has_intensity
from napari_ims_tumor.model.samples import LabelledSpectra
from napari_ims_tumor.msi.arrays import Float32Array, IntArray, frozen
from napari_ims_tumor.msi.binning import bin_spectra, kept_nbytes, refuse_uncovered
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.mass_axis import MassAxis
from napari_ims_tumor.msi.matrix_room import MatrixRoom, pieces
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

    def __post_init__(self) -> None:
        for name in ("slide", "plane", "row", "column"):
            object.__setattr__(self, name, frozen(getattr(self, name), np.int64))


@dataclass(frozen=True, eq=False)
class _Labelled:
    """The labelled spectra of one slide."""

    name: str
    dataset: MsiDataset
    indices: IntArray
    classes: IntArray
    regions: IntArray
    groups: tuple[Hashable, ...]
    kind: GroupKind
    class_names: tuple[str, ...]
    notices: tuple[str, ...]
    revision: int
    record: SlideRecord


def gather(
    slides: tuple[CohortSlide, ...],
    axis: MassAxis | None = None,
    memory: MemoryBudget | None = None,
    only_by_hand: bool = False,
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

    Raises
    ------
    ImsTumorError
        A file that cannot be read, labels that do not fit, a slide that does not cover the axis.
    """
    if not slides:
        raise CohortError("the cohort lists no slide")
    budget = memory or MemoryBudget.usual()
    most = max(0, budget.of_matrices - kept_nbytes())
    room = MatrixRoom(most, CacheFolder.of_user().root / SCRATCH)
    with ExitStack() as opened:
        parts: list[_Labelled] = []
        names = distinct_names(slides)
        for number, slide in enumerate(slides):
            yield from _go_on("Opening slides", number, len(slides))
            found = _open(slide, opened, budget)
            part = _labelled(found, names[number], len(slides) == 1)
            parts.append(_by_hand(part) if only_by_hand else part)
        _refuse_pixels_labelled_twice(parts)
        chosen = axis or common_axis([part.dataset for part in parts])
        values = room.matrix(sum(part.indices.size for part in parts), len(chosen))
        noted: list[_Labelled] = []
        first = 0
        for part in parts:
            refuse_uncovered(part.dataset, chosen)
            own = values[first : first + part.indices.size]
            yield from bin_spectra(part.dataset, chosen, part.indices, own)
            noted.append(_with_empty(part, own))
            first += part.indices.size
        return _joined(noted, values, chosen, room)


def _go_on(phase: str, done: int, total: int) -> Job[Progress, None]:
    if (yield Progress(phase, done, total)) is STOP:
        raise JobStopped("Stopped while reading the slides: nothing was changed.")


def _labelled(found: tuple[CohortSlide, MsiDataset], name: str, alone: bool) -> _Labelled:
    slide, dataset = found
    annotation, notices = labels_of(slide, dataset)
    image = annotation.labels
    inside = (image > 0) & dataset.pixels.measured
    values = annotation.classes[inside]
    plane_of = {value: plane for plane, value in enumerate(annotation.scheme.values)}
    classes = np.array([plane_of[int(value)] for value in values], np.int64)
    groups, kind = _groups(slide, dataset, annotation, alone)
    record = slide_record(slide, dataset, name)
    if groups is None:
        groups = (WholeSlide(_identity(dataset, record), name),) * int(inside.sum())
    regions = within_groups(region_numbers(image, dataset.pixels.measured)[inside], groups)
    chosen = np.flatnonzero(evenly_fewer(regions, PIXELS_OF_A_REGION))
    return _Labelled(
        name=name,
        dataset=dataset,
        indices=dataset.pixels.lookup[inside][chosen],
        classes=classes[chosen],
        regions=regions[chosen],
        groups=tuple(groups[at] for at in chosen),
        kind=kind,
        class_names=annotation.scheme.names,
        notices=tuple(f"{name}: {notice}" for notice in notices),
        revision=annotation.revision,
        record=record,
    )


def _by_hand(part: _Labelled) -> _Labelled:
    """Leave out pixels whose class is only roughly known, and say how many."""
    rough = int((part.regions >= 0).sum())
    if not rough:
        return part
    rows = np.flatnonzero(part.regions < 0)
    said = f"{part.name}: only pixels labelled by hand are compared, not {rough} of whole regions"
    return replace(
        part,
        indices=part.indices[rows],
        classes=part.classes[rows],
        regions=part.regions[rows],
        groups=tuple(part.groups[at] for at in rows),
        notices=(*part.notices, said),
    )


def _open(
    slide: CohortSlide, opened: ExitStack, budget: MemoryBudget
) -> tuple[CohortSlide, MsiDataset]:
    if not isinstance(slide.slide, Path):
        return slide, slide.slide
    return slide, opened.enter_context(open_imzml(slide.slide, memory_budget=budget))


def _groups(
    slide: CohortSlide, dataset: MsiDataset, annotation: Annotation, alone: bool
) -> tuple[tuple[Hashable, ...] | None, GroupKind]:
    """A key per labelled spectrum: equal keys are one group, on every slide; None = the slide."""
    inside = (annotation.labels > 0) & dataset.pixels.measured
    n = int(inside.sum())
    if isinstance(slide.groups, str):
        return (_key(slide.groups),) * n, "group"
    if slide.groups is not None:
        image = slide.groups
        numbers = read_groups(image, dataset.pixels) if isinstance(image, Path) else image
        if numbers.shape != inside.shape:
            raise CohortError(f"groups of {numbers.shape} on a slide of {inside.shape}")
        return tuple(int(number) for number in numbers[inside]), "group"
    if not alone:
        return None, "group"
    found = annotation_groups(annotation.labels, dataset.pixels.measured)
    return tuple(int(number) for number in found.image[inside]), found.kind


def _key(name: str) -> Hashable:
    """A name that is a number is the patient of that number in the images of other slides."""
    return int(name) if name.isdecimal() and name.isascii() and len(name) < 19 else name


def _with_empty(part: _Labelled, values: Float32Array) -> _Labelled:
    """Say how many labelled spectra are empty: they teach nothing and are judged by chance."""
    n = sum(int((~has_intensity(values[piece])).sum()) for piece in pieces(*values.shape))
    if not n:
        return part
    said = f"{part.name}: {n} of {len(values)} labelled spectra hold nothing on the m/z axis"
    return replace(part, notices=(*part.notices, said))


def _joined(
    parts: list[_Labelled],
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
    )


def _given(key: Hashable, kind: GroupKind) -> str | None:
    """A group's name or number where the user gave it."""
    return None if isinstance(key, WholeSlide) or kind != "group" else str(key)


def _identity(dataset: MsiDataset, record: SlideRecord) -> Hashable:
    """What tells whether two rows of a table mean the same slide, also where one is a copy."""
    if dataset.source is None:
        return id(dataset)
    # Exporters may state a stale checksum for several slides: their pixels tell them apart.
    return record.mark, dataset.n_spectra, dataset.pixels.image_shape


def _refuse_pixels_labelled_twice(parts: list[_Labelled]) -> None:
    """A spectrum that comes twice could be learned from and be judged by at the same time."""
    seen: dict[Hashable, tuple[str, IntArray]] = {}
    for part in parts:
        key = _identity(part.dataset, part.record)
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
