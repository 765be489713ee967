"""Labels to GeoJSON: one feature per stroke, the same bytes for the same labels."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid5

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.annotation.label_classes import LabelClass
from napari_ims_tumor.annotation.regions import ROUGHLY
from napari_ims_tumor.atomic import atomic_write
from napari_ims_tumor.errors import LabelsError
from napari_ims_tumor.io.geojson.class_names import WEAK, qupath_name
from napari_ims_tumor.io.geojson.outlines import Polygon, Stroke, outlines
from napari_ims_tumor.io.geojson.placement import Placement

FORMAT: Final = "napari-ims-tumor labels"
VERSION: Final = 1
OWN_MEMBER: Final = "imsTumor"
"""What is said about the file as a whole; QuPath passes it over."""

_FEATURES_OF: Final = UUID("1f0d3c52-5b6e-5c0a-9d43-6f6d61726b73")
"""Features with the same class, place and outline have the same id, everywhere and always."""


def write_geojson(
    path: str | os.PathLike[str], annotation: Annotation, placement: Placement | None = None
) -> None:
    """Write labels as annotations that QuPath opens; a crash keeps the old file.

    Parameters
    ----------
    path
        Ends in .geojson.
    annotation
        The labels, with the names and colors of their classes.
    placement
        Where the image lies that the annotations shall be seen on; by default the slide's own.
    """
    text = geojson_text(annotation, placement or Placement())
    with atomic_write(Path(path)) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def geojson_text(annotation: Annotation, placement: Placement) -> str:
    """Write the whole file as text, one feature a line."""
    about = {"format": FORMAT, "version": VERSION, "shape": list(annotation.labels.shape)}
    features = ",\n".join(_line(feature) for feature in _features(annotation, placement))
    head = f'{{"type":"FeatureCollection",{_line(OWN_MEMBER)}:{_line(about)},"features":['
    return f"{head}\n{features}\n]}}\n"


def _features(annotation: Annotation, placement: Placement) -> Iterator[dict[str, Any]]:
    for stroke in outlines(annotation.labels):
        label = annotation.scheme.by_value(stroke.value % ROUGHLY)
        if label is None:
            raise LabelsError(f"the label {stroke.value} has no name")
        yield _feature(stroke, label, placement)


def _feature(stroke: Stroke, label: LabelClass, placement: Placement) -> dict[str, Any]:
    shapes = [_coordinates(polygon, placement) for polygon in stroke.polygons]
    geometry: dict[str, Any] = (
        {"type": "Polygon", "coordinates": shapes[0]}
        if len(shapes) == 1
        else {"type": "MultiPolygon", "coordinates": shapes}
    )
    if stroke.plane:
        geometry["plane"] = {"c": -1, "z": stroke.plane, "t": 0}
    name, color = qupath_name(label), [int(label.color[i : i + 2], 16) for i in (1, 3, 5)]
    properties: dict[str, Any] = {
        "objectType": "annotation",
        "classification": {"name": name, "color": color},
    }
    told: list[object] = [name, geometry]
    if stroke.value > ROUGHLY:
        # QuPath keeps what stands in its metadata, and shows it; the other is for all else.
        properties |= {WEAK: True, "metadata": {WEAK: "true"}}
        told.append(WEAK)
    return {
        "type": "Feature",
        "id": str(uuid5(_FEATURES_OF, _line(told))),
        "geometry": geometry,
        "properties": properties,
    }


def _coordinates(polygon: Polygon, placement: Placement) -> list[list[list[float]]]:
    return [[list(map(_short, point)) for point in placement.from_pixels(r)] for r in polygon]


def _short(number: float) -> float:
    """Write whole numbers without a point."""
    return int(number) if float(number).is_integer() else float(number)


def _line(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
