"""Whole regions, roughly, as QuPath's annotations and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.io.annotation_file import read_labels, write_labels
from napari_ims_tumor.msi.arrays import LabelArray
from napari_ims_tumor.msi.pixel_grid import PixelGrid

SIDE = 7


def grid() -> PixelGrid:
    rows, columns = (a.ravel() for a in np.mgrid[:SIDE, :SIDE])
    return PixelGrid(rows, columns, (SIDE, SIDE))


LABELS = arrays(np.uint8, (SIDE, SIDE), elements=st.sampled_from([0, 1, 2, 129, 130]))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(labels=LABELS, ending=st.sampled_from([".geojson", ".npy", ".png", ".tif"]))
def test_strokes_and_regions_survive_every_format(
    tmp_path: Path, labels: LabelArray, ending: str
) -> None:
    path = tmp_path / f"labels{ending}"
    write_labels(path, Annotation(labels), grid())
    read, _ = read_labels(path, grid()) if labels.any() else (Annotation(labels), ())
    assert np.array_equal(read.labels, labels)


def _square(low: float, high: float, **properties: Any) -> dict[str, Any]:
    ring = [[low, low], [high, low], [high, high], [low, high], [low, low]]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    about = {"objectType": "annotation", "classification": {"name": "Tumor"}, **properties}
    return {"type": "Feature", "geometry": geometry, "properties": about}


@pytest.mark.parametrize(
    "properties",
    [
        {"weak": True},
        {"metadata": {"Weak": "true"}},
        {"measurements": {"weak": 1.0}},
        {"measurements": [{"name": "weak", "value": 1}]},
        {"classification": {"names": ["Tumor", "weak"]}},
        {"classification": {"name": "Tumor: Weak"}},
    ],
)
def test_every_place_where_qupath_can_say_it(tmp_path: Path, properties: dict[str, Any]) -> None:
    path = tmp_path / "core.geojson"
    path.write_text(json.dumps([_square(0, 4, **properties)]))
    read, _ = read_labels(path, grid())
    assert (read.labels[:4, :4] == 130).all()
    assert (read.labels[4:] == 0).all()


@pytest.mark.parametrize("properties", [{}, {"weak": False}, {"metadata": {"weak": "no"}}])
def test_an_outline_is_a_stroke_unless_it_says_otherwise(
    tmp_path: Path, properties: dict[str, Any]
) -> None:
    path = tmp_path / "stroke.geojson"
    path.write_text(json.dumps([_square(0, 4, **properties)]))
    assert (read_labels(path, grid())[0].labels[:4, :4] == 2).all()


def test_what_was_drawn_by_hand_lies_over_a_smaller_region(tmp_path: Path) -> None:
    path = tmp_path / "both.geojson"
    stroke = _square(0, 6, classification={"name": "Healthy"})
    path.write_text(json.dumps([stroke, _square(1, 3, weak=True)]))
    read, notices = read_labels(path, grid())
    assert (read.labels[:6, :6] == 1).all()
    assert not any("two classes" in notice for notice in notices)
