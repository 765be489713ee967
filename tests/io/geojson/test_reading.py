"""Annotations from QuPath: imported, or left out with the reason, or one clear sentence."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.errors import LabelsError
from napari_ims_tumor.io.annotation_file import read_labels
from napari_ims_tumor.io.geojson import (
    ClassMapping,
    LabelsImport,
    Placement,
    looks_like_annotations,
    read_geojson,
    read_geojson_job,
    write_geojson,
)
from napari_ims_tumor.io.geojson.rasterizing import covered_pixels
from napari_ims_tumor.job import STOP, JobStopped
from napari_ims_tumor.msi.pixel_grid import PixelGrid

SHAPE = (6, 8)
SQUARE = [[1, 1], [4, 1], [4, 3], [1, 3], [1, 1]]
NAN = float("nan")


def grid(shape: tuple[int, int] = SHAPE, planes: int = 1) -> PixelGrid:
    plane, row, column = (a.ravel() for a in np.indices((planes, *shape)))
    return PixelGrid(row, column, shape, planes=plane)


def feature(geometry: Any, name: str | None = "Tumor", **properties: Any) -> dict[str, Any]:
    if name is not None:
        properties = {"classification": {"name": name, "color": [200, 0, 0]}, **properties}
    return {
        "type": "Feature",
        "geometry": geometry,
        "properties": {"objectType": "annotation", **properties},
    }


def polygon(*rings: Any, **more: Any) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings) or [SQUARE], **more}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.geojson"


def read(path: Path, *features: Any, how: LabelsImport | None = None, pixels: Any = None) -> Any:
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return read_geojson(path, pixels or grid(), how=how)


def box(top: int, bottom: int, left: int, right: int, value: int = 2) -> np.ndarray:
    labels = np.zeros(SHAPE, np.uint8)
    labels[top:bottom, left:right] = value
    return labels


def test_a_pixel_gets_the_class_where_its_center_is_inside(path: Path):
    ring = [[1.4, 1.6], [3.6, 1.6], [3.6, 4.4], [1.4, 4.4], [1.4, 1.6]]
    assert np.array_equal(read(path, feature(polygon(ring))).annotation.labels, box(2, 4, 1, 4))


WRAPPINGS = {
    "collection": lambda f: {"type": "FeatureCollection", "features": [f]},
    "a bare list": lambda f: [f],
    "one feature": lambda f: f,
    "no objectType": lambda f: {**f, "properties": {"classification": {"name": "tumor"}}},
    "type where the id is": lambda f: [{**f, "id": "PathAnnotationObject"}],
    "colorRGB": lambda f: {
        **f, "properties": {"classification": {"name": "TUMOR", "colorRGB": -3670016}}
    },
    "only a name": lambda f: {**f, "properties": {"classification": " Tumor "}},
    "names": lambda f: {**f, "properties": {"classification": {"names": ["Tumor"]}}},
    "a child": lambda f: {
        **f, "properties": {**f["properties"], "classification": None, "childObjects": [f]}
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", WRAPPINGS)
@pytest.mark.parametrize("start", ["", "\ufeff", "\n\t "])
def test_every_way_that_qupath_writes(path: Path, kind: str, start: str):
    path.write_text(start + json.dumps(WRAPPINGS[kind](feature(polygon()))), encoding="utf-8")
    found = read_geojson(path, grid())
    assert np.array_equal(found.annotation.labels, box(1, 3, 1, 4))
    if kind in ("collection", "colorRGB"):
        assert found.annotation.scheme.classes[1].color == "#c80000"


GEOMETRIES = {
    "hole": polygon(SQUARE, [[2, 1], [3, 1], [3, 2], [2, 2], [2, 1]]),
    "multi": {
        "type": "MultiPolygon",
        "coordinates": [[SQUARE], [[[5, 4], [6, 4], [6, 5], [5, 5], [5, 4]]]],
    },
    "collection": {
        "type": "GeometryCollection",
        "geometries": [polygon(), {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}],
    },
    "heights": polygon([[x, y, 7] for x, y in SQUARE]),
    "bow tie": polygon([[0, 0], [4, 4], [4, 0], [0, 4], [0, 0]]),
    "unclosed": polygon(SQUARE[:-1]),
}


def test_geometries_of_every_kind(path: Path):
    got = {name: read(path, feature(shape)) for name, shape in GEOMETRIES.items()}
    labels = {name: found.annotation.labels for name, found in got.items()}
    square = box(1, 3, 1, 4)
    hole, multi = square.copy(), square.copy()
    hole[1, 2], multi[4, 5] = 0, 2
    assert np.array_equal(labels["hole"], hole)
    assert np.array_equal(labels["multi"], multi)
    for name in ("collection", "heights", "unclosed"):
        assert np.array_equal(labels[name], square)
    assert labels["bow tie"][1:3, [0, 3]].all()
    assert not labels["bow tie"][[0, 3], 1:3].any()
    assert "mended" in got["bow tie"].notices[0]
    assert "closed" in got["unclosed"].notices[0]
    assert "cover no area" in got["collection"].notices[0]
    assert "mended" in got["hole"].notices[0], "it shares an edge with the outer ring"


def test_an_ellipse_is_taken_as_qupath_drew_it(path: Path):
    turn = np.linspace(0, 2 * np.pi, 97)
    ring = np.round(np.c_[4 + 3 * np.cos(turn), 3 + 2 * np.sin(turn)], 2).tolist()
    found = read(path, feature(polygon(ring, isEllipse=True)))
    row, column = np.indices(SHAPE)
    inside = ((column + 0.5 - 4) / 3) ** 2 + ((row + 0.5 - 3) / 2) ** 2 < 1
    assert np.array_equal(found.annotation.labels > 0, inside)


LEFT_OUT: dict[str, tuple[Any, str]] = {
    "no class": (feature(polygon(), None), "has no class"),
    "empty class": (feature(polygon(), "  "), "has no class"),
    "qupath's ignore": (feature(polygon(), "Ignore*"), "QuPath itself ignores"),
    "detection": (feature(polygon(), objectType="detection"), "a detection"),
    "old cell": ({**feature(polygon()), "id": "PathCellObject"}, "a PathCellObject"),
    "point": (feature({"type": "Point", "coordinates": [1, 1]}), "cover no area"),
    "line": (feature({"type": "LineString", "coordinates": [[1, 1], [2, 2]]}), "cover no area"),
    "no geometry": (feature(None), "no geometry"),
    "odd type": (feature({"type": "Blob"}), "unknown type 'Blob'"),
    "no number": (feature(polygon([["a", 1]] * 4)), "not pairs of numbers"),
    "null": (feature(polygon([[None, 1]] * 4)), "not finite numbers"),
    "flat": (feature({"type": "Polygon", "coordinates": [1, 2, 3]}), "not a list"),
    "no list": (feature({"type": "Polygon", "coordinates": 7}), "not a list"),
    "empty": (feature({"type": "Polygon", "coordinates": []}), "outline is empty"),
    "NaN": (feature(polygon([[1, 1], [NAN, 2], [3, 3], [1, 1]])), "not finite"),
    "Inf": (feature(polygon([[1, 1], [math.inf, 2], [3, 3], [1, 1]])), "not finite"),
    "huge": (feature(polygon([[1, 1], [1e300, 2], [3, 3], [1, 1]])), "1e+300"),
    "huge integer": (feature(polygon([[1, 1], [10**400, 2], [3, 3], [1, 1]])), "not pairs"),
    "two corners": (feature(polygon([[1, 1], [2, 2], [1, 1]])), "fewer than three"),
    "flat ring": (feature(polygon([[1, 1], [3, 1], [2, 1], [1, 1]])), "no area"),
    "tiny": (feature(polygon([[1, 1], [1.3, 1], [1, 1.3], [1, 1]])), "no pixel's center"),
    "beside": (feature(polygon([[8, 0], [9, 0], [9, 1], [8, 1], [8, 0]])), "beside the slide"),
    "plane": (feature(polygon(plane={"c": -1, "z": 2, "t": 0})), "plane 2"),
    "odd plane": (feature(polygon(plane={"z": "x"})), "plane"),
    "a number": (5, "another kind of JSON"),
}


@pytest.mark.parametrize("kind", LEFT_OUT)
def test_what_cannot_be_used_is_listed_with_its_reason_and_the_rest_imported(path: Path, kind: str):
    bad, reason = LEFT_OUT[kind]
    found = read(path, bad, feature(polygon()), bad)
    assert np.array_equal(found.annotation.labels, box(1, 3, 1, 4))
    (listed,) = found.skipped
    assert reason in listed
    assert found.skipped[listed] == 2
    assert any(f"left out 2: {listed}" in line for line in found.summary())
    assert (found.n_features, found.n_imported) == (3, 1)
    assert found.problem is None


def test_nothing_usable_is_one_sentence(path: Path):
    path.write_text(json.dumps([LEFT_OUT["no class"][0], LEFT_OUT["point"][0]]))
    with pytest.raises(LabelsError, match=r"none of its 2 .*no class.*no area"):
        read_labels(path, grid())


def test_reaching_beyond_the_slide_is_cut_off_with_a_notice(path: Path):
    found = read(path, feature(polygon([[-3, 1], [4, 1], [4, 3], [-3, 3], [-3, 1]])))
    assert np.array_equal(found.annotation.labels, box(1, 3, 0, 4))
    assert "1 annotations reach beyond" in found.notices[0]
    rounded = read(path, feature(polygon([[0, 0], [8.004, 0], [8.004, 6], [0, 6], [0, 0]])))
    assert not rounded.notices


def test_all_beside_the_slide_says_probably_why_and_a_scale_helps(path: Path):
    big = [[100 * x, 100 * y] for x, y in SQUARE]
    found = read(path, feature(polygon(big)), feature(polygon([[2000, 9], [2100, 9], [2000, 99]])))
    assert found.problem is not None
    assert "row 300, column 2,100" in found.problem
    assert "--scale" in found.problem
    how = LabelsImport(placement=Placement.scaled(100))
    again = read(path, feature(polygon(big)), how=how)
    assert np.array_equal(again.annotation.labels, box(1, 3, 1, 4))


def test_unknown_classes_are_listed_and_never_guessed(path: Path):
    shapes = [feature(polygon(), name) for name in ("Stroma", "tumour", "Stroma", "tUMOR")]
    found = read(path, *shapes)
    assert dict(found.unknown) == {"Stroma": 2, "tumour": 1}
    assert (found.n_imported, found.problem) == (1, None)
    assert '"Stroma" (2), "tumour" (1)' in found.summary()[-1]
    assert '--class "Stroma=CLASS"' in found.summary()[-1]
    only = read(path, shapes[0])
    assert only.problem is not None
    assert '"Stroma" (1)' in only.problem


def test_the_user_says_what_classes_mean(path: Path):
    shapes = [feature(polygon(), "Stroma"), feature(polygon(), "Necrosis: Old")]
    said = ClassMapping.parse(["stroma = Healthy", "necrosis: old=ignore"])
    found = read(path, *shapes, how=LabelsImport(said))
    assert np.array_equal(found.annotation.labels, box(1, 3, 1, 4, value=1))
    assert 'its class "Necrosis: Old" was to be left out' in found.skipped
    assert not found.unknown
    # The file's color is Stroma's, not that of healthy tissue.
    assert found.annotation.scheme.classes[0].color == "#0072b2"
    with pytest.raises(LabelsError, match=r"healthy, tumor, ignore"):
        read(path, *shapes, how=LabelsImport(ClassMapping.parse(["Stroma=fibrous"])))


def test_a_class_inside_another_is_not_taken_for_it(path: Path):
    old = {"name": "Tumor", "colorRGB": -1, "parentClass": {"name": "Lymph node", "colorRGB": -1}}
    found = read(path, feature(polygon(), None, classification=old))
    assert dict(found.unknown) == {"Lymph node: Tumor": 1}


@pytest.mark.parametrize("text", ["Stroma", "=tumor", "Stroma=", ""])
def test_a_mapping_is_two_names(text: str):
    with pytest.raises(LabelsError, match="NAME=CLASS"):
        ClassMapping.parse([text])


def test_the_smaller_annotation_wins_whatever_the_order(path: Path):
    large = feature(polygon([[0, 0], [8, 0], [8, 6], [0, 6], [0, 0]]), "Healthy")
    small = feature(polygon())
    expected = np.where(box(1, 3, 1, 4) > 0, 2, 1)
    for order in ([large, small], [small, large]):
        found = read(path, *order)
        assert np.array_equal(found.annotation.labels, expected)
        assert "6 pixels lie inside annotations of two classes" in found.notices[0]
    same = read(path, small, feature(polygon(), "Healthy"))
    assert same.annotation.labels.max() == 1, "of equal ones the last"


def test_planes_are_kept_apart(path: Path):
    pixels = grid(planes=3)
    found = read(path, feature(polygon(plane={"c": -1, "z": 2, "t": 0})), pixels=pixels)
    assert np.array_equal(found.annotation.labels[2], box(1, 3, 1, 4))
    assert not found.annotation.labels[:2].any()


BROKEN = {
    "empty": ("", "it is empty"),
    "no JSON": ("Hello, QuPath", "no JSON text"),
    "a number": ("3", "no JSON text"),
    "another type": ('{"type": "Topology", "objects": {}}', "type 'Topology'"),
    "our sidecar": ('{"format": "napari-ims-tumor planes"}', "no annotations as QuPath"),
    "features is no list": ('{"type": "FeatureCollection", "features": 3}', "no list of features"),
    "two files in one": ("[][]", "more text behind"),
    "deep": ("[" * 100_000, "nested too deeply|cannot be read"),
    "no comma": ('[{"a": 1} {"b": 2}]', "',' is missing in line 1"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_geojson_gives_one_sentence(path: Path, kind: str):
    text, reason = BROKEN[kind]
    path.write_text(text)
    with pytest.raises(LabelsError, match=reason) as refused:
        read_geojson(path, grid())
    assert "a.geojson" in str(refused.value)


def test_binary_and_missing_files(path: Path, tmp_path: Path):
    path.write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
    with pytest.raises(LabelsError, match="no text"):
        read_geojson(path, grid())
    with pytest.raises(LabelsError, match="no such file"):
        read_geojson(tmp_path / "none.geojson", grid())
    with pytest.raises(LabelsError, match="cannot be read"):
        read_geojson(tmp_path, grid())


def test_a_file_cut_off_says_how_far_it_was_whole(path: Path):
    whole = json.dumps({"type": "FeatureCollection", "features": [feature(polygon())] * 5})
    for end in range(1, len(whole), 17):
        path.write_text(whole[:end])
        with pytest.raises(LabelsError):
            read_geojson(path, grid())
    path.write_text(whole[: whole.rindex("Polygon")])
    with pytest.raises(LabelsError, match="after 4 whole annotations"):
        read_geojson(path, grid())


def test_labels_written_for_another_slide_are_refused_with_both_shapes(path: Path):
    write_geojson(path, Annotation(box(1, 3, 1, 4)))
    with pytest.raises(LabelsError, match=r"\(6, 8\).*\(5, 5\)"):
        read_geojson(path, grid((5, 5)))
    how = LabelsImport(placement=Placement.scaled(2))
    assert read_geojson(path, grid((5, 5)), how=how).n_imported == 1
    path.write_text(path.read_text().replace('"version":1', '"version":2'))
    with pytest.raises(LabelsError, match="newer version"):
        read_geojson(path, grid())


def test_a_stop_ends_it_with_nothing(path: Path):
    path.write_text(json.dumps([feature(polygon())]))
    job = read_geojson_job(path, grid())
    next(job)
    next(job)
    with pytest.raises(JobStopped):
        job.send(STOP)


def test_a_thousand_annotations_take_less_than_two_seconds(path: Path):
    rng = np.random.default_rng(0)
    turn = np.linspace(0, 2 * np.pi, 60)
    features = []
    for x, y in rng.uniform(0, 512, (1000, 2)):
        radius = rng.uniform(5, 40) * (1 + 0.2 * np.sin(5 * turn))
        ring = np.round(np.c_[x + radius * np.cos(turn), y + radius * np.sin(turn)], 2)
        features.append(feature(polygon(ring.tolist())))
    path.write_text(json.dumps(features))
    began = process_time()
    read_geojson(path, grid((512, 512)))
    assert process_time() - began < 2


def test_what_looks_like_annotations(path: Path, tmp_path: Path):
    path.write_text(json.dumps([feature(polygon())]))
    assert looks_like_annotations(path)
    write_geojson(path, Annotation(np.zeros(SHAPE, np.uint8)))
    assert looks_like_annotations(path)
    ring = [[n, n % 7] for n in range(40_000)]
    path.write_text(json.dumps([feature(polygon(ring))]))
    assert looks_like_annotations(path), "its properties stand behind a long outline"
    cities = {"type": "Feature", "properties": {"name": "Oslo"}, "geometry": polygon()}
    path.write_text(json.dumps(cities))
    assert not looks_like_annotations(path)
    assert not looks_like_annotations(tmp_path / "none.geojson")


corner = st.tuples(st.floats(-4, 12), st.floats(-4, 12))


@settings(max_examples=80)
@given(st.lists(corner, min_size=3, max_size=7, unique=True))
def test_covered_pixels_are_those_whose_center_lies_inside(corners):
    whole = shapely.Polygon(corners)
    if not whole.is_valid or whole.area == 0:
        return
    found = covered_pixels([np.array([*corners, corners[0]])], SHAPE)
    mask = np.zeros(SHAPE, bool)
    if found is not None:
        mask[found[0]] = found[1]
    row, column = np.indices(SHAPE)
    points = shapely.points(row, column)
    # Closer to the outline than numbers tell apart, either answer is right.
    clear = shapely.distance(whole.exterior, points) > 1e-9
    assert np.array_equal(mask[clear], shapely.contains(whole, points)[clear])


@given(st.lists(st.floats(0, 8), min_size=1, max_size=4, unique=True))
def test_polygons_that_share_edges_share_every_pixel_out(cuts):
    ends = [-1.0, *sorted(cuts), 9.0]
    count = np.zeros(SHAPE, int)
    for left, right in pairwise(ends):
        ring = np.array([[-1, left], [7, left + 1], [7, right + 1], [-1, right], [-1, left]])
        found = covered_pixels([ring], SHAPE)
        if found is not None:
            count[found[0]] += found[1]
    assert (count[:, 2:] <= 1).all()
    assert count.max() == 1
