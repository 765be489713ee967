"""The section of ion images: measure and contrast."""

from __future__ import annotations

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from tests.widgets.conftest import make_dataset

from napari_ims_tumor.msi.ion_measure import PLAIN, IonMeasure
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow
from napari_ims_tumor.session.session import Session
from napari_ims_tumor.viewer.slide_tag import first_of
from napari_ims_tumor.widgets.ion_panel import ASK_REFERENCE, IonPanel
from napari_ims_tumor.widgets.wiring import Wiring


@pytest.fixture
def panel(qtbot: QtBot, wiring: Wiring) -> IonPanel:
    made = IonPanel(wiring)
    qtbot.addWidget(made)
    with qtbot.waitExposed(made):
        made.show()
    return made


def choose(qtbot: QtBot, box, data: str) -> None:
    box.setFocus()
    wanted = box.findData(data)
    while box.currentIndex() != wanted:
        key = Qt.Key.Key_Down if box.currentIndex() < wanted else Qt.Key.Key_Up
        qtbot.keyClick(box, key)


def test_it_stays_small_until_it_is_opened(panel: IonPanel, qtbot: QtBot) -> None:
    assert not panel.body.isVisible()
    qtbot.mouseClick(panel.heading, Qt.MouseButton.LeftButton)
    assert panel.body.isVisible()


def test_value_and_scale_make_the_measure(
    panel: IonPanel, session: Session, wiring: Wiring, qtbot: QtBot
) -> None:
    panel.heading.click()
    dataset = make_dataset()
    session.adopt(dataset)
    session.show_ion(MassWindow(800.0, MassTolerance(0.5)))
    choose(qtbot, panel.value, "max")
    choose(qtbot, panel.scale, "rms")
    assert session.ions.measure == IonMeasure("max", "rms")
    assert wiring.binding is not None
    layer = first_of(wiring.binding.viewer.layers, dataset, "ion")
    assert layer is not None
    assert layer.name == "m/z 800.0000 ± 0.5 Da, max, per RMS · slide"


def test_the_reference_is_asked_for_and_not_the_ion_that_is_seen(
    panel: IonPanel, session: Session, qtbot: QtBot
) -> None:
    panel.heading.click()
    session.adopt(make_dataset())
    assert not panel.reference.isVisible()
    session.show_ion(MassWindow(800.0, MassTolerance(0.5)))
    choose(qtbot, panel.scale, "reference")
    assert panel.reference.isVisible()
    assert panel.message.text() == ASK_REFERENCE
    assert not isinstance(session.ions.measure.normalize, MassWindow), "an ion by itself is 1"
    qtbot.keyClicks(panel.reference, "650,0")
    qtbot.keyClick(panel.reference, Qt.Key.Key_Return)
    assert session.ions.measure.normalize == MassWindow(650.0, MassTolerance(0.3))
    choose(qtbot, panel.scale, "none")
    assert session.ions.measure == PLAIN
    assert not panel.reference.isVisible()


@pytest.mark.parametrize(
    ("typed", "words"), [("", ASK_REFERENCE), ("x", "is not a number"), ("5", "is outside")]
)
def test_a_reference_that_cannot_be_is_told(
    panel: IonPanel, session: Session, qtbot: QtBot, typed: str, words: str
) -> None:
    panel.heading.click()
    session.adopt(make_dataset())
    choose(qtbot, panel.scale, "reference")
    assert panel.message.text() == ASK_REFERENCE
    before = session.ions.measure
    qtbot.keyClicks(panel.reference, typed)
    qtbot.keyClick(panel.reference, Qt.Key.Key_Return)
    assert words in panel.message.text()
    assert session.ions.measure == before


def test_the_box_switches_the_clipping(
    panel: IonPanel, session: Session, wiring: Wiring, qtbot: QtBot
) -> None:
    panel.heading.click()
    dataset = make_dataset()
    session.adopt(dataset)
    session.show_ion(MassWindow(800.0, MassTolerance(0.5)))
    assert wiring.binding is not None
    layer = first_of(wiring.binding.viewer.layers, dataset, "ion")
    assert layer is not None
    clipped = layer.contrast_limits[1]
    assert panel.clip.isChecked()
    panel.clip.click()
    assert layer.contrast_limits[1] == pytest.approx(float(np.nanmax(layer.data)))
    assert layer.contrast_limits[1] > clipped
    panel.clip.click()
    assert layer.contrast_limits[1] == clipped


def test_it_follows_a_session_that_was_opened(panel: IonPanel, session: Session) -> None:
    session.adopt(make_dataset())
    session.ions.take_measure(IonMeasure("mean", MassWindow(650.0, MassTolerance(0.25))))
    assert panel.value.currentData() == "mean"
    assert panel.scale.currentData() == "reference"
    assert (panel.reference.text(), panel.reach.text()) == ("650", "0.25")
