from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from tests.widgets.conftest import Heard, make_dataset, painted

from napari_ims_tumor.session.session import Session
from napari_ims_tumor.widgets import file_dialogs
from napari_ims_tumor.widgets.annotation_panel import AnnotationPanel
from napari_ims_tumor.widgets.wiring import Wiring


@pytest.fixture
def panel(qtbot: QtBot, wiring: Wiring) -> AnnotationPanel:
    made = AnnotationPanel(wiring)
    qtbot.addWidget(made)
    made.show()
    yield made
    made.unfollow()


def press(panel: AnnotationPanel, qtbot: QtBot, name: str) -> None:
    from qtpy.QtWidgets import QPushButton

    qtbot.mouseClick(panel.findChild(QPushButton, name), Qt.MouseButton.LeftButton)


def labels_of(viewer: ViewerModel) -> Labels:
    (layer,) = [layer for layer in viewer.layers if layer.name.startswith("labels")]
    return layer


def held(panel: AnnotationPanel) -> list[str]:
    return [b.objectName() for b in panel.brushes.buttons() if b.isChecked()]


def test_without_a_slide_nothing_can_be_pressed(panel: AnnotationPanel) -> None:
    assert not panel.start.isEnabled()
    assert "Open a slide" in panel.start.toolTip()


def test_one_button_makes_the_labels_layer_with_the_tumor_brush(
    panel: AnnotationPanel, session: Session, viewer: ViewerModel, qtbot: QtBot
) -> None:
    session.adopt(make_dataset())
    press(panel, qtbot, "annotate_start")
    layer = labels_of(viewer)
    assert layer.data.shape == (8, 10)
    assert str(layer.mode) == "paint"
    assert held(panel) == ["annotate_tumor"]
    assert viewer.layers.selection.active is layer


@pytest.mark.parametrize(
    ("name", "mode", "value"),
    [
        ("annotate_healthy", "paint", 1),
        ("annotate_tumor", "paint", 2),
        ("annotate_erase", "erase", None),
    ],
)
def test_brush_buttons_hold_the_brush(
    panel: AnnotationPanel,
    session: Session,
    viewer: ViewerModel,
    qtbot: QtBot,
    name: str,
    mode: str,
    value: int | None,
) -> None:
    session.adopt(make_dataset())
    press(panel, qtbot, name)
    layer = labels_of(viewer)
    assert str(layer.mode) == mode
    assert value is None or layer.selected_label == value
    assert held(panel) == [name]


def test_buttons_follow_the_layer(
    panel: AnnotationPanel, session: Session, viewer: ViewerModel, qtbot: QtBot
) -> None:
    session.adopt(make_dataset())
    press(panel, qtbot, "annotate_tumor")
    layer = labels_of(viewer)
    layer.selected_label = 1
    assert held(panel) == ["annotate_healthy"]
    layer.mode = "erase"
    assert held(panel) == ["annotate_erase"]
    layer.mode = "pan_zoom"
    assert held(panel) == []
    layer.mode = "paint"
    viewer.layers.selection.active = viewer.layers[0]
    assert held(panel) == []


def test_brush_size_both_ways(
    panel: AnnotationPanel, session: Session, viewer: ViewerModel, qtbot: QtBot
) -> None:
    session.adopt(make_dataset())
    press(panel, qtbot, "annotate_start")
    panel.size.setValue(7)
    assert labels_of(viewer).brush_size == 7
    labels_of(viewer).brush_size = 3
    assert panel.size.value() == 3
    assert panel.size_text.text() == "Brush size 3"


def test_counts_are_of_measured_pixels(
    panel: AnnotationPanel, session: Session, viewer: ViewerModel, qtbot: QtBot
) -> None:
    session.adopt(make_dataset())
    press(panel, qtbot, "annotate_start")
    layer = labels_of(viewer)
    layer.data_setitem((np.array([0, 3, 3]), np.array([0, 3, 4])), 2)
    layer.data_setitem((np.array([5]), np.array([5])), 1)
    assert panel.counts["tumor"].text() == "2 pixels"
    assert panel.counts["healthy"].text() == "1 pixel"
    layer.undo()
    assert panel.counts["healthy"].text() == "0 pixels"


def test_a_deleted_layer_comes_back_with_its_strokes(
    panel: AnnotationPanel, session: Session, viewer: ViewerModel, qtbot: QtBot
) -> None:
    session.adopt(make_dataset())
    press(panel, qtbot, "annotate_start")
    labels_of(viewer).data_setitem((np.array([3]), np.array([3])), 2)
    viewer.layers.remove(labels_of(viewer))
    assert panel.counts["tumor"].text() == "1 pixel"
    assert panel.start.text() == "Start annotating"
    press(panel, qtbot, "annotate_start")
    assert labels_of(viewer).data[3, 3] == 2


def test_labels_are_loaded(
    panel: AnnotationPanel,
    session: Session,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    np.save(tmp_path / "labels.npy", painted((8, 10), tumor=[(3, 3)], healthy=[(1, 1), (1, 2)]))
    monkeypatch.setattr(file_dialogs, "ask_open", lambda *_: tmp_path / "labels.npy")
    session.adopt(make_dataset())
    press(panel, qtbot, "annotate_load")
    assert panel.counts["healthy"].text() == "2 pixels"


def test_labels_of_another_shape_are_refused_with_both(
    panel: AnnotationPanel,
    session: Session,
    heard: Heard,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    np.save(tmp_path / "labels.npy", np.zeros((4, 4), np.uint8))
    monkeypatch.setattr(file_dialogs, "ask_open", lambda *_: tmp_path / "labels.npy")
    session.adopt(make_dataset())
    press(panel, qtbot, "annotate_load")
    (message,) = heard.failed
    assert "4" in message
    assert "8" in message
    assert "10" in message
