"""The dock in a real napari window."""

from __future__ import annotations

import gc
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import napari
import numpy as np
import pint
import pytest
from napari.settings import get_settings
from napari.utils.notifications import notification_manager
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QWidget
from tests.widgets.conftest import make_dataset, painted
from tests.widgets.test_fit_panel import STROKES

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.job import STOP, Job
from napari_ims_tumor.model.fitting import EpochReport
from napari_ims_tumor.session import classifier
from napari_ims_tumor.session.autosave import Autosave
from napari_ims_tumor.viewer.slide_tag import first_of
from napari_ims_tumor.widgets.dock import ImsTumorDock
from napari_ims_tumor.widgets.window_session import WindowSession
from napari_ims_tumor.widgets.workers import QtJobRunner

pytestmark = pytest.mark.window


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[napari.Viewer]:
    """A napari window; it is closed, and all that hung on it with it."""
    viewer = napari.Viewer()
    viewer.window.resize(1400, 900)
    yield viewer
    if _is_open(viewer):
        viewer.close()
    QApplication.processEvents()
    assert not WindowSession._of_viewer


def _is_open(viewer: napari.Viewer) -> bool:
    try:
        return bool(viewer.window._qt_window.isVisible())
    except (AttributeError, RuntimeError):
        return False


def dock_on(viewer: napari.Viewer) -> ImsTumorDock:
    _, dock = viewer.window.add_plugin_dock_widget("napari-ims-tumor", "IMS Tumor")
    assert isinstance(dock, ImsTumorDock)
    for _ in range(5):
        QApplication.processEvents()
    return dock


def opened(dock: ImsTumorDock, qtbot: QtBot, **kwargs: Any) -> Any:
    slide = dock.session.adopt(make_dataset(**kwargs))

    def surveyed() -> bool:
        current = dock.session.current(slide)
        return current is not None and current.overview is not None

    qtbot.waitUntil(surveyed, timeout=10_000)
    return dock.session.current(slide)


def quiet(dock: ImsTumorDock, qtbot: QtBot) -> None:
    lanes = ("open", "survey", "ion", "fit", "predict", "file", "device", "warm-up")
    runner = dock.session.runner
    qtbot.waitUntil(lambda: not any(runner.is_busy(lane) for lane in lanes), timeout=30_000)


def endless(request: object) -> Job[EpochReport, str]:
    for epoch in range(1_000_000):
        time.sleep(0.001)
        if (yield EpochReport("Network", epoch, 1_000_000, 0.5)) is STOP:
            return "stopped"
    return "all"


def test_napari_opens_it_with_the_spectrum_below(window: napari.Viewer) -> None:
    dock = dock_on(window)
    assert dock.isVisible()
    assert dock.spectrum.isVisible()
    area = window.window._qt_window.dockWidgetArea(dock.spectrum.parent())
    assert area == Qt.DockWidgetArea.BottomDockWidgetArea


def test_opening_it_warns_of_nothing(window: napari.Viewer) -> None:
    # napari shows every warning over the canvas.
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        dock_on(window)
    said = [str(w.message) for w in caught if not issubclass(w.category, DeprecationWarning)]
    assert said == []


def test_one_session_for_every_dock_of_a_viewer(window: napari.Viewer, qtbot: QtBot) -> None:
    dock = dock_on(window)
    opened(dock, qtbot)
    dock.session.annotate(STROKES)
    session, gone = dock.session, weakref.ref(dock)
    dock.parent().destroyOnClose()
    del dock
    qtbot.wait(50)
    gc.collect()
    qtbot.wait(20)
    left = [w for w in QApplication.allWidgets() if w.objectName() == "ims_tumor_dock"]
    assert not left, gone()
    again = dock_on(window)
    assert again.session is session
    assert again.annotate.counts["tumor"].text() == "6 pixels"
    assert again.spectrum.isVisible()
    session.annotate(painted((8, 10), tumor=[(3, 3)]))
    assert again.annotate.counts["tumor"].text() == "1 pixel"


def test_a_closed_spectrum_is_brought_back(window: napari.Viewer, qtbot: QtBot) -> None:
    dock = dock_on(window)
    opened(dock, qtbot)
    assert dock.slide.spectrum.isHidden()
    dock.spectrum.parent().destroyOnClose()
    qtbot.wait(20)
    assert dock.slide.spectrum.isVisible()
    qtbot.mouseClick(dock.slide.spectrum, Qt.MouseButton.LeftButton)
    assert dock.spectrum.isVisible()
    dock.session.pick(3, 3)
    assert dock.spectrum.plotted_spectrum()[0].size == 801


def test_keys_take_the_brushes(window: napari.Viewer, qtbot: QtBot) -> None:
    dock = dock_on(window)
    opened(dock, qtbot)
    canvas = window.window._qt_viewer.canvas.native
    held: Callable[[], list[str]] = lambda: [  # noqa: E731
        b.objectName() for b in dock.annotate.brushes.buttons() if b.isChecked()
    ]
    for key, name in (("t", "tumor"), ("h", "healthy"), ("e", "erase"), ("t", "tumor")):
        qtbot.keyClick(canvas, key)
        assert held() == [f"annotate_{name}"]


def test_keys_take_the_brushes_while_a_list_has_the_focus(
    window: napari.Viewer, qtbot: QtBot
) -> None:
    dock = dock_on(window)
    opened(dock, qtbot, name="tumor core")
    opened(dock, qtbot, name="another")
    slides = dock.slide.list
    slides.setFocus()
    for key, name in (("h", "healthy"), ("t", "tumor")):
        qtbot.keyClick(slides, key)
        held = [b.objectName() for b in dock.annotate.brushes.buttons() if b.isChecked()]
        assert held == [f"annotate_{name}"]
        assert slides.currentText() == "another", "the key searched the list"


def test_typing_an_mz_takes_no_brush(window: napari.Viewer, qtbot: QtBot) -> None:
    dock = dock_on(window)
    opened(dock, qtbot)
    layers = len(window.layers)
    dock.spectrum.form.mz.setFocus()
    qtbot.keyClicks(dock.spectrum.form.mz, "the")
    qtbot.keyClick(dock.spectrum.form.mz, Qt.Key.Key_Return)
    assert len(window.layers) == layers
    assert "is not a number" in dock.spectrum.form.message.text()


def test_strokes_of_a_window_that_died_are_offered(window: napari.Viewer, qtbot: QtBot) -> None:
    Autosave().write(make_dataset(), Annotation(STROKES))
    dock = dock_on(window)
    opened(dock, qtbot)
    assert dock.recovery.isVisible()
    dock.parent().destroyOnClose()
    qtbot.wait(50)
    again = dock_on(window)
    assert again.recovery.isVisible(), "an unanswered offer must survive its dock"
    qtbot.mouseClick(again.recovery.restore, Qt.MouseButton.LeftButton)
    layer = first_of(window.layers, again.session.slides[0].dataset, "labels")
    assert layer is not None
    assert np.array_equal(layer.data, STROKES)
    assert not again.recovery.isVisible()


def test_closing_the_window_keeps_strokes(
    window: napari.Viewer, qtbot: QtBot, autosave_folder: Path
) -> None:
    dock = dock_on(window)
    opened(dock, qtbot)
    dock.annotate.start.click()
    layer: Any = first_of(window.layers, dock.session.slides[0].dataset, "labels")
    layer.data_setitem((np.array([3, 4]), np.array([3, 3])), 2)
    window.close()
    found = Autosave().find(make_dataset())
    assert found is not None
    assert found.n_pixels == 2
    assert list(autosave_folder.glob("*.npz"))


def test_autosave_runs_by_itself(
    window: napari.Viewer, qtbot: QtBot, autosave_folder: Path
) -> None:
    dock = dock_on(window)
    opened(dock, qtbot)
    WindowSession.of(window)._autosave.start(50)
    dock.session.annotate(STROKES)
    qtbot.waitUntil(lambda: bool(list(autosave_folder.glob("*.npz"))))


def test_the_window_closes_in_the_middle_of_a_fit(
    window: napari.Viewer, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classifier, "fit_job", endless)
    dock = dock_on(window)
    opened(dock, qtbot)
    quiet(dock, qtbot)
    dock.session.annotate(STROKES)
    qtbot.mouseClick(dock.fit.fit, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(dock.fit.plot.isVisible, timeout=5000)
    began = time.monotonic()
    window.window._qt_window.close()
    QApplication.processEvents()
    assert time.monotonic() - began < 5
    assert not [t for t in threading.enumerate() if t.name.startswith("ims-tumor ")]
    assert not WindowSession._of_viewer


def test_a_refused_close_ends_nothing(window: napari.Viewer, qtbot: QtBot) -> None:
    dock = dock_on(window)
    opened(dock, qtbot)
    main = window.window._qt_window

    def refuse(event: Any) -> None:
        event.ignore()

    original = main.closeEvent
    main.closeEvent = refuse
    main.close()
    qtbot.wait(20)
    main.closeEvent = original
    main.hide()
    main.show()
    assert not WindowSession.of(window).is_closed
    dock.session.pick(3, 3)
    assert dock.spectrum.plotted_spectrum()[0].size == 801


def test_a_layer_of_the_reader_is_taken_in(
    window: napari.Viewer, qtbot: QtBot, real_data: Path
) -> None:
    path = real_data / "bladder_tma1" / "cores" / "TMA1_core10.imzML"
    if not path.is_file():
        pytest.skip("no real data")
    window.open(str(path), plugin="napari-ims-tumor")
    dock = dock_on(window)
    assert [slide.name for slide in dock.session.slides] == ["TMA1_core10"]
    assert "not in the file" in dock.slide.facts.findChild(QWidget, "fact_pixel_size").text()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_themes_change_the_plots(window: napari.Viewer, qtbot: QtBot, theme: str) -> None:
    dock = dock_on(window)
    window.theme = "light" if theme == "dark" else "dark"
    before = dock.spectrum.plot.backgroundBrush().color().lightness()
    window.theme = theme
    after = dock.spectrum.plot.backgroundBrush().color().lightness()
    assert (after < before) == (theme == "dark")


@pytest.mark.parametrize("width", [320, 460])
def test_nothing_is_cut_off(window: napari.Viewer, qtbot: QtBot, width: int) -> None:
    dock = dock_on(window)
    opened(dock, qtbot, name="a_slide_with_a_rather_long_name_without_any_break_in_it")
    dock.session.annotate(STROKES)
    dock.session.failed.emit("A_message_with_a_word_that_is_longer_than_the_dock_is_wide " * 3)
    dock.fit.more.heading.click()
    window.window._qt_window.resizeDocks([dock.parent()], [width], Qt.Orientation.Horizontal)
    qtbot.wait(50)
    inside = dock._area.widget()
    assert inside.width() <= dock._area.viewport().width()
    for child in inside.findChildren(QWidget):
        if child.isVisible() and child.parent() is not None:
            right = child.mapTo(inside, child.rect().topRight()).x()
            assert right <= inside.width(), child.objectName()


@pytest.mark.parametrize("points", [10, 15])
def test_a_larger_font_makes_the_dock_wider(
    window: napari.Viewer, qtbot: QtBot, points: int
) -> None:
    dock = dock_on(window)
    opened(dock, qtbot, name="a_slide_with_a_rather_long_name_without_any_break_in_it")
    dock.fit.more.heading.click()
    main = window.window._qt_window
    main.resizeDocks([dock.parent()], [200], Qt.Orientation.Horizontal)
    narrow = dock.width()
    appearance = get_settings().appearance
    before = appearance.font_size
    appearance.font_size = points
    try:
        qtbot.wait(500)
        inside, view = dock._area.widget(), dock._area.viewport()
        assert inside.minimumSizeHint().width() <= view.width(), "the sections are cut off"
        assert not dock._area.horizontalScrollBar().isVisible()
        assert points < 12 or dock.width() > narrow
    finally:
        appearance.font_size = before


def test_buttons_have_names_and_tooltips(window: napari.Viewer) -> None:
    from qtpy.QtWidgets import QPushButton

    dock = dock_on(window)
    named = [b for b in dock.findChildren(QPushButton) if b.objectName()]
    assert len(named) > 12
    for button in named:
        assert button.text() or button.accessibleName(), button.objectName()
        assert button.toolTip(), button.objectName()


def test_tab_goes_down_the_sections(window: napari.Viewer, qtbot: QtBot) -> None:
    dock = dock_on(window)
    opened(dock, qtbot)
    dock.session.annotate(STROKES)
    wanted = ["slide_heading", "annotate_start", "annotate_tumor", "fit_start", "save_labels"]
    seen: list[str] = []
    widget: QWidget = dock.slide.heading
    for _ in range(300):
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.objectName() in wanted:
            seen.append(widget.objectName())
        widget = widget.nextInFocusChain()
        if widget is dock.slide.heading:
            break
    assert seen == wanted


def test_a_notice_is_said_once(window: napari.Viewer, qtbot: QtBot) -> None:
    dock = dock_on(window)
    records = notification_manager.records
    before = len(records)
    dock.session.noticed.emit("Saved it.")
    assert dock.status.message.text() == "Saved it."
    assert len(records) == before
    dock.parent().hide()
    dock.session.noticed.emit("Saved it again.")
    assert [r.message for r in records[before:]] == ["Saved it again."]


def test_a_closing_window_says_nothing_of_its_layers(window: napari.Viewer, qtbot: QtBot) -> None:
    dock = dock_on(window)
    opened(dock, qtbot)
    dock.session.annotate(STROKES)
    before = len(notification_manager.records)
    window.close()
    qtbot.wait(300)
    assert len(notification_manager.records) == before


def test_units_are_known_before_a_second_thread_makes_layers(
    window: napari.Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unbegun(runner: object, lane: str, *_: object) -> None:
        begun.append((lane, "UnitRegistry" in str(type(registry.get()))))

    begun: list[tuple[str, bool]] = []
    registry = pint.ApplicationRegistry(pint.LazyRegistry())
    monkeypatch.setattr(pint, "get_application_registry", lambda: registry)
    monkeypatch.setattr(QtJobRunner, "start", unbegun)
    dock_on(window)
    assert begun[0] == ("warm-up", True)
