from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget
from tests.widgets.conftest import make_dataset
from tests.widgets.test_fit_panel import STROKES

from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.session.session import Session
from napari_ims_tumor.session.slide_state import IonImage
from napari_ims_tumor.widgets import file_dialogs
from napari_ims_tumor.widgets.relevance_model import ABOUT, COLUMNS
from napari_ims_tumor.widgets.relevance_strip import HEIGHT
from napari_ims_tumor.widgets.spectrum_panel import SpectrumPanel
from napari_ims_tumor.widgets.theme import palette
from napari_ims_tumor.widgets.wiring import Wiring

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def panel(qtbot: QtBot, wiring: Wiring) -> SpectrumPanel:
    made = SpectrumPanel(wiring)
    made.paint_with(palette("dark"))
    made.resize(1000, 300)
    qtbot.addWidget(made)
    with qtbot.waitExposed(made):
        made.show()
    return made


@pytest.fixture
def fitted(session: Session) -> Session:
    session.adopt(make_dataset())
    session.annotate(STROKES)
    session.classifier.fit(FitConfig("linear", device="cpu"))
    assert session.classifier.model is not None
    return session


def cell(panel: SpectrumPanel, row: int, column: int) -> str:
    model = panel.relevance.model
    return str(model.data(model.index(row, column)))


def test_a_dock_becomes_low_again(panel: SpectrumPanel, fitted: Session, qtbot: QtBot) -> None:
    dock = QDockWidget()
    dock.setWidget(panel)
    qtbot.addWidget(dock)
    with qtbot.waitExposed(dock):
        dock.show()
    fitted.pick(3, 8)
    low = dock.minimumHeight()
    qtbot.mouseClick(panel.why, LEFT)
    qtbot.waitUntil(lambda: dock.minimumHeight() > low)
    qtbot.mouseClick(panel.why, LEFT)
    qtbot.waitUntil(lambda: dock.minimumHeight() == low)
    panel.setParent(None)  # or it is deleted with the dock, and then once more


def test_nothing_is_explained_until_it_is_asked_for(panel: SpectrumPanel, fitted: Session) -> None:
    heard: list[object] = []
    fitted.explained.connect(heard.append)
    fitted.pick(3, 8)
    assert not heard
    assert not panel.relevance.isVisible()
    assert not panel.strip.isVisible()


def test_asked_why_the_clicked_pixel_is_explained(
    panel: SpectrumPanel, fitted: Session, qtbot: QtBot
) -> None:
    fitted.pick(3, 8)
    qtbot.mouseClick(panel.why, LEFT)
    assert panel.strip.isVisible()
    made = fitted.active.prediction
    assert made.alone is not None
    sure = made.alone[1, 3, 8]
    assert round(sure, 2) != round(made.probabilities[1, 3, 8], 2), "neighbors add something"
    wanted = f"Why tumor at row 3, column 8 ({sure:.0%} alone)"
    assert panel.relevance.title.text() == wanted
    shown = fitted.why.shown
    assert shown is not None
    found = shown.explanation
    best = found.top(1)[0]
    assert cell(panel, 0, 0) == f"{best.mz:.4f}"
    assert cell(panel, 0, 1) == f"{best.share:.1%}"
    assert cell(panel, 0, 3) == f"{best.auc:.2f}"
    up, down = panel.strip.toward.spectrum, panel.strip.away.spectrum
    assert up is not None
    total = up.intensity.sum() + (0 if down is None else down.intensity.sum())
    assert total == pytest.approx(found.bins.sum(), abs=1e-4)
    assert "not what causes or marks the tumor" in panel.relevance.title.toolTip()
    fitted.pick(3, 1)
    assert panel.relevance.title.text().startswith("Why healthy at row 3, column 1 (")
    fitted.pick(0, 0)
    assert "was not measured" in panel.relevance.title.text()
    assert panel.relevance.model.rowCount() == 0
    assert panel.strip.toward.spectrum is None


def test_the_strip_lies_below_the_same_mz(
    panel: SpectrumPanel, fitted: Session, qtbot: QtBot
) -> None:
    fitted.pick(3, 8)
    qtbot.mouseClick(panel.why, LEFT)
    panel.plot.setXRange(790, 810, padding=0)
    qtbot.wait(50)
    above, below = panel.plot.getViewBox(), panel.strip.getViewBox()
    assert below.viewRange()[0] == pytest.approx(above.viewRange()[0], abs=0.2)
    assert below.sceneBoundingRect().left() == pytest.approx(above.sceneBoundingRect().left())
    qtbot.mouseClick(panel.why, LEFT)
    assert not panel.strip.isVisible()
    assert panel.plot.getAxis("bottom").isVisible()


def test_a_click_on_a_row_shows_its_ion_image(
    panel: SpectrumPanel, fitted: Session, qtbot: QtBot
) -> None:
    images: list[IonImage] = []
    fitted.ion_shown.connect(images.append)
    fitted.pick(3, 8)
    qtbot.mouseClick(panel.why, LEFT)
    table = panel.relevance.table
    place = table.visualRect(table.model().index(0, 0)).center()
    qtbot.mouseClick(table.viewport(), LEFT, pos=place)
    (image,) = images
    assert fitted.why.shown is not None
    assert image.window == fitted.why.shown.explanation.top(1)[0].window


def test_a_whole_class_is_explained_and_exported(
    panel: SpectrumPanel, fitted: Session, qtbot: QtBot, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    fitted.pick(3, 8)
    qtbot.mouseClick(panel.why, LEFT)
    qtbot.mouseClick(panel.relevance.all_pixels, LEFT)
    assert panel.relevance.title.text() == "What tells tumor from healthy pixels"
    assert np.all(panel.relevance.model.rowCount() > 0)
    path = tmp_path / "relevance.csv"
    monkeypatch.setattr(file_dialogs, "ask_save", lambda *_: path)
    qtbot.mouseClick(panel.relevance.export, LEFT)
    assert "labelled as tumor" in path.read_text()
    assert "each against one of" in path.read_text()


def test_a_new_model_is_explained_anew(panel: SpectrumPanel, fitted: Session, qtbot: QtBot) -> None:
    fitted.pick(3, 8)
    qtbot.mouseClick(panel.why, LEFT)
    before = fitted.why.shown
    fitted.classifier.fit(FitConfig("linear", device="cpu", seed=1))
    assert fitted.why.shown is not before


def test_without_a_model_it_says_what_to_do(
    panel: SpectrumPanel, session: Session, qtbot: QtBot
) -> None:
    session.adopt(make_dataset())
    session.pick(3, 8)
    qtbot.mouseClick(panel.why, LEFT)
    assert "Fit a model or open one first" in panel.relevance.title.text()
    assert not panel.relevance.export.isEnabled()


def test_every_column_says_what_it_is() -> None:
    assert len(ABOUT) == len(COLUMNS)
    assert all(ABOUT)


def test_in_a_low_window_the_explanation_takes_little_more_room(
    panel: SpectrumPanel, fitted: Session, qtbot: QtBot
) -> None:
    before = panel.minimumSizeHint().height()
    qtbot.mouseClick(panel.why, LEFT)
    assert panel.minimumSizeHint().height() - before < 70, "the window grows by itself"
    panel.resize(1000, 500)
    qtbot.wait(20)
    assert panel.strip.height() == HEIGHT
