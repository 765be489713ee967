"""GeoJSON to labels: each annotation is imported, or listed as left out with its reason."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.annotation.label_classes import TUMOR_SCHEME, ClassScheme
from napari_ims_tumor.errors import LabelsError
from napari_ims_tumor.io.geojson.class_names import ClassMapping
from napari_ims_tumor.io.geojson.features import FeatureFile
from napari_ims_tumor.io.geojson.gathering import Gathering
from napari_ims_tumor.io.geojson.imported import ImportedLabels
from napari_ims_tumor.io.geojson.painting import Painted, go_on, paint
from napari_ims_tumor.io.geojson.placement import Placement
from napari_ims_tumor.io.geojson.writing import FORMAT, OWN_MEMBER, VERSION
from napari_ims_tumor.job import Job, Progress, run_inline
from napari_ims_tumor.msi.pixel_grid import PixelGrid

_AT_ONCE: Final = 500
"""Annotations read between two reports."""
_GLANCE: Final = 1 << 16
"""Bytes looked at on either end to tell what a file is."""


@dataclass(frozen=True)
class LabelsImport:
    """How annotations made elsewhere are to be read.

    Attributes
    ----------
    classes
        What class names mean that are not those of the scheme.
    placement
        Where the annotated image lies over the slide.
    """

    classes: ClassMapping = field(default_factory=ClassMapping)
    placement: Placement = field(default_factory=Placement)


def read_geojson(
    path: str | os.PathLike[str],
    pixels: PixelGrid,
    scheme: ClassScheme = TUMOR_SCHEME,
    how: LabelsImport | None = None,
) -> ImportedLabels:
    """Read annotations as labels of a slide; see :func:`read_geojson_job`."""
    return run_inline(read_geojson_job(path, pixels, scheme, how))


def read_geojson_job(
    path: str | os.PathLike[str],
    pixels: PixelGrid,
    scheme: ClassScheme = TUMOR_SCHEME,
    how: LabelsImport | None = None,
) -> Job[Progress, ImportedLabels]:
    """Read annotations as labels of a slide.

    A pixel gets the class of the annotation that its center lies in; of several the one with the
    smallest polygon there, of equal ones the last.

    Parameters
    ----------
    path, pixels
        A GeoJSON file as QuPath exports it, and the slide's grid.
    scheme
        The classes; names are compared without case.
    how
        What other names mean, and where the annotated image lies.

    Raises
    ------
    LabelsError
        Not GeoJSON, cut off, or written by this program for a slide of another shape.
    JobStopped
        Stopped: half of the annotations would be mistaken for all.
    """
    file, chosen = Path(path), how or LabelsImport()
    chosen.classes.check(scheme)
    yield Progress("Reading annotations")
    features = FeatureFile(file)
    found = Gathering(scheme, chosen.classes, chosen.placement, pixels)
    for number, feature in enumerate(features):
        for each in _with_children(feature):
            found.take(each)
        if number % _AT_ONCE == 0:
            yield from go_on("Reading annotations", int(100 * features.share), 100)
    _check_own_member(file, features.facts.get(OWN_MEMBER), pixels, chosen.placement)
    painted = yield from paint(found.candidates, pixels)
    return _as_imported(file.name, found, painted, scheme)


def looks_like_annotations(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins like annotations from QuPath or from here: cheap, and never raises."""
    try:
        with Path(path).open("rb") as file:
            head = file.read(_GLANCE).decode("utf-8-sig", errors="ignore").lstrip()
            file.seek(max(0, file.seek(0, os.SEEK_END) - _GLANCE))
            # The properties of a feature stand behind its outline, which may be long.
            tail = file.read().decode("utf-8", errors="ignore")
    except OSError:
        return False
    words = ('"objectType"', '"classification"', f'"{OWN_MEMBER}"')
    return head.startswith(("{", "[")) and any(word in head or word in tail for word in words)


def _with_children(feature: Any) -> list[Any]:
    """List a feature and what QuPath nested inside it, outermost first."""
    found, at = [feature], 0
    while at < len(found):
        properties = found[at].get("properties") if isinstance(found[at], Mapping) else None
        children = properties.get("childObjects") if isinstance(properties, Mapping) else None
        found += children if isinstance(children, list) else []
        at += 1
    return found


def _check_own_member(file: Path, about: Any, pixels: PixelGrid, placement: Placement) -> None:
    """Refuse labels that were written here for a slide of another shape."""
    if not isinstance(about, Mapping) or about.get("format") != FORMAT:
        return
    version, shape = about.get("version"), about.get("shape")
    if isinstance(version, int) and version > VERSION:
        raise LabelsError(f"{file.name} was written by a newer version of this program: update it")
    if placement.is_identity and isinstance(shape, list) and tuple(shape) != pixels.image_shape:
        raise LabelsError(
            f"{file.name} was written for a slide of the shape {tuple(shape)}; this slide is "
            f"{pixels.image_shape}: are these another slide's?"
        )


def _as_imported(
    name: str, found: Gathering, painted: Painted, scheme: ClassScheme
) -> ImportedLabels:
    skipped = dict(found.skipped)
    if painted.n_empty:
        skipped["no pixel's center lies inside it"] = painted.n_empty
    notices = [f"{n} {what}" for what, n in found.adapted.items()]
    if painted.n_contested:
        notices.append(
            f"{painted.n_contested} pixels lie inside annotations of two classes: the smaller "
            "annotation was taken"
        )
    colors = found.colors
    colored = ClassScheme(
        tuple(replace(c, color=colors.get(c.value, c.color)) for c in scheme.classes)
    )
    return ImportedLabels(
        name=name,
        annotation=Annotation(painted.labels, colored),
        n_features=found.n_features,
        n_imported=len(found.candidates) - painted.n_empty,
        notices=tuple(notices),
        skipped=skipped,
        unknown=dict(found.unknown),
        outside=_why_outside(found, painted),
    )


def _why_outside(found: Gathering, painted: Painted) -> str:
    if not found.n_outside or found.candidates:
        return ""
    rows, columns = painted.labels.shape[-2:]
    down, right = found.reach
    return (
        f"no annotation lies on this slide of {rows} rows and {columns} columns: they reach to row "
        f"{down:,.0f}, column {right:,.0f}. Probably they were drawn on another image, such as a "
        "stained section of finer resolution: give its scale, how many of its pixels are one pixel "
        "of this slide"
    )
