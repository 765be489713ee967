"""Held-out predictions beside the labels, slide by slide, as small pictures inside the page."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_ims_tumor.annotation.label_classes import TUMOR_SCHEME
from napari_ims_tumor.msi.arrays import BoolArray, FloatArray, IntArray, LabelArray

if TYPE_CHECKING:
    from napari_ims_tumor.cohort.report import EvaluationReport

MOST_MAPS: Final = 12
MOST_SIDE: Final = 480
"""Longer pictures show every second, third, … pixel: a page is for looking, not for measuring."""
_LEVELS: Final = 101
_UNMEASURED, _UNLABELLED, _FIRST = 0, 1, 2
UNLABELLED_COLOR: Final = "#b9bcc0"
UNSURE_COLOR: Final = "#f3eee0"
_OTHER_COLORS: Final = ("#009e73", "#cc79a7", "#56b4e9", "#e69f00")


@dataclass(frozen=True)
class Picture:
    """One map.

    Attributes
    ----------
    title
        ``"labels"``, or the network.
    uri
        The picture as a data URI.
    alt
        The same in words.
    """

    title: str
    uri: str
    alt: str


@dataclass(frozen=True)
class SlideMaps:
    """The maps of one section of a slide.

    Attributes
    ----------
    title
        Name of the slide.
    pictures
        Labels first, then each network.
    aspect
        Width over height, as lengths on the tissue.
    bar
        Scale bar as (share of the width in %, words); ``None`` without a pixel size.
    every
        Each ``every``-th pixel is shown.
    n
        Judged pixels.
    """

    title: str
    pictures: tuple[Picture, ...]
    aspect: float
    bar: tuple[float, str] | None
    every: int
    n: int


@dataclass(frozen=True)
class _Section:
    """One plane of one slide: its labelled spectra, and how many were judged right."""

    slide: int
    plane: int
    own: BoolArray
    accuracy: float


def held_out_maps(report: EvaluationReport) -> tuple[list[SlideMaps], int]:
    """Draw the slides; of more than twelve those that were judged worst.

    Returns
    -------
    tuple
        The maps in the order of the table, and how many sections there are in all.
    """
    sections = _sections(report)
    worst = sorted(sections, key=lambda s: s.accuracy)[:MOST_MAPS]
    shown = [s for s in sections if s in worst] if len(sections) > MOST_MAPS else sections
    return [_draw(report, section) for section in shown], len(sections)


def class_colors(names: tuple[str, ...] | list[str]) -> dict[str, str]:
    """Color of each class: those the window paints with, others beyond them."""
    known = {label.name: label.color for label in TUMOR_SCHEME.classes}
    rest = iter(_OTHER_COLORS)
    return {name: known.get(name) or next(rest, "#666666") for name in names}


def scale_bar(width_um: float) -> tuple[float, str]:
    """A round length of about a quarter of the width: share of the width in %, and words."""
    wanted = width_um / 4
    power = 10 ** math.floor(math.log10(wanted))
    length = next(f * power for f in (5, 2, 1) if f * power <= wanted)
    words = f"{length / 1000:g} mm" if length >= 1000 else f"{length:g} µm"
    return 100 * length / width_um, words


def _sections(report: EvaluationReport) -> list[_Section]:
    where = report.gathered
    right = [r.probabilities.argmax(axis=1) == report.classes for r in report.results.values()]
    share = np.mean(right, axis=0) if right else np.zeros(report.classes.size)
    found = []
    for slide, grid in enumerate(where.grids):
        for plane in range(grid.n_planes):
            own = np.asarray((where.slide == slide) & (where.plane == plane), np.bool_)
            judged = own & report.judged
            if judged.any():
                found.append(_Section(slide, plane, own, float(share[judged].mean())))
    return found


def _draw(report: EvaluationReport, section: _Section) -> SlideMaps:
    where, own = report.gathered, section.own
    grid = where.grids[section.slide]
    measured = grid.measured.reshape(grid.n_planes, *grid.shape)[section.plane]
    every = max(1, math.ceil(max(grid.shape) / MOST_SIDE))
    place = (where.row[own], where.column[own])
    names = where.spectra.class_names
    title = where.slides[section.slide]
    if grid.n_planes > 1:
        # Counted from 0, as in predictions.csv.
        title = f"{title}, plane {section.plane}"
    pictures = [_label_picture(measured, place, report.classes[own], names, title, every)]
    for network, result in report.results.items():
        tumor = result.probabilities[own][:, -1]
        pictures.append(_tumor_picture(measured, place, tumor, (network, names[-1], title), every))
    height, width = grid.pixel_size_um or (1.0, 1.0)
    across = grid.shape[1] * width
    bar = None if grid.pixel_size_um is None else scale_bar(across)
    n = int((own & report.judged).sum())
    return SlideMaps(title, tuple(pictures), across / (grid.shape[0] * height), bar, every, n)


def _label_picture(
    measured: BoolArray, place: tuple[IntArray, IntArray], classes: IntArray,
    names: tuple[str, ...], title: str, every: int,
) -> Picture:  # fmt: skip
    index = _ground(measured)
    index[place] = _FIRST + classes
    colors = class_colors(names)
    counts = np.bincount(classes, minlength=len(names))
    said = ", ".join(f"{n} {name}" for n, name in zip(counts, names, strict=True))
    uri = _as_uri(index[::every, ::every], [colors[name] for name in names])
    return Picture("labels", uri, f"Labels of {title}: {said} pixels.")


def _tumor_picture(
    measured: BoolArray, place: tuple[IntArray, IntArray], tumor: FloatArray,
    words: tuple[str, str, str], every: int,
) -> Picture:  # fmt: skip
    network, class_name, title = words
    index = _ground(measured)
    known = np.isfinite(tumor)
    level = np.rint(np.where(known, tumor, 0) * (_LEVELS - 1)).astype(np.uint8)
    index[place] = np.where(known, _FIRST + level, _UNLABELLED)
    n = int((tumor > 0.5).sum())
    alt = (
        f"Held-out {class_name} probability of {title} by {network}: {n} of {int(known.sum())} "
        "pixels above one half."
    )
    return Picture(network, _as_uri(index[::every, ::every], _ramp()), alt)


def _ground(measured: BoolArray) -> LabelArray:
    return np.where(measured, _UNLABELLED, _UNMEASURED).astype(np.uint8)


def _ramp() -> list[str]:
    """Healthy color, a pale middle, tumor color."""
    ends = [label.color for role in ("healthy", "tumor")
            for label in TUMOR_SCHEME.classes if label.role == role]  # fmt: skip
    stops = np.array([_rgb(ends[0]), _rgb(UNSURE_COLOR), _rgb(ends[1])], float)
    at = np.linspace(0, 1, _LEVELS)
    colors = np.stack([np.interp(at, [0, 0.5, 1], stops[:, c]) for c in range(3)], axis=1)
    return ["#{:02x}{:02x}{:02x}".format(*np.rint(color).astype(int)) for color in colors]


def _rgb(color: str) -> tuple[int, int, int]:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue


def _as_uri(index: NDArray[Any], colors: list[str]) -> str:
    """A picture with a palette: unmeasured pixels are clear, unlabelled ones gray."""
    picture = Image.fromarray(np.ascontiguousarray(index), mode="P")
    palette = [
        channel for color in ("#000000", UNLABELLED_COLOR, *colors) for channel in _rgb(color)
    ]
    picture.putpalette(palette)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True, transparency=_UNMEASURED)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
