"""The labelled spectra of one slide: which they are, what they were called, and of which group."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Hashable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.annotation.regions import GroupKind, annotation_groups
from napari_ims_tumor.annotation.whole_regions import evenly_fewer, region_numbers
from napari_ims_tumor.cohort.fingerprints import SlideRecord, slide_record
from napari_ims_tumor.cohort.naming import WholeSlide
from napari_ims_tumor.cohort.region_numbers import PIXELS_OF_A_REGION, within_groups
from napari_ims_tumor.cohort.slide_labels import labels_of
from napari_ims_tumor.cohort.table import CohortSlide
from napari_ims_tumor.errors import CohortError
from napari_ims_tumor.io.annotation_file import read_groups, whole_numbers
from napari_ims_tumor.model.normalization import has_intensity
from napari_ims_tumor.msi.arrays import Float32Array, IntArray
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.matrix_room import pieces

_GROUPS_GIVEN: Final = "the image of groups"
_WHOLE: Final = re.compile(r"([0-9]{1,18})(?:[.,]0+)?")


@dataclass(frozen=True, eq=False)
class LabelledSlide:
    """The labelled spectra of one slide.

    Attributes
    ----------
    name
        Of the slide, as reports show it.
    dataset
        The slide.
    indices
        Shape (n,): which of its spectra are labelled.
    classes
        Shape (n,): the class of each, counted in ``class_names``.
    regions
        Shape (n,): number of the roughly labelled region; below 0 where labelled by hand.
    groups
        A key per labelled spectrum; equal keys are one group, on every slide.
    kind
        What the groups are.
    class_names
        Of the scheme of classes.
    notices
        What was done to the labels to make them fit.
    revision
        Of the annotation.
    record
        Which files the slide was.
    """

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

    @property
    def identity(self) -> Hashable:
        """What tells whether two rows of a table mean the same slide."""
        return _identity(self.dataset, self.record)

    def by_hand(self) -> LabelledSlide:
        """Leave out pixels whose class is only roughly known, and say how many."""
        rough = int((self.regions >= 0).sum())
        if not rough:
            return self
        rows = np.flatnonzero(self.regions < 0)
        said = (
            f"{self.name}: only pixels labelled by hand are compared, not {rough} of whole regions"
        )
        return replace(
            self,
            indices=self.indices[rows],
            classes=self.classes[rows],
            regions=self.regions[rows],
            groups=tuple(self.groups[at] for at in rows),
            notices=(*self.notices, said),
        )

    def with_empty_noted(self, values: Float32Array) -> LabelledSlide:
        """Say how many labelled spectra are empty: they teach nothing and are judged by chance."""
        n = sum(int((~has_intensity(values[piece])).sum()) for piece in pieces(*values.shape))
        if not n:
            return self
        said = f"{self.name}: {n} of {len(values)} labelled spectra hold nothing on the m/z axis"
        return replace(self, notices=(*self.notices, said))


def labelled_slide(
    slide: CohortSlide, dataset: MsiDataset, name: str, alone: bool
) -> LabelledSlide:
    """Find the labelled spectra of one row of a cohort table.

    Parameters
    ----------
    slide, dataset
        The row, and its slide.
    name
        What the slide is called.
    alone
        Whether it is the only row: its strokes or pieces of tissue are the groups then.

    Raises
    ------
    ImsTumorError
        Labels or groups that do not fit the slide.
    """
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
    return LabelledSlide(
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


def _groups(
    slide: CohortSlide, dataset: MsiDataset, annotation: Annotation, alone: bool
) -> tuple[tuple[Hashable, ...] | None, GroupKind]:
    """A key per labelled spectrum: equal keys are one group, on every slide; None = the slide."""
    inside = (annotation.labels > 0) & dataset.pixels.measured
    n = int(inside.sum())
    if isinstance(slide.groups, str):
        return (_key(slide.groups),) * n, "group"
    if slide.groups is not None:
        image = _numbers(slide.groups, dataset)
        # What is roughly known of a whole slide covers the glass between its cores as well.
        by_hand = (annotation.strokes > 0) & dataset.pixels.measured
        _refuse_no_group(slide.groups, dataset, image[by_hand])
        return tuple(int(number) for number in image[inside]), "group"
    if not alone:
        return None, "group"
    found = annotation_groups(annotation.labels, dataset.pixels.measured)
    return tuple(int(number) for number in found.image[inside]), found.kind


def _numbers(image: Path | IntArray, dataset: MsiDataset) -> IntArray:
    """The groups in the shape of the slide."""
    if isinstance(image, Path):
        return read_groups(image, dataset.pixels)
    # 0.5 and 0.7 would both become 0, and two patients one.
    numbers, _ = whole_numbers(_GROUPS_GIVEN, np.ma.filled(image, 0))
    if numbers.shape != dataset.pixels.image_shape:
        raise CohortError(f"groups of {numbers.shape} on a slide of {dataset.pixels.image_shape}")
    return numbers.astype(np.int64)


def _refuse_no_group(image: Path | IntArray, dataset: MsiDataset, numbers: IntArray) -> None:
    """Background is no patient: labelled pixels there would be one group, on every slide."""
    without = int((numbers <= 0).sum())
    if not without or without == numbers.size:
        return
    file = image.name if isinstance(image, Path) else _GROUPS_GIVEN
    raise CohortError(
        f"{without} labelled pixels of {dataset.name} have no group (0 in {file}), and others have "
        "one: draw the groups so that they cover all labels, or erase those labels. If 0 is a "
        "patient or core, add 1 to the whole image"
    )


def _key(name: str) -> Hashable:
    """A name that is a number is the patient of that number in the images of other slides."""
    # Macs write ü as two signs; spreadsheets write 1 as 1.0 where a cell of the column is empty.
    plain = unicodedata.normalize("NFC", name).strip()
    whole = _WHOLE.fullmatch(plain)
    return int(whole[1]) if whole else plain


def _identity(dataset: MsiDataset, record: SlideRecord) -> Hashable:
    """What tells whether two rows of a table mean the same slide, also where one is a copy."""
    if dataset.source is None:
        return id(dataset)
    # Exporters may state a stale checksum for several slides: their pixels tell them apart.
    return record.mark, dataset.n_spectra, dataset.pixels.image_shape
