"""The labels of one row of a cohort: strokes from its label file, over what is said of regions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.annotation.label_classes import ClassScheme
from napari_ims_tumor.annotation.whole_regions import joined
from napari_ims_tumor.cohort.table import CohortSlide
from napari_ims_tumor.errors import CohortError, LabelsError
from napari_ims_tumor.io.annotation_file import read_labels
from napari_ims_tumor.msi.arrays import LabelArray
from napari_ims_tumor.msi.dataset import MsiDataset


def labels_of(row: CohortSlide, dataset: MsiDataset) -> tuple[Annotation, tuple[str, ...]]:
    """Read all that a row says of its slide, and a sentence for everything that was adapted."""
    annotation, notices = _by_hand(row, dataset)
    if row.regions is None:
        return annotation, notices
    if isinstance(row.regions, Path):
        regions, more = read_labels(row.regions, dataset.pixels, annotation.scheme)
        image, notices = regions.labels, (*notices, *more)
    else:
        image = _whole_slide(row.regions, dataset, annotation.scheme)
    return replace(annotation, labels=joined(annotation.labels, image)), notices


def _by_hand(row: CohortSlide, dataset: MsiDataset) -> tuple[Annotation, tuple[str, ...]]:
    labels = row.labels
    if labels is None:
        return Annotation.empty(dataset.pixels), ()
    if isinstance(labels, Path):
        return read_labels(labels, dataset.pixels)
    refuse_other_shape(labels, dataset)
    return labels, ()


def refuse_other_shape(labels: Annotation, dataset: MsiDataset) -> None:
    """Stop at labels that are not in the shape of the slide."""
    if labels.labels.shape != dataset.pixels.image_shape:
        raise LabelsError(
            f"labels of {labels.labels.shape} on the slide {dataset.name} of "
            f"{dataset.pixels.image_shape}"
        )


def _whole_slide(said: str, dataset: MsiDataset, scheme: ClassScheme) -> LabelArray:
    """A class for every measured pixel."""
    value = next((c.value for c in scheme.classes if c.name.lower() == said.lower()), None)
    if value is None:
        raise CohortError(
            f"{dataset.name}: {said!r} in the column regions is no class: write "
            f"{' or '.join(scheme.names)} for the whole slide, or name a label file"
        )
    whole: LabelArray = np.where(dataset.pixels.measured, value, 0).astype(np.uint8)
    return whole
