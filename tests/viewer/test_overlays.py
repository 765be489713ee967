"""Half a prediction is looked at while it is made; it is never taken for a whole one."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from tests.viewer.conftest import FakePrediction, make_prediction

from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset
from napari_ims_tumor.session.session import Session
from napari_ims_tumor.viewer.binding import Binding
from napari_ims_tumor.viewer.overlays import NOT_ALL, SO_FAR
from napari_ims_tumor.viewer.shown import view_of
from napari_ims_tumor.viewer.slide_tag import first_of


def half_of(whole: FakePrediction) -> FakePrediction:
    values = whole.probabilities.copy()
    values[:, 4:] = np.nan
    return FakePrediction(values)


def preview(session: Session, made: FakePrediction) -> None:
    assert session.active is not None
    session.previewed.emit(session.active.with_(prediction=made))


def predicted(session: Session, made: FakePrediction) -> None:
    assert session.active is not None
    session.predicted.emit(session.update(session.active, prediction=made))


def end(session: Session, left_half: bool) -> None:
    session.classifier.left_half = left_half
    session.job_ended.emit("predict")


@pytest.fixture
def shown(binding: Binding, session: Session, dataset: InMemoryDataset) -> Binding:
    session.adopt(dataset)
    return binding


def test_what_is_not_answered_yet_stays_empty(
    shown: Binding, session: Session, viewer: ViewerModel, dataset: InMemoryDataset
) -> None:
    predicted(session, make_prediction(dataset.pixels, 0.2))
    new = make_prediction(dataset.pixels, 0.8)
    shown.overlays.look_as(session.active, "uncertainty")
    preview(session, half_of(new))
    for role in ("tumor", "class", "uncertainty"):
        layer = first_of(viewer.layers, dataset, role)
        assert layer.name.endswith(SO_FAR)
        assert not np.nan_to_num(layer.data[4:]).any()
    shown.overlays.set_threshold(0.9, 0.0)
    assert first_of(viewer.layers, dataset, "class").data[5, 5] == 0
    assert first_of(viewer.layers, dataset, "class").data[2, 5] == 1
    # No picture of half a prediction goes into a file.
    assert view_of(shown, None).prediction is None
    end(session, left_half=False)
    predicted(session, new)
    layer = first_of(viewer.layers, dataset, "tumor")
    assert not layer.name.endswith(SO_FAR)
    assert layer.data[5, 5] == np.float32(0.8)
    assert view_of(shown, None).prediction is not None


def test_a_prediction_that_stops_gives_back_what_was_shown(
    shown: Binding,
    session: Session,
    viewer: ViewerModel,
    dataset: InMemoryDataset,
    heard: list[str],
) -> None:
    predicted(session, make_prediction(dataset.pixels, 0.2))
    preview(session, half_of(make_prediction(dataset.pixels, 0.8)))
    end(session, left_half=True)
    layer = first_of(viewer.layers, dataset, "tumor")
    assert (layer.data[5, 5], layer.data[2, 5]) == (np.float32(0.2), np.float32(0.2))
    assert not layer.name.endswith(SO_FAR)
    assert heard == [f"slide: {NOT_ALL}"]


def test_a_first_prediction_that_stops_leaves_no_layer(
    shown: Binding, session: Session, viewer: ViewerModel, dataset: InMemoryDataset
) -> None:
    before = list(viewer.layers)
    preview(session, half_of(make_prediction(dataset.pixels)))
    assert first_of(viewer.layers, dataset, "tumor") is not None
    end(session, left_half=True)
    assert list(viewer.layers) == before
