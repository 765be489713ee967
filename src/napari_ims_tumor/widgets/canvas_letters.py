"""The letters on the canvas, drawn in one order before anybody looks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QObject, QTimer

if TYPE_CHECKING:
    from napari.components import ViewerModel

TALLEST: Final = "ÅÉÑŐjgpqy"
"""napari measures its lines by these, whatever is written: they come first."""
LETTERS: Final = "0123456789 .,()±/µmzofDaslidertnhk"
"""Of the m/z readout and the scale bar."""


class CanvasLetters(QObject):
    """Has napari draw its letters one by one while nothing else is to be done.

    napari draws a letter when it first comes up, several milliseconds each, and keeps all in one
    picture. Where in it a letter lies decides the last shade of its edges, so without this the same
    words would look a little different in each window, and the m/z slider would stutter at first.
    """

    def __init__(self, viewer: ViewerModel, parent: QObject) -> None:
        super().__init__(parent)
        self._letters = iter(TALLEST + LETTERS)
        self._font = _font(viewer)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._draw_next)
        if self._font is not None:
            for _ in TALLEST:
                self._draw_next()
            self._timer.start(0)

    def finish(self, _: object = None) -> None:
        """Draw what is left at once: words are about to be shown."""
        while self._font is not None:
            self._draw_next()

    def stop(self) -> None:
        """Draw no more."""
        self._timer.stop()
        self._letters, self._font = iter(""), None

    def _draw_next(self) -> None:
        letter = next(self._letters, None)
        if letter is None or self._font is None:
            self.stop()
        else:
            # Asking for a letter draws it.
            _ = self._font[letter]


def _font(viewer: ViewerModel) -> Any:
    """Find what napari draws its letters with; ``None`` where this version has no such thing."""
    try:
        info = viewer.window._qt_viewer.canvas.font_info()
        return info.font_manager.get_font(info.face)
    except (AttributeError, TypeError):
        return None
