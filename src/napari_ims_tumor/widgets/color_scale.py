"""What the colors of an overlay mean: the gradient, with words at its ends and a mark on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QBrush, QColor, QLinearGradient, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

_MARGIN_PX = 5
_DARK = 128
"""Below this lightness words are white."""


@dataclass(frozen=True)
class Scale:
    """A color scale.

    Attributes
    ----------
    colors
        Evenly spaced, from the low end to the high one.
    low, middle, high
        What is written there; ``middle`` over the mark, if there is one.
    marked
        Whether the middle is a limit that is marked by a line.
    """

    colors: Sequence[QColor]
    low: str = ""
    middle: str = ""
    high: str = ""
    marked: bool = False


class ColorScale(QWidget):
    """Draws a :class:`Scale`, as wide as there is room."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scale = Scale([QColor("black")])
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def show_scale(self, scale: Scale) -> None:
        """Draw another scale."""
        self._scale = scale
        self.setAccessibleDescription(self.text())
        self.update()

    def text(self) -> str:
        """What is written on it, from left to right."""
        return "  ".join(w for w in (self._scale.low, self._scale.middle, self._scale.high) if w)

    def sizeHint(self) -> QSize:
        """Ask for one line of text."""
        return QSize(0, self.fontMetrics().height() + 4)

    def minimumSizeHint(self) -> QSize:
        """Ask for one line of text."""
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 - Qt's signature
        """Draw the gradient, the mark and the words."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._brush())
        painter.drawRoundedRect(QRectF(self.rect()), 3, 3)
        last = self._scale.colors[-1], self._scale.colors[0]
        middle = self._scale.colors[len(self._scale.colors) // 2]
        aligned = Qt.AlignmentFlag
        self._write(painter, self._scale.low, last[1], aligned.AlignLeft)
        self._write(painter, self._scale.high, last[0], aligned.AlignRight)
        if self._scale.marked:
            self._mark(painter, middle)
        else:
            self._write(painter, self._scale.middle, middle, aligned.AlignHCenter)

    def _brush(self) -> QBrush:
        gradient = QLinearGradient(QPointF(0, 0), QPointF(self.width(), 0))
        steps = max(len(self._scale.colors) - 1, 1)
        for i, color in enumerate(self._scale.colors):
            gradient.setColorAt(i / steps, color)
        return QBrush(gradient)

    def _write(self, painter: QPainter, words: str, behind: QColor, side: Qt.AlignmentFlag) -> None:
        painter.setPen(_readable_on(behind))
        inside = self.rect().adjusted(_MARGIN_PX, 0, -_MARGIN_PX, 0)
        painter.drawText(inside, side | Qt.AlignmentFlag.AlignVCenter, words)

    def _mark(self, painter: QPainter, behind: QColor) -> None:
        """Draw the limit in the middle as a line, with its words to the right."""
        painter.setPen(_readable_on(behind))
        x = self.width() // 2
        painter.drawLine(x, 0, x, self.height())
        beside = self.rect().adjusted(x + 4, 0, 0, 0)
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(beside, left, self._scale.middle)


def _readable_on(color: QColor) -> QColor:
    return QColor("white" if color.lightness() < _DARK else "black")
