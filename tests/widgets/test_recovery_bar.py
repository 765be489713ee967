from __future__ import annotations

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from tests.widgets.conftest import make_dataset, painted

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.session.autosave import Autosave
from napari_ims_tumor.session.session import Session
from napari_ims_tumor.widgets.recovery_bar import RecoveryBar
from napari_ims_tumor.widgets.wiring import Wiring

LABELS = painted((8, 10), tumor=[(3, 3), (3, 4)], healthy=[(5, 5)])


@pytest.fixture
def bar(qtbot: QtBot, wiring: Wiring) -> RecoveryBar:
    made = RecoveryBar(wiring)
    qtbot.addWidget(made)
    return made


def leave_strokes() -> Path:
    """Do what a window does that is killed after its autosave."""
    return Autosave().write(make_dataset(), Annotation(LABELS))


def test_nothing_left_asks_nothing(bar: RecoveryBar, session: Session) -> None:
    session.adopt(make_dataset())
    assert bar.isHidden()


def test_strokes_are_offered_and_restored(bar: RecoveryBar, session: Session, qtbot: QtBot) -> None:
    left = leave_strokes()
    session.adopt(make_dataset())
    assert not bar.isHidden()
    assert "3 painted pixels from" in bar.text.text()
    assert "were never saved" in bar.text.text()
    bar.show()
    qtbot.mouseClick(bar.restore, Qt.MouseButton.LeftButton)
    assert session.active is not None
    assert (session.active.annotation.labels == LABELS).all()
    assert bar.isHidden()
    assert not left.exists()


def test_strokes_are_discarded(bar: RecoveryBar, session: Session, qtbot: QtBot) -> None:
    left = leave_strokes()
    session.adopt(make_dataset())
    bar.show()
    qtbot.mouseClick(bar.discard, Qt.MouseButton.LeftButton)
    assert session.active is not None
    assert not session.active.annotation.labels.any()
    assert not left.exists()
    assert bar.isHidden()


def test_a_closed_slide_is_asked_about_no_more(bar: RecoveryBar, session: Session) -> None:
    left = leave_strokes()
    session.close_slide(session.adopt(make_dataset()))
    assert bar.isHidden()
    assert left.exists()
