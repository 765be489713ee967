from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from tests.widgets.conftest import Heard

import napari_ims_tumor as ims
from napari_ims_tumor.session.session import Session
from napari_ims_tumor.widgets import file_dialogs
from napari_ims_tumor.widgets.session_bar import SessionBar
from napari_ims_tumor.widgets.wiring import Wiring


@pytest.fixture
def bar(qtbot: QtBot, wiring: Wiring) -> SessionBar:
    made = SessionBar(wiring)
    qtbot.addWidget(made)
    made.show()
    return made


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Answer both file dialogs with one file."""
    path = tmp_path / "study.imstumor"
    monkeypatch.setattr(file_dialogs, "ask_save", lambda *_: path)
    monkeypatch.setattr(file_dialogs, "ask_open", lambda *_: path)
    return path


def press(button: object, qtbot: QtBot) -> None:
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_a_session_is_saved_changed_and_opened_again(
    bar: SessionBar, session: Session, heard: Heard, answered: Path, qtbot: QtBot, tmp_path: Path
) -> None:
    assert bar.open.isEnabled()
    assert not bar.save.isEnabled()
    assert bar.name.isHidden()
    (slide,) = ims.simulate(tmp_path, rows=16, columns=20, channels=60)
    session.open(slide.imzml)
    press(bar.save, qtbot)
    assert answered.is_file()
    assert bar.name.text() == "study.imstumor: as saved"
    session.annotate(np.load(slide.labels))
    assert bar.name.text() == "study.imstumor: changed since it was saved"
    press(bar.open, qtbot)
    assert bar.name.text() == "study.imstumor: as saved"
    assert session.active is not None
    assert not session.active.annotation.labels.any()
    assert not heard.failed


def test_no_session_over_a_running_fit(bar: SessionBar, session: Session) -> None:
    session.runner._busy.add("fit")  # type: ignore[attr-defined]
    session.job_started.emit("fit")
    assert not bar.open.isEnabled()
    assert "A fit is running" in bar.open.toolTip()
    session.runner._busy.discard("fit")  # type: ignore[attr-defined]
    session.job_ended.emit("fit")
    assert bar.open.isEnabled()
