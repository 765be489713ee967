"""The head of the dock: a whole session from one file, and into one."""

from __future__ import annotations

from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_ims_tumor.io.session_file import ENDING
from napari_ims_tumor.widgets import file_dialogs
from napari_ims_tumor.widgets.section import show_text, text_line
from napari_ims_tumor.widgets.wiring import Wiring

SESSIONS = f"Sessions (*{ENDING})"
NOTHING = "Open a slide first."
SAVE = "Write slides' places, labels, model, prediction and view into one file"
OPEN = "Open a session file in the place of what is open; unsaved strokes are kept"


class SessionBar(QWidget):
    """Opens and saves sessions, and names the one that is open."""

    def __init__(self, wiring: Wiring, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = wiring.session
        self._binding = wiring.binding
        self._build()
        self._connect(wiring)
        self.refresh()

    def _build(self) -> None:
        self.setObjectName("session_bar")
        self.open = self._button("Open session…", "session_open", OPEN)
        self.save = self._button("Save session…", "session_save", SAVE)
        self.name = text_line("session_name")
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.open)
        row.addWidget(self.save)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(row)
        column.addWidget(self.name)

    def _button(self, text: str, name: str, tooltip: str) -> QPushButton:
        button = QPushButton(text)
        button.setObjectName(name)
        button.setAccessibleName(text.rstrip("…"))
        button.setToolTip(tooltip)
        return button

    def _connect(self, wiring: Wiring) -> None:
        session = wiring.session
        for signal in (
            session.slide_opened, session.slide_closed, session.annotation_changed,
            session.fitted, session.predicted, session.job_started, session.job_ended,
            session.session_saved, session.session_opened,
        ):  # fmt: skip
            wiring.on(signal, self._changed)
        self.open.clicked.connect(self._open)
        self.save.clicked.connect(self._save)

    def refresh(self) -> None:
        """Enable what can be pressed, and say which session this is."""
        busy = self._session.runner.is_busy("file")
        reason = self._session.files.why_not_open_session()
        self.open.setEnabled(reason is None and not busy)
        self.open.setToolTip(reason or OPEN)
        self.save.setEnabled(bool(self._session.slides) and not busy)
        self.save.setToolTip(SAVE if self._session.slides else NOTHING)
        path = self._session.files.session_path
        state = "as saved" if self._session.files.is_as_saved else "changed since it was saved"
        show_text(self.name, "" if path is None else f"{path.name}: {state}")

    def _changed(self, _: object) -> None:
        self.refresh()

    # ---- what the user does -----------------------------------------------------------------

    def _open(self) -> None:
        path = file_dialogs.ask_open(self, "Open session", SESSIONS)
        if path is not None:
            if self._binding is not None:
                self._binding.flush()
            self._session.files.open_session(path)

    def _save(self) -> None:
        slide, known = self._session.active, self._session.files.session_path
        name = (slide.name if slide else "ims-tumor") + ENDING
        proposed = known or file_dialogs.beside(slide, name)
        path = file_dialogs.ask_save(self, "Save session", proposed, SESSIONS)
        if path is not None:
            if self._binding is not None:
                self._binding.flush()
            self._session.files.save_session(path)
