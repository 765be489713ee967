"""Labels from QuPath come into the session, or raise a question that can be answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_ims_tumor.io.geojson import ClassMapping, LabelsImport, Placement
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset
from napari_ims_tumor.session.labels_reading import LabelsQuestion
from napari_ims_tumor.session.session import Session

SQUARE = np.array([[1, 1], [4, 1], [4, 3], [1, 3], [1, 1]])


def annotate(path: Path, *names: str, scale: int = 1) -> Path:
    geometry = {"type": "Polygon", "coordinates": [(SQUARE * scale).tolist()]}
    properties = [{"objectType": "annotation", "classification": {"name": n}} for n in names]
    features = [{"type": "Feature", "geometry": geometry, "properties": p} for p in properties]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def test_there_and_back(session: Session, slide: InMemoryDataset, strokes: Any, tmp_path: Path):
    session.adopt(slide)
    session.annotate(strokes)
    session.files.save_labels(tmp_path / "a.geojson")
    session.annotate(np.zeros_like(strokes))
    session.files.load_labels(tmp_path / "a.geojson")
    assert session.active is not None
    assert np.array_equal(session.active.annotation.labels, strokes)


def test_unknown_classes_are_asked_for_and_nothing_changes_before(
    session: Session, slide: InMemoryDataset, tmp_path: Path
):
    path = annotate(tmp_path / "a.geojson", "Tumor", "Stroma")
    asked: list[LabelsQuestion] = []
    session.labels_asked.connect(asked.append)
    session.adopt(slide)
    session.files.load_labels(path)
    (question,) = asked
    assert dict(question.read.unknown) == {"Stroma": 1}
    assert session.active is not None
    assert not session.active.annotation.labels.any()
    how = LabelsImport(ClassMapping({"Stroma": "healthy"}))
    session.files.load_labels(path, how, question.slide)
    assert session.active.annotation.labels[1:3, 1:4].tolist() == [[1] * 3] * 2
    assert len(asked) == 1


def test_with_nobody_to_ask_the_known_is_read_and_the_rest_said(
    session: Session, slide: InMemoryDataset, tmp_path: Path
):
    path = annotate(tmp_path / "a.geojson", "Tumor", "Stroma")
    noticed: list[str] = []
    session.noticed.connect(noticed.append)
    session.adopt(slide)
    session.files.load_labels(path)
    assert session.active is not None
    assert session.active.annotation.labels[1, 1] == 2
    assert '"Stroma" (1)' in noticed[0]


def test_annotations_of_another_image_are_asked_for_their_scale(
    session: Session, slide: InMemoryDataset, tmp_path: Path
):
    path = annotate(tmp_path / "a.geojson", "Tumor", scale=100)
    asked: list[LabelsQuestion] = []
    session.labels_asked.connect(asked.append)
    session.adopt(slide)
    for scale, seen in ((None, 1.0), (2.0, 2.0)):
        how = None if scale is None else LabelsImport(placement=Placement.scaled(scale))
        session.files.load_labels(path, how)
        assert asked[-1].scale == pytest.approx(seen)
        assert "no annotation lies on this slide" in asked[-1].read.outside
    session.files.load_labels(path, LabelsImport(placement=Placement.scaled(100)))
    assert len(asked) == 2
    assert session.active is not None
    assert session.active.annotation.labels[1, 1] == 2


def test_nothing_usable_fails_in_one_sentence(
    session: Session, slide: InMemoryDataset, tmp_path: Path
):
    failed: list[str] = []
    session.failed.connect(failed.append)
    session.adopt(slide)
    path = annotate(tmp_path / "a.geojson", "Stroma")
    session.files.load_labels(path, LabelsImport(ClassMapping({"Stroma": "ignore"})))
    path.write_text("no")
    session.files.load_labels(path)
    assert "was to be left out" in failed[0]
    assert "cannot be read as GeoJSON" in failed[1]
