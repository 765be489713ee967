"""The offer to paint strokes again that an earlier window left unsaved."""

from __future__ import annotations

from qtpy.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_ims_tumor.session.autosave import RecoveredStrokes
from napari_ims_tumor.session.slide_state import SlideState
from napari_ims_tumor.widgets.section import text_line
from napari_ims_tumor.widgets.theme import Palette
from napari_ims_tumor.widgets.wiring import Wiring


class RecoveryBar(QFrame):
    """Says what was found and asks: restore or discard; hidden while there is nothing to ask."""

    def __init__(self, wiring: Wiring, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = wiring.session
        self._found: list[tuple[SlideState, RecoveredStrokes]] = []
        self._build()
        wiring.on(self._session.strokes_found, self._offer)
        wiring.on(self._session.slide_closed, self._forget)

    def _build(self) -> None:
        self.setObjectName("recovery_bar")
        self.text = text_line("recovery_text")
        self.restore = QPushButton("Restore")
        self.restore.setObjectName("recovery_restore")
        self.restore.setToolTip("Paint these strokes onto the slide again")
        self.restore.clicked.connect(self._restore)
        self.discard = QPushButton("Discard")
        self.discard.setObjectName("recovery_discard")
        self.discard.setToolTip("Delete the unsaved copy of these strokes")
        self.discard.clicked.connect(self._discard)
        row = QHBoxLayout()
        row.addWidget(self.restore)
        row.addWidget(self.discard)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 6, 8, 6)
        column.setSpacing(6)
        column.addWidget(self.text)
        column.addLayout(row)
        self.hide()

    def paint_with(self, colors: Palette) -> None:
        """Take the theme's colors."""
        self.setStyleSheet(
            f"#recovery_bar {{ border: 1px solid {colors.warning}; border-radius: 4px; }}"
        )

    def _offer(self, slide: SlideState, found: RecoveredStrokes) -> None:
        self._found.append((slide, found))
        self._show_next()

    def _forget(self, slide: SlideState) -> None:
        self._found = [(s, found) for s, found in self._found if s.key != slide.key]
        self._show_next()

    def _show_next(self) -> None:
        self.setVisible(bool(self._found))
        if self._found:
            slide, found = self._found[0]
            self.text.setText(f"{slide.name}: {found.describe()}")

    def _restore(self) -> None:
        slide, found = self._found.pop(0)
        self._session.files.recover(slide, found)
        self._show_next()

    def _discard(self) -> None:
        _, found = self._found.pop(0)
        self._session.files.discard(found)
        self._show_next()
