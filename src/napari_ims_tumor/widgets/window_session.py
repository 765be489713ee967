"""The one session of a viewer's window: it outlives docks and ends with the window."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakKeyDictionary

from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QApplication, QWidget

from napari_ims_tumor.session.session import Session
from napari_ims_tumor.viewer.binding import Binding
from napari_ims_tumor.widgets.workers import QtJobRunner

if TYPE_CHECKING:
    from napari.components import ViewerModel

AUTOSAVE_MS = 5000
STROKE_PAUSE_MS = 150
"""A stroke has ended when nothing was painted for this long."""


class WindowSession(QObject):
    """A session tied to a viewer: its threads, its layers, its autosave and its end.

    Get it with :meth:`of`; a dock that is closed and opened again finds the same one.
    """

    _of_viewer: ClassVar[WeakKeyDictionary[Any, WindowSession]] = WeakKeyDictionary()

    def __init__(self, viewer: ViewerModel, window: QWidget | None) -> None:
        super().__init__(window)
        self.runner = QtJobRunner(self)
        self.session = Session(self.runner)
        self.session.failed.connect(show_error)
        self.session.noticed.connect(show_info)
        self.is_closed = self._is_closing = False
        self.binding = Binding(viewer, self.session, self._after_a_pause)
        self._autosave = QTimer(self)
        self._autosave.setInterval(AUTOSAVE_MS)
        self._autosave.timeout.connect(self._autosave_now)
        self._autosave.start()
        self._watch(window)

    @classmethod
    def of(cls, viewer: ViewerModel) -> WindowSession:
        """Find the viewer's session, or begin it."""
        found = cls._of_viewer.get(viewer)
        if found is None or found.is_closed:
            found = cls(viewer, main_window(viewer))
            cls._of_viewer[viewer] = found
        return found

    def close(self) -> None:
        """Keep unsaved strokes, end all work and let go of the viewer."""
        if self.is_closed:
            return
        self.is_closed = True
        self._autosave.stop()
        self.binding.close()
        self.session.close()

    # ---- inside -----------------------------------------------------------------------------

    def _after_a_pause(self, action: Callable[[], object]) -> Callable[[], object]:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(STROKE_PAUSE_MS)
        timer.timeout.connect(action)
        return timer.start  # type: ignore[no-any-return]

    def _autosave_now(self) -> None:
        self.binding.flush()
        self.session.files.autosave_now()

    def _watch(self, window: QWidget | None) -> None:
        if window is not None:
            window.installEventFilter(self)
        app = QApplication.instance()
        if app is not None:
            app.aboutToQuit.connect(self.close)

    def eventFilter(self, _: QObject, event: QEvent) -> bool:
        """Notice that the window closes: it hides within the close event, unless it is refused."""
        if event.type() == QEvent.Type.Close:
            self._is_closing = True
            QTimer.singleShot(0, self._close_was_refused)
        elif event.type() == QEvent.Type.Hide and self._is_closing:
            self.close()
        return False

    def _close_was_refused(self) -> None:
        self._is_closing = False


def main_window(viewer: ViewerModel) -> QWidget | None:
    """Find the Qt window of a viewer; ``None`` for a viewer without one."""
    return getattr(getattr(viewer, "window", None), "_qt_window", None)
