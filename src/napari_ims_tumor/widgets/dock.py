"""The dock *IMS Tumor*: sections in the order of work, and the spectrum below the canvas."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QObject, QSize, Qt, QTimer
from qtpy.QtWidgets import QFrame, QMainWindow, QScrollArea, QScrollBar, QVBoxLayout, QWidget

from napari_ims_tumor.session.session import Session
from napari_ims_tumor.widgets.annotation_panel import AnnotationPanel
from napari_ims_tumor.widgets.brush_keys import BrushKeys
from napari_ims_tumor.widgets.dock_state import DockState
from napari_ims_tumor.widgets.fit_panel import FitPanel
from napari_ims_tumor.widgets.ion_panel import IonPanel
from napari_ims_tumor.widgets.predict_panel import PredictPanel
from napari_ims_tumor.widgets.recovery_bar import RecoveryBar
from napari_ims_tumor.widgets.save_panel import SavePanel
from napari_ims_tumor.widgets.session_bar import SessionBar
from napari_ims_tumor.widgets.slide_panel import SlidePanel
from napari_ims_tumor.widgets.spectrum_panel import SpectrumPanel
from napari_ims_tumor.widgets.status_line import StatusLine
from napari_ims_tumor.widgets.theme import palette
from napari_ims_tumor.widgets.window_session import WindowSession, real_viewer
from napari_ims_tumor.widgets.wiring import Wiring

if TYPE_CHECKING:
    from napari.viewer import Viewer

SPECTRUM_DOCK = "IMS Tumor: spectrum"
SPECTRUM_HEIGHT = 240
NARROWEST = 300
BAR_MARGIN = 4
"""Of a scroll bar in napari's style sheets; its size hint says nothing of it."""


class SectionArea(QScrollArea):
    """The sections, scrolled up and down; as wide as they are, as a larger font makes them."""

    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)

    def minimumSizeHint(self) -> QSize:
        """Ask for the width of what is inside: Qt's own hint lets it be cut off."""
        hint = super().minimumSizeHint()
        inside = self.widget()
        if inside is None:
            return hint
        bar = self.verticalScrollBar().sizeHint().width() + BAR_MARGIN
        return QSize(inside.minimumSizeHint().width() + bar, hint.height())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Notice that what is inside needs more room, or less."""
        if event.type() == QEvent.Type.LayoutRequest and watched is self.widget():
            self.updateGeometry()
        return bool(super().eventFilter(watched, event))


class ImsTumorDock(QWidget):
    """Everything the plugin can be asked for, on one viewer.

    Parameters
    ----------
    napari_viewer
        The viewer; napari gives it under this name.

    Attributes
    ----------
    session
        The viewer's session: the same one for every dock on it.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self._viewer: Viewer = real_viewer(napari_viewer)
        self._window = WindowSession.of(self._viewer)
        self.session: Session = self._window.session
        self._window.docks.add(self)
        self.wiring = Wiring(self.session, self._window.binding)
        self.spectrum = SpectrumPanel(self.wiring)
        self._build()
        self._connect()
        self._paint()
        self._catch_up()
        self._state = DockState(self)
        self.session.files.views.attach("dock", self._state)

    def _build(self) -> None:
        self.setObjectName("ims_tumor_dock")
        self.recovery = RecoveryBar(self.wiring)
        self.sessions = SessionBar(self.wiring)
        self.slide = SlidePanel(self.wiring)
        self.ions = IonPanel(self.wiring)
        self.annotate = AnnotationPanel(self.wiring)
        self.fit = FitPanel(self.wiring)
        self.predict = PredictPanel(self.wiring)
        self.save = SavePanel(self.wiring)
        self.status = StatusLine(self.wiring)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        above = QVBoxLayout()
        above.setContentsMargins(6, 6, 6, 0)
        above.setSpacing(6)
        above.addWidget(self.sessions)
        above.addWidget(self.recovery)
        column.addLayout(above)
        column.addWidget(self._sections(), 1)
        column.addWidget(self.status)

    def _sections(self) -> QScrollArea:
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(2, 2, 2, 2)
        column.setSpacing(2)
        for section in self._in_order():
            column.addWidget(section)
        column.addStretch(1)
        area = self._area = SectionArea()
        area.setWidget(inside)
        return area

    def _in_order(self) -> tuple[Any, ...]:
        """The sections from the top down."""
        return self.slide, self.ions, self.annotate, self.fit, self.predict, self.save

    def _connect(self) -> None:
        self.wiring.on(self._viewer.events.theme, self._paint)
        self.slide.spectrum_requested.connect(self.show_spectrum)
        self.spectrum.seen.connect(self.slide.spectrum.setHidden)
        self.fit.plot_shown.connect(self._scroll_to_plot)
        self._brush_keys = BrushKeys(self)
        self._brush_keys.watch(self)
        # Docking again from inside napari's own docking of this widget would nest the two.
        QTimer.singleShot(0, self.show_spectrum)

    def _catch_up(self) -> None:
        """Offer strokes of slides that were open before this dock was."""
        for slide in self.session.slides:
            self.session.files.look_for_strokes(slide)

    def _paint(self, _: object = None) -> None:
        colors = palette(self._viewer.theme)
        painted: tuple[Any, ...] = (
            self.recovery, self.slide, self.ions, self.fit, self.predict, self.status,
            self.spectrum,
        )  # fmt: skip
        for widget in painted:
            widget.paint_with(colors)

    def _scroll_to_plot(self) -> None:
        # After Qt has given the plot its place.
        QTimer.singleShot(200, self._scroll_now)

    def _scroll_now(self) -> None:
        sideways = self._area.horizontalScrollBar()
        before = sideways.value()
        self._area.ensureWidgetVisible(self.fit.score)
        sideways.setValue(before)

    def show_spectrum(self) -> None:
        """Dock the spectrum below the canvas, or bring its dock back."""
        window = self._viewer.window
        if self.spectrum.parent() is None:
            window.add_dock_widget(self.spectrum, name=SPECTRUM_DOCK, area="bottom")
            self._give_spectrum_its_height()
        dock = self.spectrum.parent()
        dock.show()
        dock.raise_()

    def _give_spectrum_its_height(self) -> None:
        main = self.window()
        if isinstance(main, QMainWindow):
            # The spectrum goes under the canvas; the dock keeps the window's full height.
            right = Qt.DockWidgetArea.RightDockWidgetArea
            main.setCorner(Qt.Corner.BottomRightCorner, right)
            docks, heights = [self.spectrum.parent()], [SPECTRUM_HEIGHT]
            main.resizeDocks(docks, heights, Qt.Orientation.Vertical)

    # ---- how it looks -----------------------------------------------------------------------

    def minimumSizeHint(self) -> QSize:
        """Ask for the room that the sections need with the font there is."""
        return super().minimumSizeHint().expandedTo(QSize(NARROWEST, 0))

    def scroll_bar(self) -> QScrollBar:
        """The scroll bar of the sections."""
        return self._area.verticalScrollBar()

    def refresh(self) -> None:
        """Show in every section what is there now."""
        for section in self._in_order():
            section.refresh()

    def later(self, milliseconds: int, action: Callable[[], object]) -> None:
        """Do something once Qt has done what is due, unless the dock is gone by then."""
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.timeout.connect(action)
        timer.timeout.connect(timer.deleteLater)
        timer.start(milliseconds)

    # ---- the end ----------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        """Notice that napari closed the dock: it then takes this widget out of its parent."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            QTimer.singleShot(0, self._leave_if_alone)
        elif event.type() == QEvent.Type.Show:
            self._window.watch(self.window())
        return bool(super().event(event))

    def _leave_if_alone(self) -> None:
        """End with the dock, unless somebody has docked this widget again; the session stays."""
        if self.parent() is not None:
            return
        self._window.docks.discard(self)
        self.session.files.views.detach("dock", self._state, self._state.capture())
        self.wiring.cut()
        self.annotate.unfollow()
        if self.spectrum.parent() is not None:
            with suppress(LookupError, AttributeError):
                self._viewer.window.remove_dock_widget(self.spectrum)
        self.spectrum.deleteLater()
        self.deleteLater()
