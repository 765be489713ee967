from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from tests.session.test_labels_reading import annotate
from tests.widgets.conftest import Heard, make_dataset

from napari_ims_tumor.session.session import Session
from napari_ims_tumor.widgets import file_dialogs
from napari_ims_tumor.widgets.annotation_panel import AnnotationPanel
from napari_ims_tumor.widgets.labels_dialog import LabelsDialog
from napari_ims_tumor.widgets.wiring import Wiring


@pytest.fixture
def panel(qtbot: QtBot, wiring: Wiring) -> AnnotationPanel:
    made = AnnotationPanel(wiring)
    qtbot.addWidget(made)
    made.show()
    yield made
    made.unfollow()


def load(panel: AnnotationPanel, qtbot: QtBot, path: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(file_dialogs, "ask_open", lambda *_: path)
    qtbot.mouseClick(panel.load, Qt.MouseButton.LeftButton)


def dialog_of(panel: AnnotationPanel) -> LabelsDialog:
    (found,) = [d for d in panel.findChildren(LabelsDialog) if d.isVisible()]
    return found


def test_the_user_says_what_classes_mean(
    panel: AnnotationPanel, session: Session, heard: Heard, qtbot: QtBot,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    session.adopt(make_dataset())
    path = annotate(tmp_path / "a.geojson", "Stroma", "Fat", scale=1)
    load(panel, qtbot, path, monkeypatch)
    dialog = dialog_of(panel)
    assert {name: c.currentText() for name, c in dialog.meanings.items()} == {
        "Stroma": "leave out",
        "Fat": "leave out",
    }
    QTest.keyClicks(dialog.meanings["Stroma"], "h")
    qtbot.mouseClick(dialog.ok, Qt.MouseButton.LeftButton)
    assert panel.counts["healthy"].text() == "6 pixels"
    assert not heard.failed
    assert 'its class "Fat" was to be left out' in heard.noticed[0]


def test_a_cancelled_dialog_changes_nothing(
    panel: AnnotationPanel, session: Session, heard: Heard, qtbot: QtBot,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    session.adopt(make_dataset())
    load(panel, qtbot, annotate(tmp_path / "a.geojson", "Tumor", "Fat"), monkeypatch)
    QTest.keyClick(dialog_of(panel), Qt.Key.Key_Escape)
    assert panel.counts["tumor"].text() == "0 pixels"
    assert not heard.failed
    assert not heard.noticed


def test_a_scale_is_asked_for_and_what_was_said_is_kept(
    panel: AnnotationPanel, session: Session, qtbot: QtBot,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    session.adopt(make_dataset())
    load(panel, qtbot, annotate(tmp_path / "a.geojson", "Stroma", scale=50), monkeypatch)
    first = dialog_of(panel)
    first.meanings["Stroma"].setCurrentText("tumor")
    qtbot.mouseClick(first.ok, Qt.MouseButton.LeftButton)
    second = dialog_of(panel)
    assert not second.meanings
    second.scale.setValue(50)
    qtbot.mouseClick(second.ok, Qt.MouseButton.LeftButton)
    assert panel.counts["tumor"].text() == "6 pixels"


def test_labels_are_saved_for_qupath(
    session: Session, tmp_path: Path, panel: AnnotationPanel, qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    session.adopt(make_dataset())
    labels = np.zeros((8, 10), np.uint8)
    labels[2:5, 3:6] = 2
    session.annotate(labels)
    session.files.save_labels(tmp_path / "a.geojson")
    session.annotate(np.zeros_like(labels))
    load(panel, qtbot, tmp_path / "a.geojson", monkeypatch)
    assert panel.counts["tumor"].text() == "9 pixels"
