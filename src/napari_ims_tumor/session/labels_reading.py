"""Labels from a file, and the question that annotations from elsewhere may raise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.errors import LabelsError
from napari_ims_tumor.io.annotation_file import is_outlines, read_labels
from napari_ims_tumor.job import Job, Progress
from napari_ims_tumor.session.slide_state import SlideState

if TYPE_CHECKING:
    from napari_ims_tumor.io.geojson import LabelsImport


@dataclass(frozen=True, eq=False)
class LabelsRead:
    """What a file says about a slide.

    Attributes
    ----------
    notices
        A sentence for everything that was adapted or left out.
    problem
        Why nothing can be used; ``None`` where something can.
    unknown
        Class names that mean nothing here → how many annotations have them.
    outside
        Why nothing lies on the slide, probably; empty where something does.
    """

    annotation: Annotation
    notices: tuple[str, ...]
    problem: str | None = None
    unknown: Mapping[str, int] = field(default_factory=dict)
    outside: str = ""

    @property
    def is_open(self) -> bool:
        """Whether the user can make more of it by an answer."""
        return bool(self.unknown or self.outside)

    def labels(self) -> Annotation:
        """Take the labels, or raise what is wrong with them."""
        if self.problem is not None:
            raise LabelsError(self.problem)
        return self.annotation


@dataclass(frozen=True, eq=False)
class LabelsQuestion:
    """What the user is asked before labels are read: load them again with the answer.

    Attributes
    ----------
    slide, path
        Which labels, and for what.
    read
        What is known so far.
    how
        What the user has said already.
    """

    slide: SlideState
    path: Path
    read: LabelsRead
    how: LabelsImport | None = None

    @property
    def said(self) -> Mapping[str, str]:
        """What the user has said about class names."""
        return {} if self.how is None else self.how.classes.of_name

    @property
    def scale(self) -> float:
        """The scale that the user has given."""
        return 1.0 if self.how is None else 1 / self.how.placement.affine[0]


def labels_job(
    path: Path, slide: SlideState, how: LabelsImport | None = None
) -> Job[Progress, LabelsRead]:
    """Read an image of labels or annotations."""
    yield Progress("Reading labels")
    pixels = slide.dataset.pixels
    if not is_outlines(path):
        return LabelsRead(*read_labels(path, pixels))
    from napari_ims_tumor.io.geojson import read_geojson_job

    found = yield from read_geojson_job(path, pixels, slide.annotation.scheme, how)
    return LabelsRead(
        found.annotation, found.summary(), found.problem, found.unknown, found.outside
    )
