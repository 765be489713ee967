"""A pair of hands at a real napari window: they move the mouse and press keys, nothing else.

The story of the demo, the pictures of the documentation and the tests of the window are all told
with these, so what they show is what a person would have got.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt, QTimer
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QApplication,
    QComboBox,
    QDialogButtonBox,
    QFileDialog,
    QLineEdit,
    QScrollArea,
    QTableView,
    QWidget,
)

from napari_ims_tumor.errors import ImsTumorError

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer

Pixel = tuple[int, int]
DIALOG_SECONDS = 10.0


class TooSlow(ImsTumorError):
    """Something that should have happened in the window did not happen in time."""


class Hands:
    """Mouse and keyboard at one viewer.

    Parameters
    ----------
    viewer
        A shown napari viewer.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        self.viewer = viewer
        self._canvas: Any = viewer.window._qt_viewer.canvas

    # ---- the canvas -------------------------------------------------------------------------

    def point_of(self, layer: Layer, pixel: Sequence[int]) -> QPoint:
        """Find where a data pixel's center lies on the canvas, in widget coordinates."""
        world = np.asarray(layer.data_to_world(tuple(pixel)), float)[-2:]
        origin, x_step, y_step = (self._world_at(*at) for at in ((0, 0), (1, 0), (0, 1)))
        # The view is affine: three points tell the whole map from the canvas to the world.
        matrix = np.column_stack([x_step - origin, y_step - origin])
        x, y = np.linalg.solve(matrix, world - origin)
        return QPoint(round(x), round(y))

    def click_pixel(self, layer: Layer, pixel: Pixel) -> None:
        """Click the center of a pixel with the left button."""
        point = self.point_of(layer, pixel)
        native = self._canvas.native
        QTest.mouseMove(native, point)
        settle()
        QTest.mouseClick(native, Qt.MouseButton.LeftButton, pos=point)
        settle()

    def drag_pixels(self, layer: Layer, path: Sequence[Pixel]) -> None:
        """Press on the first pixel, move over the others, release on the last."""
        native, points = self._canvas.native, [self.point_of(layer, p) for p in path]
        left = Qt.MouseButton.LeftButton
        QTest.mouseMove(native, points[0])
        settle()
        QTest.mousePress(native, left, pos=points[0])
        for point in points[1:]:
            _move_pressed(native, point)
            settle()
        QTest.mouseRelease(native, left, pos=points[-1])
        settle()

    def press_key(self, key: str) -> None:
        """Press a key with the canvas in focus."""
        native = self._canvas.native
        native.setFocus()
        QTest.keyClick(native, key)
        settle()

    def see_all(self) -> None:
        """Fit the view to the data, as the home button does."""
        self.viewer.reset_view()
        settle()

    # ---- buttons and fields -----------------------------------------------------------------

    def find(self, name: str) -> Any:
        """Find a widget of the window by its object name."""
        found = self.viewer.window._qt_window.findChild(QWidget, name)
        if found is None:
            raise TooSlow(f"the window has no widget named {name}")
        return found

    def click_button(self, name: str) -> None:
        """Click a button of the dock."""
        button = self.find(name)
        if not button.isEnabled():
            raise TooSlow(f"the button {name} is disabled: {button.toolTip()}")
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        settle()

    def type_into(self, name: str, text: str) -> None:
        """Replace a field's text and press Return."""
        field = self.find(name)
        QTest.keyClick(field, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
        QTest.keyClicks(field, text)
        QTest.keyClick(field, Qt.Key.Key_Return)
        settle()

    def choose(self, name: str, data: object) -> None:
        """Walk a list of choices with the arrow keys until the wanted one is chosen."""
        box: QComboBox = self.find(name)
        wanted = box.findData(data)
        box.setFocus()
        while box.currentIndex() != wanted:
            before = box.currentIndex()
            QTest.keyClick(box, Qt.Key.Key_Down if before < wanted else Qt.Key.Key_Up)
            settle()
            if box.currentIndex() == before:
                raise TooSlow(f"{name} cannot be set to {data}: {box.toolTip()}")

    def click_row(self, name: str, row: int, held: bool = False) -> None:
        """Click a row of a table; with Ctrl held it is marked beside the others."""
        table: QTableView = self.find(name)
        place = table.visualRect(table.model().index(row, 0)).center()
        keys = Qt.KeyboardModifier
        modifier = keys.ControlModifier if held else keys.NoModifier
        QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, modifier, place)
        settle()

    def click_heading(self, name: str, column: int) -> None:
        """Click the heading of a column of a table."""
        header = self.find(name).horizontalHeader()
        place = QPoint(header.sectionViewportPosition(column) + 5, header.height() // 2)
        QTest.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=place)
        settle()

    def scroll_to(self, name: str) -> None:
        """Bring a widget of the dock into view."""
        place = widget = self.find(name)
        while place is not None and not isinstance(place, QScrollArea):
            place = place.parentWidget()
        if place is not None:
            place.ensureWidgetVisible(widget)
        settle(0.3)

    def click_plot(self, plot: Any, x: float, y: float) -> None:
        """Click a place in a pyqtgraph plot, given in the plot's own coordinates."""
        scene = plot.plotItem.vb.mapViewToScene(QPointF(x, y))
        point = plot.mapFromScene(scene)
        QTest.mouseMove(plot.viewport(), point)
        settle()
        QTest.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=point)
        settle()

    def answer_dialog(self, click: str, path: Path) -> None:
        """Click a button that opens a file chooser, put a path into it and accept.

        The chooser runs its own event loop, so the answer waits in a timer until it is there.
        """
        QTimer.singleShot(100, lambda: _type_path(path, time.monotonic() + DIALOG_SECONDS))
        self.click_button(click)

    # ---- eyes -------------------------------------------------------------------------------

    def picture(self, path: Path) -> Path:
        """Save a picture of the whole window."""
        path.parent.mkdir(parents=True, exist_ok=True)
        settle(0.3)
        self.viewer.screenshot(str(path), canvas_only=False, flash=False)
        return path

    def _world_at(self, x: float, y: float) -> np.ndarray[Any, np.dtype[np.float64]]:
        position = self._canvas._map_canvas2world((x, y), self._canvas.view)
        return np.asarray(position, np.float64)[-2:]


def settle(seconds: float = 0.03) -> None:
    """Let the window work off its events for a moment."""
    end = time.monotonic() + seconds
    while True:
        QApplication.processEvents()
        if time.monotonic() >= end:
            return
        time.sleep(0.002)


def wait_until(happened: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Keep the window alive until something has happened.

    Raises
    ------
    TooSlow
        It had not after ``seconds``.
    """
    end = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > end:
            raise TooSlow(f"waited {seconds:g} s for {what}")
        settle(0.01)


def _move_pressed(widget: QWidget, point: QPoint) -> None:
    """Move with the left button held, which QTest's own mouse move does not say."""
    left = Qt.MouseButton.LeftButton
    event = QMouseEvent(
        QEvent.Type.MouseMove,
        QPointF(point),
        QPointF(widget.mapToGlobal(point)),
        Qt.MouseButton.NoButton,
        left,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(widget, event)


def _type_path(path: Path, until: float) -> None:
    """Answer the open file chooser; try again while it is not there yet."""
    dialog = QApplication.activeModalWidget()
    if isinstance(dialog, QFileDialog):
        field = dialog.findChild(QLineEdit, "fileNameEdit")
        # Pasted, not typed: a completer that pops up while typing would take the Return key.
        field.setText(str(path))
        buttons = dialog.findChild(QDialogButtonBox)
        accept = QDialogButtonBox.StandardButton.Save | QDialogButtonBox.StandardButton.Open
        chosen = next(b for b in buttons.buttons() if buttons.standardButton(b) & accept)
        QTest.mouseClick(chosen, Qt.MouseButton.LeftButton)
    elif time.monotonic() < until:
        QTimer.singleShot(50, lambda: _type_path(path, until))
