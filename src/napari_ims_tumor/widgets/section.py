"""A titled part of the dock that folds away."""

from __future__ import annotations

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QPainter, QPaintEvent
from qtpy.QtWidgets import QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget


class Section(QWidget):
    """A heading that opens and closes what stands below it.

    Attributes
    ----------
    body
        Add widgets to its layout with :meth:`add`.
    """

    def __init__(self, title: str, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(f"{name}_section")
        self._build(title, name)
        self.heading.toggled.connect(self._fold)

    def _build(self, title: str, name: str) -> None:
        self.heading = QToolButton()
        self.heading.setObjectName(f"{name}_heading")
        self.heading.setAccessibleName(f"Section {title}")
        self.heading.setText(title)
        self.heading.setCheckable(True)
        self.heading.setChecked(True)
        self.heading.setArrowType(Qt.ArrowType.DownArrow)
        self.heading.setIconSize(QSize(10, 10))
        self.heading.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.heading.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.heading.setStyleSheet("QToolButton { font-weight: bold; padding: 4px; border: none; }")
        self.body = QWidget()
        self._column = QVBoxLayout(self.body)
        self._column.setContentsMargins(8, 2, 4, 8)
        self._column.setSpacing(6)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(self.heading)
        outer.addWidget(self.body)

    def add(self, *widgets: QWidget) -> None:
        """Put widgets below what is there."""
        for widget in widgets:
            self._column.addWidget(widget)

    def _fold(self, opened: bool) -> None:
        self.heading.setArrowType(Qt.ArrowType.DownArrow if opened else Qt.ArrowType.RightArrow)
        self.body.setVisible(opened)


class WrappingLabel(QLabel):
    """Text that takes the width it is given, however long its words are."""

    def minimumSizeHint(self) -> QSize:
        """Ask for one line: Qt's own hint for wrapped text is as tall as one word per line."""
        return QSize(0, self.fontMetrics().height())


class ElidedLabel(QLabel):
    """One line of text that ends in an ellipsis where there is no room for all of it."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 - Qt's signature
        """Draw as much as there is room for."""
        painter = QPainter(self)
        right = Qt.TextElideMode.ElideRight
        text = self.fontMetrics().elidedText(self.text(), right, self.width())
        flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(self.rect(), flags, text)


def text_line(name: str, text: str = "") -> QLabel:
    """Make a line of text that wraps, and that a mouse can select and copy from."""
    label = WrappingLabel(text)
    label.setObjectName(name)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    policy.setHeightForWidth(True)
    label.setSizePolicy(policy)
    return label


def show_text(label: QLabel, text: str) -> None:
    """Show a text; an empty one gives its place back."""
    label.setText(text)
    label.setVisible(bool(text))
