from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtTest import QTest

from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow
from napari_ims_tumor.msi.spectrum import Spectrum
from napari_ims_tumor.widgets.spectrum_plot import SpectrumPlot, peak_near, window_between
from napari_ims_tumor.widgets.theme import palette


def spectrum(mode: str = "profile", n: int = 4001) -> Spectrum:
    mz = np.linspace(600, 1000, n)
    y = 100 * np.exp(-(((mz - 700) / 0.5) ** 2)) + 40 * np.exp(-(((mz - 900) / 0.5) ** 2)) + 0.1
    return Spectrum(mz, y.astype(np.float32), mode)  # type: ignore[arg-type]


@pytest.fixture
def plot(qtbot: QtBot) -> SpectrumPlot:
    made = SpectrumPlot()
    made.paint_with(palette("dark"))
    made.resize(900, 240)
    qtbot.addWidget(made)
    with qtbot.waitExposed(made):
        made.show()
    return made


def at(plot: SpectrumPlot, mz: float, height: float = 0.5) -> QPoint:
    """Where on the widget an m/z lies; ``height`` of the view, from below."""
    # Axes that have just appeared take their room when Qt next lays things out.
    QTest.qWait(30)
    box = plot.getViewBox()
    low, high = box.viewRange()[1]
    place = box.mapViewToScene(QPointF(mz, low + height * (high - low)))
    return plot.mapFromScene(place)


def drag(plot: SpectrumPlot, start: QPoint, end: QPoint, keys: Qt.KeyboardModifier) -> None:
    view = plot.viewport()
    QTest.mousePress(view, Qt.MouseButton.LeftButton, keys, start)
    for step in range(1, 11):
        # QTest.mouseMove carries neither button nor keys.
        send_move(view, start + (end - start) * step / 10, keys)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, keys, end)


def send_move(view: object, place: QPoint, keys: Qt.KeyboardModifier) -> None:
    from qtpy.QtCore import QEvent
    from qtpy.QtGui import QMouseEvent
    from qtpy.QtWidgets import QApplication

    event = QMouseEvent(
        QEvent.Type.MouseMove,
        QPointF(place),
        QPointF(view.mapToGlobal(place)),  # type: ignore[attr-defined]
        Qt.MouseButton.NoButton,
        Qt.MouseButton.LeftButton,
        keys,
    )
    QApplication.sendEvent(view, event)
    QTest.qWait(5)


@pytest.mark.parametrize("mode", ["profile", "centroid"])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_the_plotted_curve_is_the_spectrum(plot: SpectrumPlot, mode: str, kind: type) -> None:
    shown = Spectrum(np.array([600.0, 601.5, 777.77]), np.array([1, 0.25, 1e6], kind), mode)  # type: ignore[arg-type]
    plot.show_picked(shown)
    mz, intensity = plot.plotted_spectrum()
    assert np.array_equal(mz, shown.mz)
    assert np.array_equal(intensity, shown.intensity)
    assert intensity.dtype == kind


def test_a_spectrum_without_a_peak_is_shown(plot: SpectrumPlot) -> None:
    plot.show_picked(Spectrum(np.zeros(0), np.zeros(0)))
    assert plot.plotted_spectrum()[0].size == 0
    plot.show_picked(None)
    assert plot.plotted_spectrum()[0].size == 0


def test_nothing_to_show_shows_no_axes(plot: SpectrumPlot) -> None:
    plot.show_mean(spectrum())
    assert plot.getPlotItem().isVisible()
    plot.show_mean(None)
    assert not plot.getPlotItem().isVisible()


@pytest.mark.parametrize("off", [-5, 0, 5])
def test_a_click_near_a_peak_means_the_peak(plot: SpectrumPlot, qtbot: QtBot, off: int) -> None:
    plot.show_mean(spectrum())
    place = at(plot, 700.0) + QPoint(off, 0)
    with qtbot.waitSignal(plot.mz_clicked) as caught:
        qtbot.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert caught.args == [pytest.approx(700.0, abs=0.06)]


def test_a_click_away_from_peaks_means_its_own_place(plot: SpectrumPlot, qtbot: QtBot) -> None:
    flat = Spectrum(np.linspace(600, 1000, 9), np.zeros(9), "profile")
    plot.show_mean(flat)
    with qtbot.waitSignal(plot.mz_clicked) as caught:
        qtbot.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=at(plot, 820.0))
    assert caught.args == [pytest.approx(820.0, abs=1.0)]


def test_shift_and_drag_marks_a_window(plot: SpectrumPlot, qtbot: QtBot) -> None:
    plot.show_mean(spectrum())
    with qtbot.waitSignal(plot.window_dragged) as caught:
        drag(plot, at(plot, 750.0), at(plot, 800.0), Qt.KeyboardModifier.ShiftModifier)
    window = caught.args[0]
    assert window.low == pytest.approx(750, abs=1.5)
    assert window.high == pytest.approx(800, abs=1.5)
    assert plot.mark.isVisible()


def test_a_plain_drag_pans_and_asks_for_nothing(plot: SpectrumPlot, qtbot: QtBot) -> None:
    plot.show_mean(spectrum())
    plot.setXRange(700, 800, padding=0)
    with qtbot.assertNotEmitted(plot.window_dragged), qtbot.assertNotEmitted(plot.mz_clicked):
        drag(plot, at(plot, 720.0), at(plot, 780.0), Qt.KeyboardModifier.NoModifier)
    assert plot.getViewBox().viewRange()[0][0] == pytest.approx(640, abs=3)


def test_a_marked_window_is_brought_into_view(plot: SpectrumPlot, qtbot: QtBot) -> None:
    plot.show_mean(spectrum())
    plot.setXRange(600, 620, padding=0)
    with qtbot.assertNotEmitted(plot.window_dragged):
        plot.mark_window(MassWindow(900.0, MassTolerance(0.3)))
    low, high = plot.getViewBox().viewRange()[0]
    assert low < 900 < high
    assert plot.mark.getRegion() == pytest.approx((899.7, 900.3))
    plot.mark_window(None)
    assert not plot.mark.isVisible()


def test_a_narrow_window_is_not_grabbed_by_accident(plot: SpectrumPlot) -> None:
    plot.show_mean(spectrum())
    plot.mark_window(MassWindow(700.0, MassTolerance(0.3)))
    assert not plot.mark.movable
    plot.setXRange(695, 705, padding=0)
    assert plot.mark.movable


def test_hovering_tells_mz_and_intensity(plot: SpectrumPlot, qtbot: QtBot) -> None:
    plot.show_mean(spectrum())
    with qtbot.waitSignal(plot.mz_hovered) as caught:
        qtbot.mouseMove(plot.viewport(), at(plot, 600.0))
        qtbot.wait(30)
        qtbot.mouseMove(plot.viewport(), at(plot, 700.0))
    if caught.args[0] < 690:
        with qtbot.waitSignal(plot.mz_hovered) as caught:
            qtbot.mouseMove(plot.viewport(), at(plot, 700.0) + QPoint(1, 0))
    assert caught.args[0] == pytest.approx(700.0, abs=0.1)
    assert caught.args[1] == pytest.approx(100.1, rel=1e-3)


def test_a_double_click_shows_the_whole_range(plot: SpectrumPlot, qtbot: QtBot) -> None:
    plot.show_mean(spectrum())
    plot.setXRange(700, 710, padding=0)
    view, place = plot.viewport(), at(plot, 705.0)
    qtbot.mouseDClick(view, Qt.MouseButton.LeftButton, pos=place)
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=place)
    low, high = plot.getViewBox().viewRange()[0]
    assert low <= 600
    assert high >= 1000


def test_picking_keeps_the_range_in_view(plot: SpectrumPlot) -> None:
    plot.show_mean(spectrum())
    plot.setXRange(700, 720, padding=0)
    plot.show_picked(spectrum())
    assert plot.getViewBox().viewRange()[0] == pytest.approx([700, 720])


@given(
    st.lists(st.floats(0, 1e6), min_size=1, max_size=60),
    st.floats(-1, 70),
    st.floats(0, 20),
    st.sampled_from(["profile", "centroid"]),
)
def test_a_found_peak_is_the_highest_in_reach(
    heights: list[float], mz: float, reach: float, mode: str
) -> None:
    values = np.array(heights)
    found = peak_near(Spectrum(np.arange(values.size, dtype=float), values, mode), mz, reach)  # type: ignore[arg-type]
    near = [i for i in range(values.size) if mz - reach <= i < mz + reach and values[i] > 0]
    if found is None:
        assert mode == "profile" or not near
        return
    index = int(found[0])
    assert index in near
    assert values[index] == found[1]
    if mode == "centroid":
        assert found[1] == max(values[i] for i in near)
    else:
        assert all(values[j] <= found[1] for j in (index - 1, index + 1) if 0 <= j < values.size)


@given(st.floats(1, 1e4), st.floats(0, 100))
def test_window_between_its_ends(low: float, width: float) -> None:
    window = window_between(low, low + width)
    assert window.low == pytest.approx(low)
    assert window.high == pytest.approx(low + width)
