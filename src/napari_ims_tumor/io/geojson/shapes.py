"""Geometries of GeoJSON as polygons that can be counted on: closed, finite, crossing nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import shapely

from napari_ims_tumor.errors import LabelsError
from napari_ims_tumor.io.geojson.placement import Placement
from napari_ims_tumor.msi.arrays import Float64Array

LARGEST: Final = 1e9
"""Pixels from the slide: what lies farther away is no place on any slide."""
UNCLOSED: Final = "rings that were not closed were closed"
CROSSING: Final = "outlines that cross or touch themselves were mended"
NO_AREA: Final = "points and lines beside polygons were left out: they cover no area"


@dataclass(frozen=True, eq=False)
class Shape:
    """One polygon.

    Attributes
    ----------
    rings
        Outer ring and holes, each (n, 2): (row, column), whole numbers are centers, first = last.
    area
        In pixels, without the holes.
    """

    rings: tuple[Float64Array, ...]
    area: float

    @property
    def bounds(self) -> tuple[Float64Array, Float64Array]:
        """Lowest and highest (row, column)."""
        return self.rings[0].min(axis=0), self.rings[0].max(axis=0)


def shapes_of(geometry: Any, placement: Placement) -> tuple[list[Shape], set[str]]:
    """Read the polygons of a geometry.

    Returns
    -------
    list of Shape, set of str
        The polygons, and what was put right.

    Raises
    ------
    LabelsError
        Why there are none, as a clause: ``"its coordinates are not numbers"``.
    """
    notes: set[str] = set()
    polygons = list(_polygons(geometry, notes))
    if not polygons:
        raise LabelsError("it is a point or a line, which cover no area")
    shapes: list[Shape] = []
    for polygon in polygons:
        shapes += _valid(_rings(polygon, placement, notes), notes)
    if not shapes:
        raise LabelsError("its outline encloses no area")
    return shapes, notes


def plane_of(geometry: Mapping[str, Any]) -> int:
    """Read which section a geometry lies on; QuPath leaves the first one out."""
    plane = geometry.get("plane")
    z = plane.get("z", 0) if isinstance(plane, Mapping) else 0
    if not isinstance(z, int) or isinstance(z, bool):
        raise LabelsError("its plane is not a whole number")
    return z


def _polygons(geometry: Any, notes: set[str]) -> Iterator[Any]:
    """Give the coordinates of each polygon inside a geometry."""
    if not isinstance(geometry, Mapping):
        raise LabelsError("it has no geometry")
    kind, coordinates = geometry.get("type"), geometry.get("coordinates")
    if kind == "Polygon":
        yield coordinates
    elif kind == "MultiPolygon":
        yield from _listed(coordinates)
    elif kind == "GeometryCollection":
        for part in _listed(geometry.get("geometries")):
            yield from _polygons(part, notes)
    elif kind in ("Point", "MultiPoint", "LineString", "MultiLineString"):
        notes.add(NO_AREA)
    else:
        raise LabelsError(f"its geometry is of the unknown type {kind!r}")


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise LabelsError("its coordinates are not a list")
    return value


def _rings(polygon: Any, placement: Placement, notes: set[str]) -> list[Float64Array]:
    rings = [_ring(ring, placement, notes) for ring in _listed(polygon)]
    if not rings:
        raise LabelsError("its outline is empty")
    return rings


def _ring(ring: Any, placement: Placement, notes: set[str]) -> Float64Array:
    points = _points(ring)
    if len(points) and (points[0] != points[-1]).any():
        notes.add(UNCLOSED)
        points = np.concatenate([points, points[:1]])
    if len(set(map(tuple, points.tolist()))) < 3:
        raise LabelsError("its outline has fewer than three corners")
    placed = placement.to_pixels(points)
    if not (np.abs(placed) <= LARGEST).all():
        raise LabelsError(f"its coordinates reach {np.abs(points).max():g}, beyond any slide")
    return placed


def _points(ring: Any) -> Float64Array:
    """Read the (x, y) of a ring; a height that some programs write behind them is passed over."""
    try:
        points = np.array([(x, y) for x, y, *_ in _listed(ring)], np.float64).reshape(-1, 2)
    except (TypeError, ValueError, OverflowError):
        raise LabelsError("its coordinates are not pairs of numbers") from None
    if not np.isfinite(points).all():
        raise LabelsError("its coordinates are not finite numbers")
    return points


def _valid(rings: list[Float64Array], notes: set[str]) -> list[Shape]:
    polygon = shapely.Polygon(rings[0], rings[1:])
    if polygon.is_valid:
        return [Shape(tuple(rings), float(polygon.area))]
    notes.add(CROSSING)
    # Not shapely's default: that fills a hole which shares an edge with the outer ring.
    mended = shapely.make_valid(polygon, method="structure", keep_collapsed=False)
    return [_shape(part) for part in shapely.get_parts(mended) if part.area > 0]


def _shape(polygon: Any) -> Shape:
    rings = (polygon.exterior, *polygon.interiors)
    return Shape(tuple(shapely.get_coordinates(ring) for ring in rings), float(polygon.area))
