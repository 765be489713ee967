"""Features to candidates: what each annotation is, or why it is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from napari_ims_tumor.annotation.label_classes import ClassScheme
from napari_ims_tumor.annotation.regions import ROUGHLY
from napari_ims_tumor.errors import LabelsError
from napari_ims_tumor.io.geojson.class_names import (
    ClassMapping,
    class_of,
    is_ignored_by_qupath,
    is_weak,
    without_weak,
)
from napari_ims_tumor.io.geojson.features import GEOMETRIES
from napari_ims_tumor.io.geojson.placement import Placement
from napari_ims_tumor.io.geojson.shapes import Shape, plane_of, shapes_of
from napari_ims_tumor.msi.arrays import Float64Array
from napari_ims_tumor.msi.pixel_grid import PixelGrid

CLIPPED: Final = "annotations reach beyond the slide and were cut off there"
_ANNOTATIONS: Final = ("annotation", "PathAnnotationObject", "unknown")
_ROUNDING: Final = 0.01
"""QuPath writes two decimals: what reaches less far beyond the slide lies on it."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """One annotation of a known class that lies on the slide."""

    value: int
    plane: int
    shapes: tuple[Shape, ...]


class Gathering:
    """Takes in features one by one.

    Attributes
    ----------
    candidates
        What can be painted, in the order of the file.
    n_features
        Annotations seen.
    skipped, unknown, adapted
        Reason, class name, what was put right → how many annotations.
    colors
        Label value → color that the file gives its class.
    n_outside, reach
        Annotations beside the slide, and the farthest (row, column) of any.
    """

    def __init__(
        self, scheme: ClassScheme, classes: ClassMapping, placement: Placement, pixels: PixelGrid
    ) -> None:
        self._scheme, self._classes, self._placement = scheme, classes, placement
        self._shape, self._n_planes = np.array(pixels.shape), pixels.n_planes
        self.candidates: list[Candidate] = []
        self.n_features = self.n_outside = 0
        self.skipped, self.unknown, self.adapted = (Counter[str]() for _ in range(3))
        self.colors: dict[int, str] = {}
        self.reach: Float64Array = np.zeros(2)

    def take(self, feature: Any) -> None:
        """Make a candidate of a feature, or note why it is none."""
        self.n_features += 1
        try:
            value = self._value(feature)
            if value is not None:
                self._take_geometry(value, _geometry(feature))
        except LabelsError as reason:
            self.skipped[str(reason)] += 1

    def _value(self, feature: Any) -> int | None:
        """Label value of a feature's class; ``None`` for a class that is not known."""
        properties = _properties(feature)
        found = class_of(properties)
        if found is None:
            raise LabelsError("it has no class")
        full, color = found
        name, inner = without_weak(full)
        value = self._classes.resolve(full, self._scheme)
        value = self._classes.resolve(name, self._scheme) if value is None else value
        if value is None and is_ignored_by_qupath(name):
            raise LabelsError(f'its class "{name}" is one that QuPath itself ignores')
        if value is None:
            self.unknown[name] += 1
            return None
        if value == 0:
            raise LabelsError(f'its class "{name}" was to be left out')
        if inner or is_weak(properties):
            return value + ROUGHLY
        self._note_color(value, name, color)
        return value

    def _note_color(self, value: int, name: str, color: str | None) -> None:
        label = self._scheme.by_value(value)
        if color is not None and label is not None and label.name.casefold() == name.casefold():
            self.colors.setdefault(value, color)

    def _take_geometry(self, value: int, geometry: Mapping[str, Any]) -> None:
        plane = plane_of(geometry)
        shapes, notes = shapes_of(geometry, self._placement)
        if not 0 <= plane < self._n_planes:
            highest = self._n_planes - 1
            raise LabelsError(f"it lies on plane {plane}, the slide's last one is {highest}")
        low = np.min([shape.bounds[0] for shape in shapes], axis=0)
        high = np.max([shape.bounds[1] for shape in shapes], axis=0)
        self.reach = np.maximum(self.reach, high)
        # Centers are whole numbers: the slide ends half a pixel before and behind them.
        first, last = -0.5, self._shape - 0.5
        if (high <= first + _ROUNDING).any() or (low >= last - _ROUNDING).any():
            self.n_outside += 1
            raise LabelsError("it lies beside the slide")
        if (low < first - _ROUNDING).any() or (high > last + _ROUNDING).any():
            self.adapted[CLIPPED] += 1
        self.adapted.update(notes)
        self.candidates.append(Candidate(value, plane, tuple(shapes)))


def _properties(feature: Any) -> Mapping[str, Any]:
    if not isinstance(feature, Mapping):
        raise LabelsError("it is no annotation but another kind of JSON value")
    found = feature.get("properties")
    properties = found if isinstance(found, Mapping) else {}
    kind = properties.get("objectType", properties.get("object_type", "annotation"))
    if feature.get("id") in ("PathDetectionObject", "PathCellObject", "PathTileObject"):
        # Version 0.2 of QuPath wrote the type where the id is now.
        kind = feature["id"]
    if kind not in _ANNOTATIONS:
        raise LabelsError(f"it is no annotation but a {kind}")
    return properties


def _geometry(feature: Mapping[str, Any]) -> Mapping[str, Any]:
    geometry = feature if feature.get("type") in GEOMETRIES else feature.get("geometry")
    if not isinstance(geometry, Mapping):
        raise LabelsError("it has no geometry")
    return geometry
