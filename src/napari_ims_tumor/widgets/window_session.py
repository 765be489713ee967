"""The one session of a viewer's window: it outlives docks and ends with the window."""

from __future__ import annotations

import atexit
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakKeyDictionary, WeakSet

import numpy as np
from napari.layers import Image, Labels
from napari.utils import progress
from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QApplication, QWidget

from napari_ims_tumor.annotation.label_classes import TUMOR_SCHEME
from napari_ims_tumor.job import Job, Progress
from napari_ims_tumor.session.jobs import JobListener, ignore
from napari_ims_tumor.session.reopening import MissingSlide
from napari_ims_tumor.session.session import Session
from napari_ims_tumor.viewer.binding import Binding
from napari_ims_tumor.viewer.bound import binding_of
from napari_ims_tumor.viewer.colors import class_colormap
from napari_ims_tumor.widgets import file_dialogs
from napari_ims_tumor.widgets.canvas_letters import CanvasLetters
from napari_ims_tumor.widgets.canvas_press import CanvasPress
from napari_ims_tumor.widgets.canvas_text import CanvasText
from napari_ims_tumor.widgets.workers import QtJobRunner

if TYPE_CHECKING:
    from napari.components import ViewerModel

_log = logging.getLogger(__name__)

AUTOSAVE_MS = 5000
STROKE_PAUSE_MS = 150
"""A stroke has ended when nothing was painted for this long."""


class WindowSession(QObject):
    """A session tied to a viewer: its threads, its layers, its autosave and its end.

    Get it with :meth:`of`; a dock that is closed and opened again finds the same one.

    Attributes
    ----------
    docks
        Docks that say notices themselves while they are seen: a second time, over the tissue, would
        be once too often.
    """

    _of_viewer: ClassVar[WeakKeyDictionary[Any, WindowSession]] = WeakKeyDictionary()

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self.runner = QtJobRunner(self)
        self.session = self._take_over(viewer)
        self.session.failed.connect(show_error, unique=True)
        self.session.noticed.connect(self._say)
        self.session.files.on_missing = self._ask_for_slide
        self.docks: WeakSet[QWidget] = WeakSet()
        self.is_closed = self._is_closing = False
        self.binding = Binding(viewer, self.session, self._after_a_pause)
        _know_units()
        self._warm_up()
        self._letters = CanvasLetters(viewer, self)
        self._on_canvas = (CanvasText.over(viewer), CanvasPress.on(viewer))
        self.session.slide_opened.connect(self._letters.finish)
        self._autosave = QTimer(self)
        self._autosave.setInterval(AUTOSAVE_MS)
        self._autosave.timeout.connect(self._autosave_now)
        self._autosave.start()
        app = QApplication.instance()
        if app is not None:
            app.aboutToQuit.connect(self.close)

    @classmethod
    def of(cls, viewer: ViewerModel) -> WindowSession:
        """Find the viewer's session, or begin it."""
        found = cls._of_viewer.get(viewer)
        if found is None:
            found = cls._of_viewer[viewer] = cls(viewer)
        return found

    def watch(self, window: QWidget) -> None:
        """End with this window."""
        # Twice is once: Qt moves a filter that is there already.
        window.installEventFilter(self)

    def close(self) -> None:
        """Keep unsaved strokes, end all work and let go of the viewer."""
        if self.is_closed:
            return
        self.is_closed = True
        self._of_viewer.pop(self._viewer, None)
        self._autosave.stop()
        self._letters.stop()
        for part in self._on_canvas:
            if part is not None:
                part.stop()
        self.binding.close()
        self.session.close()

    # ---- inside -----------------------------------------------------------------------------

    def _warm_up(self) -> None:
        """Have napari load what annotating needs, and say that it gets ready.

        The first work that napari shows makes its status bar a little taller for good, and all
        above it shorter: here it is done before anybody looks.
        """
        listener: JobListener[Progress, None] = JobListener(ignore, _log.info)
        if hasattr(self._viewer, "window"):
            shown = progress(total=0, desc="Getting ready to annotate")
            listener = JobListener(ignore, _log.info, on_end=shown.close)
        self.runner.start("warm-up", _warm_up(), listener)

    def _take_over(self, viewer: ViewerModel) -> Session:
        """Go on with a session that a file was opened as before there was a dock, or begin one."""
        before = binding_of(viewer)
        if before is None:
            return Session(self.runner)
        before.close()
        before.session.runner = self.runner
        before.session.noticed.disconnect(show_info, missing_ok=True)
        return before.session

    def _ask_for_slide(self, missing: MissingSlide) -> None:
        # After the job's end was told to everybody: a dialog has an event loop of its own.
        QTimer.singleShot(0, lambda: self._find_slide(missing))

    def _find_slide(self, missing: MissingSlide) -> None:
        if self.is_closed:
            return
        window = getattr(getattr(self._viewer, "window", None), "_qt_window", None)
        path = file_dialogs.ask_for_slide(window, missing)
        if path is None:
            self.session.noticed.emit("No session was opened; what was open is as it was.")
        else:
            self.session.files.open_session(missing.session_file, (*missing.places, path))

    def _say(self, notice: str) -> None:
        if not any(dock.isVisible() for dock in self.docks):
            show_info(notice)

    def _after_a_pause(self, action: Callable[[], object]) -> Callable[[], object]:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(STROKE_PAUSE_MS)
        timer.timeout.connect(action)
        return timer.start  # type: ignore[no-any-return]

    def _autosave_now(self) -> None:
        self.binding.flush()
        self.session.files.autosave_now()

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


def _know_units() -> None:
    """Have napari's units defined before a second thread makes layers.

    The first layer of a program begins the registry of units, which is not safe for two threads: a
    slide opened during the warm-up failed with "'pixel' is not defined".
    """
    Image(np.zeros((1, 1), np.float32))


def _warm_up() -> Job[Progress, None]:
    """Let napari load and compile what a labels layer needs: seconds, inside *Annotate* else."""
    colors = class_colormap(TUMOR_SCHEME)
    yield Progress("Getting ready to annotate", 0, 2)
    colors.map(np.zeros((1, 1), np.uint8))
    yield Progress("Getting ready to annotate", 1, 2)
    Labels(np.zeros((1, 1), np.uint8), colormap=colors)


@atexit.register
def _end_all() -> None:
    """End the work of windows that a script never closed: a thread at exit crashes Python."""
    for window in list(WindowSession._of_viewer.values()):
        window.session.files.autosave_now()
        window.runner.close()


def real_viewer(viewer: Any) -> Any:
    """Take napari's proxy for plugins away: a layer seen through it is not the layer itself."""
    return getattr(viewer, "__wrapped__", viewer)
