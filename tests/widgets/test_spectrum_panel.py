from __future__ import annotations

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPointF, Qt
from tests.widgets.conftest import make_dataset

from napari_ims_tumor.session.session import Session
from napari_ims_tumor.session.slide_state import IonImage
from napari_ims_tumor.widgets.spectrum_panel import SpectrumPanel
from napari_ims_tumor.widgets.theme import palette
from napari_ims_tumor.widgets.wiring import Wiring


@pytest.fixture
def panel(qtbot: QtBot, wiring: Wiring) -> SpectrumPanel:
    made = SpectrumPanel(wiring)
    made.paint_with(palette("dark"))
    made.resize(900, 260)
    qtbot.addWidget(made)
    with qtbot.waitExposed(made):
        made.show()
    return made


def test_without_a_slide_it_says_what_to_do(panel: SpectrumPanel) -> None:
    assert "Open a slide" in panel.title.text()
    assert not panel.form.isEnabled()


@pytest.mark.parametrize("mode", ["profile", "centroid"])
def test_a_picked_pixel_is_plotted_exactly(
    panel: SpectrumPanel, session: Session, mode: str
) -> None:
    dataset = make_dataset(mode)
    session.adopt(dataset)
    for row, column in ((0, 1), (7, 9), (3, 3)):
        session.pick(row, column)
        index = dataset.pixels.index_at(row, column)
        assert index is not None
        mz, intensity = panel.plotted_spectrum()
        assert np.array_equal(mz, dataset.spectrum(index).mz)
        assert np.array_equal(intensity, dataset.spectrum(index).intensity)
        assert f"Row {row}, column {column}" in panel.title.text()


def test_an_unmeasured_pixel_says_so_and_shows_no_curve(
    panel: SpectrumPanel, session: Session
) -> None:
    session.adopt(make_dataset())
    session.pick(3, 3)
    session.pick(0, 0)
    assert "not measured" in panel.title.text()
    assert panel.plotted_spectrum()[0].size == 0


def test_the_mean_lies_below(panel: SpectrumPanel, session: Session) -> None:
    dataset = make_dataset()
    session.adopt(dataset)
    drawn = panel.plot.mean_curve.spectrum
    assert drawn is not None
    assert np.array_equal(drawn.intensity, dataset.mean_spectrum().intensity)


def test_a_click_on_a_peak_shows_its_ion_image(
    panel: SpectrumPanel, session: Session, qtbot: QtBot
) -> None:
    shown: list[IonImage] = []
    session.ion_shown.connect(shown.append)
    dataset = make_dataset()
    session.adopt(dataset)
    session.pick(3, 8)
    box = panel.plot.getViewBox()
    low, high = box.viewRange()[1]
    place = panel.plot.mapFromScene(box.mapViewToScene(QPointF(800.0, (low + high) / 2)))
    qtbot.mouseClick(panel.plot.viewport(), Qt.MouseButton.LeftButton, pos=place)
    (image,) = shown
    assert image.window.center == pytest.approx(800.0, abs=0.6)
    expected = dataset.ion_images([image.window])[0]
    assert np.array_equal(image.image, expected, equal_nan=True)
    assert panel.plot.mark.getRegion() == pytest.approx((image.window.low, image.window.high))
    assert float(panel.form.mz.text()) == pytest.approx(image.window.center)


def test_a_click_with_a_bad_tolerance_says_so(panel: SpectrumPanel, session: Session) -> None:
    shown: list[IonImage] = []
    session.ion_shown.connect(shown.append)
    session.adopt(make_dataset())
    panel.form.tolerance.setText("wide")
    panel.plot.mz_clicked.emit(800.0)
    assert not shown
    assert "'wide' is not a number" in panel.form.message.text()


def test_another_slide_clears_what_the_first_showed(panel: SpectrumPanel, session: Session) -> None:
    first = session.adopt(make_dataset(name="first"))
    session.pick(3, 3)
    session.adopt(make_dataset(name="second"))
    assert panel.plotted_spectrum()[0].size == 0
    session.close_slide(session.slides[1])
    session.close_slide(first)
    assert "Open a slide" in panel.title.text()


def test_once_cut_it_hears_nothing(panel: SpectrumPanel, session: Session, wiring: Wiring) -> None:
    wiring.cut()
    session.adopt(make_dataset())
    session.pick(3, 3)
    assert panel.plotted_spectrum()[0].size == 0
