"""Labels to GeoJSON and back: the same labels, whatever they look like."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.annotation.label_classes import TUMOR_SCHEME, ClassScheme, LabelClass
from napari_ims_tumor.annotation.regions import strokes
from napari_ims_tumor.io.annotation_file import read_labels, write_labels
from napari_ims_tumor.io.geojson import (
    LabelsImport,
    Placement,
    geojson_text,
    read_geojson,
    write_geojson,
)
from napari_ims_tumor.msi.pixel_grid import PixelGrid

FOUR = ClassScheme(
    (
        *TUMOR_SCHEME.classes,
        LabelClass(3, "stroma, näher", "#010203", "other"),
        LabelClass(127, "Necrosis", "#ffffff", "other"),
    )
)


def grid(shape: tuple[int, ...]) -> PixelGrid:
    planes, rows, columns = (1, *shape)[-3:]
    plane, row, column = (a.ravel() for a in np.indices((planes, rows, columns)))
    return PixelGrid(row, column, (rows, columns), planes=plane)


masks = arrays(
    np.uint8,
    st.tuples(st.integers(1, 3), st.integers(1, 8), st.integers(1, 8)).map(
        lambda shape: shape if shape[0] > 1 else shape[1:]
    ),
    elements=st.sampled_from([0, 0, 1, 1, 1, 2, 3, 127, 130, 255]),
    fill=st.nothing(),
)
placements = st.one_of(
    st.just(Placement()),
    st.floats(0.05, 500).map(Placement.scaled),
    st.just(Placement((0.3, 0.2, 7.7, -0.1, 0.5, -3.1))),
    st.tuples(st.integers(-9, 9), st.integers(-9, 9)).map(
        lambda by: Placement((1.0, 0.0, by[0], 0.0, 1.0, by[1]))
    ),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(labels=masks, placement=placements)
def test_any_labels_survive_and_every_outline_is_valid(tmp_path: Path, labels, placement):
    path = tmp_path / "a.geojson"
    write_geojson(path, Annotation(labels, FOUR), placement)
    how = LabelsImport(placement=placement)
    read = read_geojson(path, grid(labels.shape), FOUR, how)
    assert np.array_equal(read.annotation.labels, labels)
    assert not read.notices
    assert not read.skipped
    whole = json.loads(path.read_text(encoding="utf-8"))
    # Written anew by another program: other spaces, other order of the members.
    path.write_text(json.dumps(whole, indent=1, sort_keys=True), encoding="utf-8")
    again = read_geojson(path, grid(labels.shape), FOUR, how)
    assert np.array_equal(again.annotation.labels, labels)
    shapes = [shapely.from_geojson(json.dumps(f["geometry"])) for f in whole["features"]]
    assert all(shapely.is_valid(shapes))
    numbered = strokes(labels)
    assert len(shapes) == numbered.max()


HARD = {
    "checkerboard": np.indices((9, 8)).sum(0) % 2 + 1,
    "holes in holes": np.array(
        [[max(abs(r - 5), abs(c - 5)) % 2 for c in range(11)] for r in range(11)]
    ),
    "a ring that closes at a corner": np.array([[1, 1, 1], [1, 0, 1], [1, 1, 0]]),
    "holes that touch": np.array([[1, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 1]]),
    "full": np.full((5, 7), 2),
    "empty": np.zeros((5, 7)),
    "one pixel": np.array([[2]]),
}


@pytest.mark.parametrize("name", HARD)
def test_hard_cases(tmp_path: Path, name):
    labels = HARD[name].astype(np.uint8)
    write_labels(tmp_path / "a.geojson", Annotation(labels), grid(labels.shape))
    read, _ = read_labels(tmp_path / "a.geojson", grid(labels.shape))
    assert np.array_equal(read.labels, labels)


def test_the_file_is_what_qupath_reads():
    labels = np.zeros((2, 4, 5), np.uint8)
    labels[1, 1:4, 1:4] = 2
    labels[1, 2, 2] = 0
    feature = json.loads(geojson_text(Annotation(labels), Placement()))["features"][0]
    assert feature["type"] == "Feature"
    assert feature["properties"] == {
        "objectType": "annotation",
        "classification": {"name": "Tumor", "color": [213, 94, 0]},
    }
    assert feature["geometry"] == {
        "type": "Polygon",
        "coordinates": [
            [[1, 1], [4, 1], [4, 4], [1, 4], [1, 1]],
            [[3, 2], [2, 2], [2, 3], [3, 3], [3, 2]],
        ],
        "plane": {"c": -1, "z": 1, "t": 0},
    }
    shell, hole = (shapely.LinearRing(r) for r in feature["geometry"]["coordinates"])
    # RFC 7946: outer rings counterclockwise, holes clockwise.
    assert (shell.is_ccw, hole.is_ccw) == (True, False)


def test_pieces_of_one_stroke_are_one_annotation():
    labels = np.eye(3, dtype=np.uint8)
    (feature,) = json.loads(geojson_text(Annotation(labels), Placement()))["features"]
    assert feature["geometry"]["type"] == "MultiPolygon"
    assert len(feature["geometry"]["coordinates"]) == 3


def test_the_same_labels_give_the_same_bytes_and_each_annotation_an_id_of_its_own():
    labels = np.array([[1, 0, 1], [0, 0, 0], [2, 0, 1]], np.uint8)
    texts = {geojson_text(Annotation(labels, revision=n), Placement()) for n in range(3)}
    assert len(texts) == 1
    ids = [feature["id"] for feature in json.loads(texts.pop())["features"]]
    assert len(set(ids)) == 4


def test_colors_and_names_travel_both_ways(tmp_path: Path):
    mine = ClassScheme((LabelClass(1, "Healthy", "#123456", "healthy"), TUMOR_SCHEME.classes[1]))
    write_geojson(tmp_path / "a.geojson", Annotation(np.ones((2, 2), np.uint8), mine))
    read = read_geojson(tmp_path / "a.geojson", grid((2, 2)))
    assert [c.color for c in read.annotation.scheme.classes] == ["#123456", "#d55e00"]
    assert read.annotation.scheme.names == ("healthy", "tumor")


@pytest.mark.real_data
def test_the_labels_of_the_bladder_array(real_data: Path, tmp_path: Path):
    labels = np.load(real_data / "bladder_tma1" / "TMA1_labels.npy").astype(np.uint8)
    pixels = grid(labels.shape)
    write_labels(tmp_path / "a.geojson", Annotation(labels), pixels)
    read, notices = read_labels(tmp_path / "a.geojson", pixels)
    assert np.array_equal(read.labels, labels)
    assert not notices
