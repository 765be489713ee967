"""The letters on the canvas, drawn in one order before anybody looks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QObject, QTimer
from qtpy.QtGui import QFont, QFontMetricsF

if TYPE_CHECKING:
    from napari.components import ViewerModel

TALLEST: Final = "ÅÉÑŐjgpqy"
"""napari measures its lines by these, whatever is written: they come first."""
LETTERS: Final = "0123456789 .,()±/µmzofDaslidertnhk"
"""Of the scale bar, and of the m/z in pictures of the canvas."""
POINTS: Final = 256
"""The size napari draws its letters at, before it makes them smaller."""


class CanvasLetters(QObject):
    """Has napari draw its letters one by one while nothing else is to be done.

    napari draws a letter when it first comes up, several milliseconds each, and keeps all in one
    picture. Where in it a letter lies decides the last shade of its edges, and so does what Qt drew
    just before it, so without this the same words would look a little different in each window, and
    the m/z slider would stutter at first.
    """

    def __init__(self, viewer: ViewerModel, parent: QObject) -> None:
        super().__init__(parent)
        self._letters = iter(TALLEST + LETTERS)
        self._font, face = _font(viewer)
        self._metrics = QFontMetricsF(QFont(face, POINTS))
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
            self._take_shift_back()
            # Asking for a letter draws it.
            _ = self._font[letter]

    def _take_shift_back(self) -> None:
        """Have Qt draw the next letter where it belongs.

        With FreeType, Qt draws small letters at quarters of a pixel, and leaves the outline of the
        next large one shifted by as much. It takes the shift back where it measures a letter, yet
        it remembers the sizes of all letters but the tallest from earlier windows.
        """
        self._metrics.boundingRect(TALLEST[0])


def _font(viewer: ViewerModel) -> tuple[Any, str]:
    """Find what napari draws its letters with, and of which font.

    ``None`` and no name where this version has no such thing.
    """
    try:
        info = viewer.window._qt_viewer.canvas.font_info()
        return info.font_manager.get_font(info.face), info.face
    except (AttributeError, TypeError):
        return None, ""
