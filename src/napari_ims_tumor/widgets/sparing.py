"""Something done soon after it is asked for, and once for all that was asked meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QObject, QTimer


class Sparing(QObject):
    """Does something a little after it was asked for: what is more urgent comes first.

    Parameters
    ----------
    action
        What is done; it finds out itself what for.
    milliseconds
        How long after the first time that it is asked for.
    parent
        With which it ends: nothing is done afterwards.
    """

    def __init__(self, action: Callable[[], object], milliseconds: int, parent: QObject) -> None:
        super().__init__(parent)
        self._wait = QTimer(self)
        self._wait.setSingleShot(True)
        self._wait.setInterval(milliseconds)
        self._wait.timeout.connect(action)

    def ask(self, _: object = None) -> None:
        """Ask for it."""
        # A running wait goes on: begun anew it would never end while the slider moves.
        if not self._wait.isActive():
            self._wait.start()
