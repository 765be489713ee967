"""Where the m/z slider stands, written over the canvas by Qt.

napari's own text builds a shader whenever a letter changes, at each step of the slider as costly as
drawing all layers. So the window shows a label, and napari's text only where the label is not: in
pictures of the canvas alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QLabel, QWidget

from napari_ims_tumor.viewer.canvas_overlays import canvas_color, text_overlay, write_over_canvas
from napari_ims_tumor.viewer.mass_readout import readout_of

if TYPE_CHECKING:
    from napari.components import ViewerModel

LETTERS_PX: Final = 18
"""As large as those of napari's own text and scale bar, at any resolution of the screen."""
MARGIN: Final = 5
"""Pixels between the edges of the canvas and the label; as many lie around its letters."""
LIGHT, DARK = "#f0f1f2", "#26282c"


class CanvasText(QLabel):
    """A label in the corner of the canvas, the mouse passes through it.

    Parameters
    ----------
    viewer
        The viewer.
    scene
        What vispy draws on; its widget carries the label.
    """

    def __init__(self, viewer: ViewerModel, scene: Any) -> None:
        super().__init__(scene.native)
        self._viewer, self._scene = viewer, scene
        self._is_for_screen = False
        self._before: tuple[str, object, bool] | None = None
        self._build(scene.native)
        self._connect()
        readout_of(viewer).write_to(self.show_text)

    @classmethod
    def over(cls, viewer: ViewerModel) -> CanvasText | None:
        """Put the label over a viewer's canvas; ``None`` where this napari has no such canvas."""
        try:
            scene = viewer.window._qt_viewer.canvas._scene_canvas
        except AttributeError:
            return None
        return cls(viewer, scene)

    def _build(self, canvas: QWidget) -> None:
        self.setObjectName("canvas_text")
        self.setAccessibleName("Ion image shown")
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setIndent(0)
        self.move(MARGIN, MARGIN)
        canvas.installEventFilter(self)
        self.hide()
        self._paint()

    def _connect(self) -> None:
        self._scene.events.draw.connect(self._drawing, position="first")
        self._scene.events.draw.connect(self._drawn, position="last")
        self._viewer.events.theme.connect(self._paint)
        canvas = getattr(self._viewer, "canvas", None)
        if canvas is not None:
            canvas.events.background_color.connect(self._paint)
            canvas.events.background_color_override.connect(self._paint)

    def show_text(self, text: str) -> None:
        """Show a text, or nothing."""
        self.setText(text)
        self.adjustSize()
        self.setVisible(bool(text))

    def stop(self) -> None:
        """Give the text back to napari."""
        readout_of(self._viewer).write_to(None)
        self._scene.events.draw.disconnect(self._drawing)
        self._scene.events.draw.disconnect(self._drawn)
        self._viewer.events.theme.disconnect(self._paint)
        canvas = getattr(self._viewer, "canvas", None)
        if canvas is not None:
            canvas.events.background_color.disconnect(self._paint)
            canvas.events.background_color_override.disconnect(self._paint)

    def _paint(self, _: object = None) -> None:
        """Take the canvas's color: a label that hid no tissue would be read badly over it."""
        behind = canvas_color(self._viewer)
        letters = LIGHT if sum(behind) < 3 * 128 else DARK
        self.setStyleSheet(
            f"color: {letters}; background: rgb{behind}; font-size: {LETTERS_PX}px;"
            f"padding: {MARGIN}px; border-radius: {MARGIN}px;"
        )
        self.adjustSize()

    # ---- pictures of the canvas alone -------------------------------------------------------

    def eventFilter(self, _: QObject, event: QEvent) -> bool:
        """Notice that the canvas is drawn for the screen: who takes a picture sends no event."""
        if event.type() == QEvent.Type.Paint:
            self._is_for_screen = True
        return False

    def _drawing(self, _: object) -> None:
        """Have napari write the text into a picture."""
        if not self._is_for_screen and self.text():
            overlay = text_overlay(self._viewer)
            self._before = (overlay.text, overlay.position, overlay.visible)
            write_over_canvas(self._viewer, self.text())

    def _drawn(self, _: object) -> None:
        self._is_for_screen = False
        if self._before is not None:
            overlay = text_overlay(self._viewer)
            overlay.text, overlay.position, overlay.visible = self._before
            self._before = None
