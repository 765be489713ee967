"""*Export*: what, as which kind of file, and one button."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from qtpy.QtWidgets import QComboBox, QFormLayout, QFrame, QPushButton, QVBoxLayout, QWidget

from napari_ims_tumor.session.exports import FORMATS, NO_IONS, View, What
from napari_ims_tumor.widgets import file_dialogs
from napari_ims_tumor.widgets.section import show_text, text_line
from napari_ims_tumor.widgets.wiring import Wiring

if TYPE_CHECKING:
    from napari_ims_tumor.session.slide_state import PickedSpectrum

WORDS: Final[dict[What, str]] = {
    "prediction": "Prediction",
    "labels": "Labels",
    "ions": "Visible ion images",
    "spectra": "Spectra",
    "peaks": "Picked peaks",
    "part": "Painted pixels",
}
ABOUT: Final[dict[What, str]] = {
    "prediction": "Probabilities and uncertainty; a picture shows what is looked at, as colored",
    "labels": "What was painted",
    "ions": "The ion images whose layers are visible; a picture shows them as colored",
    "spectra": "The mean of the slide and of each painted class, and the picked pixel",
    "peaks": "The table of picked peaks: m/z, window, intensity in mean and maximum",
    "part": "The spectra of all painted pixels as a slide of their own, with the labels beside",
}


class ExportForm(QWidget):
    """Asks what to export and where to, and lets the session write it."""

    def __init__(self, wiring: Wiring, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = wiring.session
        self._binding = wiring.binding
        self._picked: PickedSpectrum | None = None
        self._busy = False
        self._make()
        self._connect(wiring)
        self._show_kinds()

    def _make(self) -> None:
        self.setObjectName("export_form")
        self.what = _choice("export_what", "What to export")
        for what, words in WORDS.items():
            self.what.addItem(words, what)
            self.what.setItemData(self.what.count() - 1, ABOUT[what], 3)
        self.kind = _choice("export_kind", "As which kind of file")
        self.button = QPushButton("Export…")
        self.button.setObjectName("export_start")
        self.button.setAccessibleName("Export")
        self.reason = text_line("export_reason")
        rows = QFormLayout()
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setHorizontalSpacing(8)
        rows.setVerticalSpacing(4)
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        rows.addRow("export", self.what)
        rows.addRow("as", self.kind)
        line = QFrame()
        line.setFrameShape(QFrame.Shape.HLine)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(6)
        column.addWidget(line)
        column.addLayout(rows)
        column.addWidget(self.button)
        column.addWidget(self.reason)

    def _connect(self, wiring: Wiring) -> None:
        session = wiring.session
        if self._binding is not None:
            wiring.on(self._binding.overlays.seen_changed, self.refresh)
        for signal in (
            session.active_changed, session.annotation_changed, session.predicted,
            session.slide_surveyed,
        ):  # fmt: skip
            wiring.on(signal, self._changed)
        wiring.on(session.spectrum_picked, self._keep_picked)
        wiring.on(session.nothing_picked, lambda _: self._keep_picked(None))
        wiring.on(session.job_started, self._job_started)
        wiring.on(session.job_ended, self._job_ended)
        self.what.currentIndexChanged.connect(self._show_kinds)
        self.button.clicked.connect(self._export)

    @property
    def chosen(self) -> What:
        """What is to be exported."""
        return cast(What, self.what.currentData())

    def refresh(self) -> None:
        """Enable the button, or say why there is nothing to export."""
        reason = self._session.exports.why_not(self.chosen) or self._why_no_ions()
        self.button.setEnabled(reason is None and not self._busy)
        self.button.setToolTip(reason or ABOUT[self.chosen])
        show_text(self.reason, reason or "" if self._session.active is not None else "")

    def _why_no_ions(self) -> str | None:
        slide = self._session.active
        if self.chosen != "ions" or self._binding is None or slide is None:
            return None
        from napari_ims_tumor.viewer.shown import has_ions

        return None if has_ions(self._binding.viewer, slide.dataset) else NO_IONS

    def _view(self) -> View:
        if self._binding is None:
            return View(picked=self._picked)
        from napari_ims_tumor.viewer.shown import view_of

        return view_of(self._binding, self._picked)

    # ---- what the user does -----------------------------------------------------------------

    def _show_kinds(self, _: int = 0) -> None:
        self.kind.clear()
        for ending, words in FORMATS[self.chosen].items():
            self.kind.addItem(f"{words}, {ending}", ending)
        self.refresh()

    def _export(self) -> None:
        if self._binding is not None:
            self._binding.flush()
        slide, what, ending = self._session.active, self.chosen, str(self.kind.currentData())
        name = f"{slide.name if slide else 'ims-tumor'}_{what}{ending}"
        kinds = f"{FORMATS[what][ending]} (*{ending})"
        title = f"Export {WORDS[what].lower()}"
        path = file_dialogs.ask_save(self, title, file_dialogs.beside(slide, name), kinds)
        if path is not None:
            self._session.exports.write(what, path, self._view())

    # ---- what the session says --------------------------------------------------------------

    def _keep_picked(self, picked: PickedSpectrum | None) -> None:
        self._picked = picked

    def _changed(self, _: object) -> None:
        self.refresh()

    def _job_started(self, lane: str) -> None:
        if lane == "file":
            self._busy = True
            self.refresh()

    def _job_ended(self, lane: str) -> None:
        if lane == "file":
            self._busy = False
            self.refresh()


def _choice(name: str, meaning: str) -> QComboBox:
    box = QComboBox()
    box.setObjectName(name)
    box.setAccessibleName(meaning)
    box.setToolTip(meaning)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(8)
    return box
