"""napari's own buttons on a stack of gigabytes, in a real window with a real mouse."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import napari
import numpy as np
import pytest
from napari._app_model import get_app_model
from napari.layers import Labels
from napari.utils.notifications import ErrorNotification, notification_manager
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QDialogButtonBox, QFileDialog, QLineEdit
from tests.widgets.test_dock import dock_on, quiet, window  # noqa: F401

from napari_ims_tumor.demo.hands import settle
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow
from napari_ims_tumor.msi.overview import SlideOverview, survey
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.spectrum import RaggedBlock
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset
from napari_ims_tumor.viewer.slide_tag import first_of

pytestmark = pytest.mark.window

SIDE, N_PEAKS = 512, 2000
MASSES = np.linspace(400, 2400, N_PEAKS)
MOST_MB = 150
"""What napari itself needs for an image of this size and its pyramid of events, and no more."""


def make_slide(side: int) -> InMemoryDataset:
    """One peak a pixel, of 2,000 masses."""
    rows, columns = np.divmod(np.arange(side * side), side)
    mz = MASSES[(rows * 3 + columns) % N_PEAKS]
    intensity = (1 + rows + columns % 7).astype(np.float32)
    block = RaggedBlock(np.arange(mz.size), mz, intensity, np.arange(mz.size + 1))
    pixels = PixelGrid(rows, columns, (side, side), (50.0, 50.0))
    return InMemoryDataset.from_ragged(block, pixels, "large")


@pytest.fixture(scope="module")
def slide() -> tuple[InMemoryDataset, SlideOverview]:
    """Little data, 2.1 GB of ion images, and an overview that took no time."""
    large = make_slide(SIDE)
    known = run_inline(survey(make_slide(12)))
    return large, replace(
        known,
        tic=large.pixels.as_image(large.total_ion_current()),
        channels=tuple(MassWindow(float(mass), MassTolerance(0.2)) for mass in MASSES),
        strongest=(),
        strongest_images=np.zeros((0, SIDE, SIDE)),
    )


@pytest.fixture
def viewer(window: napari.Viewer, slide: Any, qtbot: QtBot) -> Iterator[napari.Viewer]:  # noqa: F811
    """A window with the dock, the slide, and its stack in view; errors go to napari."""
    dock = dock_on(window)
    dock.session.adopt(*slide)
    quiet(dock, qtbot)
    stack = first_of(window.layers, slide[0], "stack")
    stack.visible = True
    window.layers.selection.active = stack
    settle(0.3)
    with notification_manager:
        yield window


@pytest.fixture
def stack(viewer: napari.Viewer, slide: Any) -> Any:
    return first_of(viewer.layers, slide[0], "stack")


def anonymous_mb() -> float:
    """Private memory of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon")).split()[1]) / 1e3


@pytest.fixture
def costs_little(viewer: napari.Viewer) -> Iterator[None]:
    """Whatever was asked for, next to nothing was made."""
    if sys.platform != "linux":
        yield
        return
    before = anonymous_mb()
    yield
    assert anonymous_mb() - before < MOST_MB


@pytest.fixture
def said(viewer: napari.Viewer) -> Callable[[], list[Any]]:
    before = len(notification_manager.records)
    return lambda: notification_manager.records[before:]


def only_message(said: Callable[[], list[Any]]) -> str:
    """The one notification, which is no traceback."""
    assert len(said()) == 1, [note.message for note in said()]
    (note,) = said()
    assert not isinstance(note, ErrorNotification)
    return str(note.message)


def click(button: Any) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    settle(0.2)


def assert_as_usual(viewer: napari.Viewer, stack: Any) -> None:
    """The view is flat, the slider moves the image, and the button is not pressed."""
    assert (viewer.dims.ndisplay, tuple(viewer.dims.order)) == (2, (0, 1, 2))
    assert not viewer.window._qt_viewer.viewerButtons.ndisplayButton.isChecked()
    for channel in (5, 11):
        viewer.dims.set_current_step(0, channel)
        settle()
        image = stack._slice.image.raw
        np.testing.assert_array_equal(image, stack.data.image(channel))
        assert np.nanmax(image) > 0


@pytest.mark.usefixtures("costs_little")
def test_the_3_d_button_and_the_button_that_rolls(viewer, stack, said):
    buttons = viewer.window._qt_viewer.viewerButtons
    click(buttons.ndisplayButton)
    assert "2,000 ion images of large (2,097 MB; at most 64 MB" in only_message(said)
    assert_as_usual(viewer, stack)
    click(buttons.rollDimsButton)
    assert len(said()) == 2
    assert_as_usual(viewer, stack)
    click(buttons.transposeDimsButton)
    assert tuple(viewer.dims.order) == (0, 2, 1)
    click(buttons.transposeDimsButton)
    assert len(said()) == 2
    assert_as_usual(viewer, stack)


@pytest.mark.usefixtures("costs_little")
def test_new_labels_by_button_and_by_menu(viewer, stack, said):
    click(viewer.window._qt_viewer.layerButtons.newLabelsButton)
    (labels,) = (layer for layer in viewer.layers if isinstance(layer, Labels))
    assert labels.data.shape == (SIDE, SIDE)
    assert viewer.layers.selection.active is labels
    assert labels.mode == "paint"
    assert said() == []  # the dock has said it
    assert_as_usual(viewer, stack)
    viewer.layers.remove(labels)
    viewer.layers.selection.active = stack
    trigger(viewer, "Labels")
    (labels,) = (layer for layer in viewer.layers if isinstance(layer, Labels))
    assert labels.data.shape == (SIDE, SIDE)


def actions_of(menu: Any) -> list[Any]:
    menu.aboutToShow.emit()
    inside = [a.menu() for a in menu.actions() if a.menu() is not None]
    return [*menu.actions(), *(action for below in inside for action in actions_of(below))]


def trigger(viewer: napari.Viewer, name: str) -> None:
    """Choose an entry of the window's menus."""
    (action,) = (a for a in actions_of(viewer.window.file_menu) if name in a.text())
    # Within the event loop, as from the mouse: what it raises is napari's to tell.
    QTimer.singleShot(0, action.trigger)
    settle(0.2)


def answer_save_dialog(path: Path) -> None:
    """Type a path into the open file chooser and press Save."""
    dialog = QApplication.activeModalWidget()
    if not isinstance(dialog, QFileDialog):
        QTimer.singleShot(50, lambda: answer_save_dialog(path))
        return
    dialog.findChild(QLineEdit, "fileNameEdit").setText(str(path))
    save = dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Save)
    QTest.mouseClick(save, Qt.MouseButton.LeftButton)


SAVINGS = [
    ("Save Selected Layers", "stack.tif"),
    ("Save All Layers", "all.tif"),
    ("Save All Layers", "folder"),
]


@pytest.mark.usefixtures("costs_little")
def test_saving_the_stack_and_all_layers(viewer, stack, said, tmp_path, monkeypatch):
    monkeypatch.setattr("napari._qt.qt_viewer.get_save_history", lambda: [str(tmp_path)])
    monkeypatch.setattr("napari._qt.qt_viewer.in_ipython", lambda: True)  # Qt's own dialog
    for number, (action, name) in enumerate(SAVINGS, 1):
        QTimer.singleShot(50, lambda name=name: answer_save_dialog(tmp_path / name))
        trigger(viewer, action)
        settle(0.2)
        assert len(said()) == number, (action, name)
        note = said()[-1]
        assert not isinstance(note, ErrorNotification), note.message
        assert "2,000 ion images" in note.message, (action, name)
        assert sum(p.stat().st_size for p in tmp_path.rglob("*")) < 1e5, (action, name)
    assert_as_usual(viewer, stack)


COMMANDS = [
    "napari.layer.convert_to_labels",
    "napari.layer.split_stack",
    "napari.layer.project_max",
    "napari.layer.project_mean",
    "napari.layer.project_std",
]


@pytest.mark.usefixtures("costs_little")
def test_the_menu_of_the_layer(viewer, stack, said):
    layers = list(viewer.layers)
    for number, command in enumerate(COMMANDS, 1):
        QTimer.singleShot(0, lambda c=command: get_app_model().commands.execute_command(c))
        settle(0.1)
        assert len(said()) == number, command
        assert not isinstance(said()[-1], ErrorNotification)
        assert "2,000 " in said()[-1].message
        assert list(viewer.layers) == layers
    assert_as_usual(viewer, stack)
    get_app_model().commands.execute_command("napari.layer.duplicate")
    settle(0.1)
    assert sum(layer.data is stack.data for layer in viewer.layers) == 2


@pytest.mark.usefixtures("costs_little")
def test_contrast_and_histogram_look_at_few_images(viewer, stack, said):
    stack.reset_contrast_limits("data")
    stack.reset_contrast_limits_range("data")
    stack.reset_contrast_limits()
    histogram = stack.histogram
    for mode in ("canvas", "full"):
        histogram.mode = mode
        assert histogram.counts.sum() > 0
    assert said() == []
    assert_as_usual(viewer, stack)
