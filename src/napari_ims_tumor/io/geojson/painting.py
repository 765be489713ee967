"""Candidates to a label image: the smallest polygon over a pixel's center gives its class.

Whole regions are painted first: whatever was drawn by hand lies over them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_ims_tumor.annotation.regions import ROUGHLY
from napari_ims_tumor.annotation.whole_regions import is_rough
from napari_ims_tumor.io.geojson.gathering import Candidate
from napari_ims_tumor.io.geojson.rasterizing import covered_pixels
from napari_ims_tumor.job import STOP, Job, JobStopped, Progress
from napari_ims_tumor.msi.arrays import LabelArray
from napari_ims_tumor.msi.pixel_grid import PixelGrid

_AT_ONCE = 200
"""Polygons painted between two reports."""


@dataclass(frozen=True, eq=False)
class Painted:
    """What came of the candidates.

    Attributes
    ----------
    labels
        Shape of the slide's images.
    n_contested
        Pixels inside polygons of more than one class.
    n_empty
        Annotations so small or thin that no pixel's center lies inside.
    """

    labels: LabelArray
    n_contested: int
    n_empty: int


def paint(candidates: Sequence[Candidate], pixels: PixelGrid) -> Job[Progress, Painted]:
    """Paint polygons, the largest first, so that a smaller one on it stays to be seen."""
    labels = np.zeros((pixels.n_planes, *pixels.shape), np.uint8)
    contested = np.zeros(labels.shape, np.bool_)
    pieces = [(c, which, shape) for which, c in enumerate(candidates) for shape in c.shapes]
    # A stable order: of polygons of one size the last of the file wins.
    pieces.sort(key=lambda piece: (piece[0].value < ROUGHLY, -piece[2].area))
    n_pixels = np.zeros(len(candidates), np.int64)
    for number, (candidate, which, shape) in enumerate(pieces):
        if number % _AT_ONCE == 0:
            yield from go_on("Painting annotations", number, len(pieces))
        found = covered_pixels(shape.rings, pixels.shape)
        if found is None:
            continue
        box, inside = (candidate.plane, *found[0]), found[1]
        under = labels[box]
        rivals = (under != candidate.value) & (is_rough(under) == (candidate.value > ROUGHLY))
        contested[box] |= inside & (under > 0) & rivals
        under[inside] = candidate.value
        n_pixels[which] += int(inside.sum())
    n_empty = int((n_pixels == 0).sum())
    return Painted(labels.reshape(pixels.image_shape), int(contested.sum()), n_empty)


def go_on(phase: str, done: int, total: int) -> Job[Progress, None]:
    """Report, and end where a stop was asked for: half of the annotations are not all."""
    if (yield Progress(phase, done, total)) is STOP:
        raise JobStopped("Stopped reading the annotations: nothing was changed.")
