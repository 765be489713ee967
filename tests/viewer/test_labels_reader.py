"""A dropped .geojson becomes labels where a slide is open, and is left to others elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import napari
import numpy as np
import pytest
from napari.components import ViewerModel

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.io.geojson import write_geojson
from napari_ims_tumor.session.session import Session
from napari_ims_tumor.viewer.binding import Binding
from napari_ims_tumor.viewer.bound import binding_of
from napari_ims_tumor.viewer.labels_reader import NOTHING_TO_ADD, get_labels_reader
from napari_ims_tumor.viewer.layers import slide_layers

LABELS = np.zeros((8, 12), np.uint8)
LABELS[2:5, 3:7] = 2


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_geojson(tmp_path / "a.geojson", Annotation(LABELS))
    return tmp_path / "a.geojson"


@pytest.fixture(autouse=True)
def current(viewer: ViewerModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(napari, "current_viewer", lambda: viewer)


def test_without_a_slide_it_is_left_to_other_readers(path: Path, monkeypatch) -> None:
    assert get_labels_reader(path) is None
    monkeypatch.setattr(napari, "current_viewer", lambda: None)
    assert get_labels_reader(path) is None


def test_other_files_are_left_to_other_readers(
    binding: Binding, session: Session, dataset, path: Path, tmp_path: Path
) -> None:
    session.adopt(dataset)
    assert get_labels_reader(path) is not None
    assert get_labels_reader([path, path]) is None
    map_file = tmp_path / "map.geojson"
    map_file.write_text(json.dumps({"type": "FeatureCollection", "features": []}))
    assert get_labels_reader(map_file) is None
    other = tmp_path / "a.txt"
    other.write_bytes(path.read_bytes())
    assert get_labels_reader(other) is None


def test_with_the_dock_it_is_read_like_any_labels(
    binding: Binding, session: Session, dataset, path: Path, viewer: ViewerModel
) -> None:
    session.adopt(dataset)
    assert get_labels_reader(str(path))(str(path)) == NOTHING_TO_ADD
    assert session.active is not None
    assert np.array_equal(session.active.annotation.labels, LABELS)
    assert [la.name for la in viewer.layers if la.name.startswith("labels")] == ["labels · slide"]
    binding.close()
    assert binding_of(viewer) is None


def test_without_the_dock_it_is_a_labels_layer_over_the_slide(
    viewer: ViewerModel, dataset, build, path: Path
) -> None:
    for data, kwargs, kind in slide_layers(dataset, build.overview(dataset)):
        getattr(viewer, f"add_{kind}")(data, **kwargs)
    ((labels, kwargs, kind),) = get_labels_reader(path)(path)
    assert kind == "labels"
    assert np.array_equal(labels, LABELS)
    assert tuple(kwargs["scale"]) == (50.0, 25.0)
    layer = viewer.add_labels(labels, **kwargs)
    assert np.array_equal(layer.extent.world, viewer.layers[0].extent.world)


def test_what_cannot_be_read_is_one_message(
    viewer: ViewerModel, dataset, build, path: Path, monkeypatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("napari_ims_tumor.viewer.labels_reader.show_error", said.append)
    data, kwargs, _ = slide_layers(dataset, build.overview(dataset))[0]
    viewer.add_image(data, **kwargs)
    read = get_labels_reader(path)
    path.write_text(path.read_text()[:200])
    assert read(path) == NOTHING_TO_ADD
    assert "cannot be read as GeoJSON" in said[0]
