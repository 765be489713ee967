"""The foot of the dock: what is being done, how far it is, and what went wrong."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QToolButton, QVBoxLayout, QWidget

from napari_ims_tumor.job import Progress
from napari_ims_tumor.session.jobs import BACKGROUND_LANES
from napari_ims_tumor.session.slide_state import SlideState
from napari_ims_tumor.widgets.section import show_text, text_line
from napari_ims_tumor.widgets.theme import Palette
from napari_ims_tumor.widgets.wiring import Wiring

QUIET_LANES = frozenset({"fit", "autosave", "device"})
"""The fit tells its own progress in its own section; the others are too short to tell."""
_MOST_STEPS = 1 << 30
NOTICE_MS = 15_000
"""A notice goes by itself; what went wrong stays until it is dismissed."""

STOPS_UNTIL_OPENED = "Stop this; it begins again when the slide is opened next time"
STOPS = {
    "predict": "Stop predicting: what was shown before is shown again",
    "spectra": "Stop this; the next fit reads the spectra itself",
}
"""What stopping the work of a lane means."""


class StatusLine(QWidget):
    """Names the phase of what runs, and keeps the last message until it is dismissed."""

    def __init__(self, wiring: Wiring, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colors: Palette | None = None
        self._running: dict[str, int] = {}
        self._shown = ""
        self._is_fresh = False
        self._build()
        session = wiring.session
        self._stops = {
            "index": session.indexing.stop,
            "verify": session.verification.stop,
            "spectra": session.kept_spectra.stop,
            "predict": session.classifier.stop_predicting,
        }
        self.stop.clicked.connect(self._stop_shown)
        wiring.on(session.job_started, self._started)
        wiring.on(session.job_reported, self._reported)
        wiring.on(session.job_ended, self._ended)
        wiring.on(session.failed, self.show_error)
        wiring.on(session.noticed, self.show_notice)
        # What was said before belongs to another moment than the picture of a session.
        for signal in (session.session_saved, session.session_opened):
            wiring.on(signal, self._session_changed)
        wiring.on(session.slide_closed, self._slide_closed)

    def _build(self) -> None:
        self.setObjectName("status_line")
        self.bar = QProgressBar()
        self.bar.setObjectName("progress")
        self.bar.setAccessibleName("Progress")
        self.bar.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.bar.setMinimumHeight(20)
        self.bar.hide()
        self.stop = QPushButton("Stop")
        self.stop.setObjectName("background_stop")
        self.stop.setAccessibleName("Stop what runs")
        self.stop.setToolTip(STOPS_UNTIL_OPENED)
        self.stop.hide()
        self.message = text_line("message")
        self.message.setAccessibleName("Message")
        self.dismiss = QToolButton()
        self.dismiss.setObjectName("message_dismiss")
        self.dismiss.setText("✕")
        self.dismiss.setAutoRaise(True)
        self.dismiss.setToolTip("Dismiss this message")
        self.dismiss.setAccessibleName("Dismiss this message")
        self.dismiss.clicked.connect(self.clear)
        row = QHBoxLayout()
        row.addWidget(self.message, 1)
        row.addWidget(self.dismiss, 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 2, 6, 4)
        column.setSpacing(4)
        work = QHBoxLayout()
        work.addWidget(self.bar, 1)
        work.addWidget(self.stop)
        column.addLayout(work)
        column.addLayout(row)
        self._fading = QTimer(self)
        self._fading.setSingleShot(True)
        self._fading.setInterval(NOTICE_MS)
        self._fading.timeout.connect(self.clear)
        self.clear()

    def paint_with(self, colors: Palette) -> None:
        """Take the theme's colors."""
        self._colors = colors

    def show_error(self, message: str) -> None:
        """Show what went wrong."""
        color = self._colors.warning if self._colors else "#ffb454"
        self._show("⚠ " + message, f"color: {color};")
        self._fading.stop()

    def show_notice(self, message: str) -> None:
        """Show something worth knowing."""
        self._show(message, "")
        self._fading.start()

    def clear(self) -> None:
        """Take the message away."""
        show_text(self.message, "")
        self.dismiss.hide()

    def _session_changed(self, _: object) -> None:
        self.clear()

    def _slide_closed(self, slide: SlideState) -> None:
        """Take away what was said of a slide, but for what its closing itself had to say."""
        if slide.name in self.message.text() and not self._is_fresh:
            self.clear()

    def _grow_old(self) -> None:
        self._is_fresh = False

    def _show(self, text: str, style: str) -> None:
        self._is_fresh = True
        QTimer.singleShot(0, self._grow_old)
        self.message.setStyleSheet(style)
        show_text(self.message, text)
        self.dismiss.setVisible(bool(text))

    # ---- progress ---------------------------------------------------------------------------

    def _started(self, lane: str) -> None:
        self._running[lane] = self._running.get(lane, 0) + 1

    def _reported(self, lane: str, report: Any) -> None:
        if lane in QUIET_LANES or not isinstance(report, Progress):
            return
        is_background = lane in BACKGROUND_LANES
        if is_background and self._is_busy(QUIET_LANES | BACKGROUND_LANES):
            return
        # A file has more bytes than Qt can count to.
        scale = 1 + report.total // _MOST_STEPS
        self.bar.setRange(0, report.total // scale)
        self.bar.setValue(report.done // scale)
        share = f"  {report.fraction:.0%}" if report.total else ""
        self.bar.setFormat(f"{report.phase}{share}")
        self.bar.show()
        self.stop.setVisible(lane in self._stops)
        self.stop.setToolTip(STOPS.get(lane, STOPS_UNTIL_OPENED))
        self._shown = lane

    def _ended(self, lane: str) -> None:
        self._running[lane] = max(0, self._running.get(lane, 0) - 1)
        if not self._is_busy(QUIET_LANES):
            self.bar.hide()
        if lane in self._stops or not self._is_busy(QUIET_LANES):
            self.stop.hide()

    def _stop_shown(self) -> None:
        if self._shown in self._stops:
            self._stops[self._shown]()

    def _is_busy(self, but: frozenset[str]) -> bool:
        """Whether anything runs on other lanes than these."""
        return any(n for name, n in self._running.items() if name not in but)
