"""Something done at most so often, however often it is asked for."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QObject, QTimer


class Sparing(QObject):
    """Does something at once, and what was asked for soon afterwards once, a little later.

    Parameters
    ----------
    action
        What is done; it finds out itself what for.
    milliseconds
        How long to wait before it is done again.
    parent
        With which it ends: nothing is done afterwards.
    """

    def __init__(self, action: Callable[[], object], milliseconds: int, parent: QObject) -> None:
        super().__init__(parent)
        self._action, self._is_due = action, False
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(milliseconds)
        self._pause.timeout.connect(self._do_what_is_due)

    def ask(self, _: object = None) -> None:
        """Ask for it."""
        self._is_due = True
        if not self._pause.isActive():
            self._do_what_is_due()

    def _do_what_is_due(self) -> None:
        if self._is_due:
            self._is_due = False
            self._pause.start()
            self._action()
