from __future__ import annotations

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, QPointF, Qt
from tests.widgets.conftest import Heard, make_dataset, painted

from napari_ims_tumor.demo.hands import settle
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow
from napari_ims_tumor.session.session import Session
from napari_ims_tumor.session.slide_state import IonImage
from napari_ims_tumor.widgets.spectrum_panel import MARK_MS, SpectrumPanel
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


def test_an_empty_window_is_called_empty(panel: SpectrumPanel, session: Session) -> None:
    session.adopt(make_dataset())
    session.show_ion(MassWindow(800.2, MassTolerance(0.1, "Da")))
    said = panel.form.message.text()
    assert "no channel" in said
    assert said.endswith("the nearest is m/z 800.0000.")
    assert panel.form.message.isVisible()
    session.show_ion(MassWindow(800.0, MassTolerance(0.5, "Da")))
    assert panel.form.message.isHidden()
    session.adopt(make_dataset("processed", "processed"))
    session.show_ion(MassWindow(700.0, MassTolerance(0.5, "Da")))
    assert panel.form.message.text().startswith("Nothing was measured in ")


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


def drawn(panel: SpectrumPanel, name: str) -> np.ndarray:
    curve = panel.plot._curves[name]
    known = curve.spectrum is not None and curve.isVisible()
    return curve.spectrum.intensity if known else np.zeros(0)


def test_the_legend_switches_curves(panel: SpectrumPanel, session: Session, qtbot: QtBot) -> None:
    dataset = make_dataset()
    session.adopt(dataset)
    session.pick(3, 3)
    assert drawn(panel, "pixel").size == drawn(panel, "mean").size == 801
    assert drawn(panel, "max").size == 0
    for name in ("max", "mean"):
        box = panel.legend.boxes[name]
        qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(6, box.height() // 2))
    assert np.array_equal(drawn(panel, "max"), dataset.max_spectrum().intensity)
    assert drawn(panel, "mean").size == 0


def test_class_means_appear_when_asked_for_and_follow_the_strokes(
    panel: SpectrumPanel, session: Session
) -> None:
    dataset = make_dataset()
    session.adopt(dataset)
    session.annotate(painted((8, 10), tumor=[(3, 3), (3, 4)]))
    assert drawn(panel, "tumor").size == 0
    panel.legend.boxes["tumor"].click()
    assert panel.legend.boxes["tumor"].text() == "tumor (2)"
    indices = [dataset.pixels.index_at(3, 3), dataset.pixels.index_at(3, 4)]
    expected = np.mean([dataset.spectrum(i).intensity for i in indices], axis=0)  # type: ignore[arg-type]
    assert np.allclose(drawn(panel, "tumor"), expected)
    session.annotate(painted((8, 10), tumor=[(3, 3)]))
    assert panel.legend.boxes["tumor"].text() == "tumor (1)"
    session.adopt(make_dataset(name="second"))
    assert panel.legend.boxes["tumor"].text() == "tumor (0)"
    assert drawn(panel, "tumor").size == 0


def test_without_a_region_it_says_how_to_make_one(
    panel: SpectrumPanel, session: Session, heard: Heard
) -> None:
    session.adopt(make_dataset())
    panel.legend.boxes["region"].click()
    assert "draw a rectangle, ellipse or polygon" in heard.noticed[0]


def test_peaks_are_stepped_through_and_pinned_by_buttons(
    panel: SpectrumPanel, session: Session, wiring: Wiring, qtbot: QtBot
) -> None:
    slide = session.adopt(make_dataset())
    left = Qt.MouseButton.LeftButton
    session.show_ion(MassWindow(620.0, MassTolerance(0.3)))
    for mz in (650, 800):
        qtbot.mouseClick(panel.form.next, left)
        assert session.ion_of(slide).center == pytest.approx(mz)  # type: ignore[union-attr]
    qtbot.mouseClick(panel.form.previous, left)
    assert float(panel.form.mz.text()) == pytest.approx(650)
    qtbot.mouseClick(panel.form.pin, left)
    assert [query.window.center for query in session.ions.pins(slide)] == pytest.approx([650])


def test_the_mark_follows_the_slider(
    panel: SpectrumPanel, session: Session, wiring: Wiring
) -> None:
    session.adopt(make_dataset())
    assert wiring.binding is not None
    wiring.binding.viewer.dims.set_point(0, 700.0)
    settle(3 * MARK_MS / 1000)
    assert panel.plot.mark.getRegion() == pytest.approx((700, 700))
    assert panel.form.mz.text() == "700"
