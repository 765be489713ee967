from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QMessageBox, QWidget
from tests.widgets.conftest import Heard, make_dataset
from tests.widgets.test_fit_panel import STROKES

from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.session.session import Session
from napari_ims_tumor.widgets import file_dialogs
from napari_ims_tumor.widgets.save_panel import SavePanel
from napari_ims_tumor.widgets.wiring import Wiring


@pytest.fixture
def panel(qtbot: QtBot, wiring: Wiring) -> SavePanel:
    made = SavePanel(wiring)
    qtbot.addWidget(made)
    made.show()
    return made


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """Answer every file dialog with its proposed name, in the test's folder."""
    proposed: list[Path] = []

    def answer(_: QWidget, title: str, path: Path, kinds: str) -> Path:
        proposed.append(path)
        return tmp_path / path.name

    monkeypatch.setattr(file_dialogs, "ask_save", answer)
    return proposed


def press(button: Any, qtbot: QtBot) -> None:
    qtbot.mouseClick(button.native, Qt.MouseButton.LeftButton)


def test_only_what_exists_can_be_saved(panel: SavePanel, session: Session) -> None:
    buttons = (panel.labels, panel.model, panel.prediction)
    assert [b.enabled for b in buttons] == [False, False, False]
    session.adopt(make_dataset())
    session.annotate(STROKES)
    assert [b.enabled for b in buttons] == [True, False, False]
    assert "not saved yet" in panel.unsaved.text()
    session.classifier.fit(FitConfig("linear"))
    assert [b.enabled for b in buttons] == [True, True, True]


def test_saved_labels_are_said_to_be_saved_at_once(
    panel: SavePanel, session: Session, asked: list[Path], qtbot: QtBot
) -> None:
    session.adopt(make_dataset())
    session.annotate(STROKES)
    press(panel.labels, qtbot)
    assert panel.unsaved.text() == "Labels are saved in slide_labels.npy."


def test_labels_model_and_prediction_are_saved_and_the_model_opened(
    panel: SavePanel,
    session: Session,
    heard: Heard,
    asked: list[Path],
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session.adopt(make_dataset())
    session.annotate(STROKES)
    session.classifier.fit(FitConfig("linear"))
    for button in (panel.labels, panel.model, panel.prediction):
        press(button, qtbot)
    assert [p.name for p in asked] == [
        "slide_labels.npy",
        "slide_model.safetensors",
        "slide_prediction.ome.tif",
    ]
    assert not heard.failed
    assert np.array_equal(np.load(tmp_path / "slide_labels.npy"), STROKES)
    assert panel.unsaved.text() == "Labels are saved in slide_labels.npy."
    assert (tmp_path / "slide_prediction.ome.tif").stat().st_size > 0
    model = session.classifier.model
    assert model is not None
    path = tmp_path / "slide_model.safetensors"
    monkeypatch.setattr(file_dialogs, "ask_open", lambda *_: path)
    press(panel.open_model, qtbot)
    assert session.classifier.model is not model
    assert session.classifier.model is not None
    assert session.classifier.model.model_id == model.model_id


def test_a_cancelled_dialog_saves_nothing(
    panel: SavePanel, session: Session, heard: Heard, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    session.adopt(make_dataset())
    session.annotate(STROKES)
    press(panel.labels, qtbot)
    assert not heard.noticed


def test_one_file_at_a_time(panel: SavePanel, session: Session) -> None:
    session.job_started.emit("file")
    assert not panel.open_model.enabled
    session.job_ended.emit("file")
    assert panel.open_model.enabled


@pytest.mark.parametrize(
    ("proposed", "typed", "given"),
    [
        ("a.b_labels.npy", "mine", "mine.npy"),
        ("a.b_prediction.ome.tif", "mine", "mine.ome.tif"),
        ("a_labels.npy", "mine.tif", "mine.tif"),
        ("a_labels.npy", "patient 1.2", "patient 1.2.npy"),
    ],
)
def test_a_name_without_ending_gets_the_proposed_one(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, proposed: str, typed: str, given: str
) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (f"/x/{typed}", ""))
    assert file_dialogs.ask_save(parent, "Save", Path("/x") / proposed, "") == Path("/x") / given


@pytest.mark.parametrize("answer", ["Yes", "No"])
def test_a_file_is_replaced_only_when_that_was_said(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: str
) -> None:
    """The system's dialog asks about the name that was typed, which had no ending yet."""
    parent = QWidget()
    qtbot.addWidget(parent)
    asked: list[str] = []

    def question(_: QWidget, __: str, text: str, *___: Any) -> Any:
        asked.append(text)
        return QMessageBox.StandardButton[answer]

    monkeypatch.setattr(QMessageBox, "question", question)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "mine"), ""))
    proposed = tmp_path / "a_labels.npy"
    there = tmp_path / "mine.npy"
    assert file_dialogs.ask_save(parent, "Save", proposed, "") == there
    there.write_text("kept")
    given = file_dialogs.ask_save(parent, "Save", proposed, "")
    assert given == (there if answer == "Yes" else None)
    assert asked == ["mine.npy already exists. Replace it?"]
