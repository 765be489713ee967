"""Keys of the brushes pressed while a list of the dock has the focus: they take brushes still."""

from __future__ import annotations

from typing import Final

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QComboBox, QWidget

KEYS: Final = (Qt.Key.Key_T, Qt.Key.Key_H, Qt.Key.Key_E)


class BrushKeys(QObject):
    """Passes the brushes' keys on to the window: a list would search its entries by letter.

    T after a choice from the list of overlays changed the view instead of the brush.
    """

    def watch(self, dock: QWidget) -> None:
        """Watch all lists of a dock; fields to type into keep their letters."""
        for combo in dock.findChildren(QComboBox):
            if not combo.isEditable():
                combo.installEventFilter(self)

    def eventFilter(self, _: QObject, event: QEvent) -> bool:
        """Leave a brush's key to the widgets above."""
        is_key = event.type() == QEvent.Type.KeyPress and event.key() in KEYS
        if not is_key or event.modifiers():
            return False
        # Neither taken by the list nor accepted: Qt offers it to the parent, up to napari's window.
        event.ignore()
        return True
