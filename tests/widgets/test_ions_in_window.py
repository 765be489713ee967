"""Peaks, pins and colors in a real napari window, with real mouse and keys."""

from __future__ import annotations

from pathlib import Path

import napari
import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from tests.widgets.conftest import make_dataset

from napari_ims_tumor.demo.hands import Hands, settle, wait_until
from napari_ims_tumor.viewer.slide_tag import first_of, layers_of
from napari_ims_tumor.widgets.dock import ImsTumorDock

pytestmark = pytest.mark.window
LANES = ("open", "survey", "ion", "pin", "measure", "peaks", "average", "file", "warm-up")


@pytest.fixture
def viewer(real_viewer: napari.Viewer) -> napari.Viewer:
    return real_viewer


@pytest.fixture
def dock(real_dock: ImsTumorDock) -> ImsTumorDock:
    made = real_dock
    made.session.adopt(make_dataset())
    wait_until(lambda: made.session.active.overview is not None, "the overview", 20)
    quiet(made)
    return made


def written_over(viewer: napari.Viewer) -> str:
    """What is written over the canvas."""
    return str(Hands(viewer).find("canvas_text").text())


def quiet(dock: ImsTumorDock) -> None:
    runner = dock.session.runner
    settle()
    wait_until(lambda: not any(runner.is_busy(lane) for lane in LANES), "the jobs", 20)
    settle()


def shown(dock: ImsTumorDock) -> float:
    window = dock.session.ion_of(dock.session.active)
    assert window is not None
    return window.center


def test_from_peak_to_peak_to_pins_to_colors(viewer: napari.Viewer, dock: ImsTumorDock) -> None:
    hands, session = Hands(viewer), dock.session
    for mz in (650.0, 800.0, 900.0):
        hands.press_key(".")
        quiet(dock)
        assert shown(dock) == pytest.approx(mz)
        assert written_over(viewer).startswith(f"m/z {mz:.4f} ±")
        hands.click_button("ion_pin")
        quiet(dock)
    hands.press_key(",")
    quiet(dock)
    assert shown(dock) == pytest.approx(800)
    assert len(session.ions.pins(session.active)) == 3
    hands.click_button("ions_heading")
    hands.scroll_to("peaks_rgb")
    hands.click_button("peaks_rgb")
    quiet(dock)
    dataset = session.active.dataset
    colors = layers_of(viewer.layers, dataset, "rgb")
    assert [layer.colormap.name for layer in colors] == ["red", "green", "blue"]
    assert [line.split()[0] for line in written_over(viewer).splitlines()] == [
        "red", "green", "blue",
    ]  # fmt: skip
    viewer.layers.selection.active = layers_of(viewer.layers, dataset, "pin")[0]
    hands.press_key("v")
    viewer.layers.remove_selected()
    assert len(session.ions.pins(session.active)) == 2


def test_a_row_of_the_table_and_a_typed_mz(viewer: napari.Viewer, dock: ImsTumorDock) -> None:
    hands, table = Hands(viewer), dock.ions.peaks.table
    hands.click_button("ions_heading")
    hands.scroll_to("peaks_table")
    place = table.visualRect(dock.ions.peaks.model.index(2, 0)).center()
    QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    quiet(dock)
    assert shown(dock) == pytest.approx(900)
    hands.type_into("peaks_filter", "650")
    assert dock.ions.peaks.model.rowCount() == 1
    hands.type_into("ion_mz", "800.2")
    quiet(dock)
    assert shown(dock) == pytest.approx(800.2)
    # The slider stands at the nearest channel: moving it goes on from there.
    stack = first_of(viewer.layers, dock.session.active.dataset, "stack")
    assert stack is not None
    assert not stack.visible
    hands.press_key(Qt.Key.Key_Right)
    quiet(dock)
    assert stack.visible
    assert written_over(viewer).startswith("m/z 800.5000 ")


def test_the_session_file_brings_pins_and_colors_back(
    viewer: napari.Viewer, dock: ImsTumorDock, tmp_path: Path
) -> None:
    from napari_ims_tumor import simulate

    hands, session = Hands(viewer), dock.session
    session.close_slide(session.active)
    (files,) = simulate(tmp_path, rows=14, columns=16, channels=200)
    session.open(files.imzml)
    wait_until(lambda: session.active and session.active.overview, "the slide", 20)
    for _ in range(3):
        hands.press_key(".")
        quiet(dock)
        hands.click_button("ion_pin")
        quiet(dock)
    hands.click_button("ions_heading")
    hands.scroll_to("peaks_rgb")
    hands.click_button("peaks_rgb")
    quiet(dock)
    before = {la.name: np.asarray(la.data) for la in viewer.layers if la.name[:3] in ("pin", "red")}
    hands.answer_dialog("session_save", tmp_path / "study.imstumor")
    quiet(dock)
    session.close_slide(session.active)
    hands.answer_dialog("session_open", tmp_path / "study.imstumor")
    wait_until(lambda: session.active is not None, "the session", 30)
    quiet(dock)
    after = {la.name: np.asarray(la.data) for la in viewer.layers if la.name[:3] in ("pin", "red")}
    assert len(before) == 4
    assert list(after) == list(before)
    for name, image in before.items():
        assert np.array_equal(after[name], image, equal_nan=True)
    seen = [layer.visible for layer in layers_of(viewer.layers, session.active.dataset, "rgb")]
    assert seen == [True] * 3


def test_the_number_under_the_mouse_stays_raw(viewer: napari.Viewer, dock: ImsTumorDock) -> None:
    hands = Hands(viewer)
    hands.press_key(".")
    quiet(dock)
    layer = first_of(viewer.layers, dock.session.active.dataset, "ion")
    assert layer is not None
    hot = tuple(int(i) for i in np.unravel_index(np.nanargmax(layer.data), layer.data.shape))
    assert layer.data[hot] > layer.contrast_limits[1]
    viewer.layers.selection.active = layer
    canvas = viewer.window._qt_viewer.canvas.native
    QTest.mouseMove(canvas, QPoint(5, 5))
    settle(0.1)
    QTest.mouseMove(canvas, hands.point_of(layer, hot))
    wait_until(lambda: f"{layer.data[hot]:.3g}"[:3] in str(viewer.status), "the value", 5)
