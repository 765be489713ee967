"""Section *Ion images*: what a pixel of them says, and the peaks to make them of."""

from __future__ import annotations

from typing import Final, cast

from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QWidget,
)

from napari_ims_tumor.errors import QueryError
from napari_ims_tumor.msi.ion_measure import IonMeasure
from napari_ims_tumor.msi.mass_axis import MassWindow
from napari_ims_tumor.msi.normalization import Normalizer
from napari_ims_tumor.widgets.ion_form import read_tolerance, read_window
from napari_ims_tumor.widgets.peak_list import PeakList
from napari_ims_tumor.widgets.section import Section, show_text, text_line
from napari_ims_tumor.widgets.theme import Palette
from napari_ims_tumor.widgets.wiring import Wiring

REFERENCE: Final = "reference"
VALUES: Final = {
    "sum": "sum of the window",
    "max": "highest in the window",
    "mean": "mean of the window",
}
SCALES: Final = {
    "none": "as measured",
    "tic": "per total ion current",
    "rms": "per root mean square",
    "median": "per median",
    REFERENCE: "per reference peak",
}
ASK_REFERENCE: Final = "Type the m/z of the reference peak."


class IonPanel(Section):
    """Chooses the measure and the contrast of ion images, and lists the peaks; folded at first."""

    def __init__(self, wiring: Wiring, parent: QWidget | None = None) -> None:
        super().__init__("Ion images and peaks", "ions", parent)
        self._session = wiring.session
        self._binding = wiring.binding
        self.peaks = PeakList(wiring)
        self._make()
        self._lay_out()
        wiring.on(self._session.measure_changed, self._measure_changed)
        wiring.on(self._session.active_changed, self._measure_changed)
        self._connect()
        self.heading.setChecked(False)
        self.refresh()

    def _make(self) -> None:
        self.value = _choice("ion_value", "What becomes of the points in a window", VALUES)
        self.scale = _choice("ion_scale", "By what each spectrum is scaled", SCALES)
        self.reference = QLineEdit()
        self.reference.setObjectName("ion_reference")
        self.reference.setAccessibleName("m/z of the reference peak")
        self.reference.setPlaceholderText("m/z")
        self.reach = QLineEdit("0.3")
        self.reach.setObjectName("ion_reference_tolerance")
        self.reach.setAccessibleName("Half the width of the reference peak's window, Da")
        self.clip = QCheckBox("Clip hot spots")
        self.clip.setObjectName("ion_clip")
        self.clip.setToolTip(
            "Draw the brightest 0.5 % of the pixels alike, so that a few do not take all the "
            "contrast; the numbers under the mouse and in files stay as they are"
        )
        self.message = text_line("ion_measure_message")

    def _lay_out(self) -> None:
        self._peak = QWidget()
        row = QHBoxLayout(self._peak)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for widget, stretch in ((self.reference, 2), (QLabel("±"), 0), (self.reach, 1)):
            row.addWidget(widget, stretch)
        row.addWidget(QLabel("Da"))
        fields = QWidget()
        self._rows = QFormLayout(fields)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setHorizontalSpacing(8)
        self._rows.setVerticalSpacing(4)
        self._rows.addRow("value", self.value)
        self._rows.addRow("scale", self.scale)
        self._rows.addRow("m/z", self._peak)
        self._rows.addRow("", self.clip)
        line = QFrame()
        line.setFrameShape(QFrame.Shape.HLine)
        self.add(fields, self.message, line, self.peaks)

    def _connect(self) -> None:
        self.value.activated.connect(self._apply)
        self.scale.activated.connect(self._scale_chosen)
        self.reference.returnPressed.connect(self._apply)
        self.reach.returnPressed.connect(self._apply)
        self.clip.toggled.connect(self._clip)

    def paint_with(self, colors: Palette) -> None:
        """Take the theme's colors."""
        self.message.setStyleSheet(f"color: {colors.warning};")

    def refresh(self) -> None:
        """Show the session's measure, and whether hot spots are clipped."""
        measure = self._session.ions.measure
        by = measure.normalize
        self.value.setCurrentIndex(self.value.findData(measure.reduce))
        self.scale.setCurrentIndex(self.scale.findData(by if isinstance(by, str) else REFERENCE))
        if isinstance(by, MassWindow):
            self._show_reference(by)
        self._show_peak_row()
        show_text(self.message, "")
        if self._binding is not None:
            self.clip.blockSignals(True)
            self.clip.setChecked(self._binding.ions.clip)
            self.clip.blockSignals(False)
        self.peaks.refresh()

    def _show_reference(self, window: MassWindow) -> None:
        self.reference.setText(f"{window.center:.4f}".rstrip("0").rstrip("."))
        self.reach.setText(f"{window.tolerance.half_width(window.center):.3g}")

    def _show_peak_row(self) -> None:
        shown = self.scale.currentData() == REFERENCE
        self._peak.setVisible(shown)
        self._rows.labelForField(self._peak).setVisible(shown)

    # ---- what the user does -----------------------------------------------------------------

    def _scale_chosen(self, _: int) -> None:
        self._show_peak_row()
        if self.scale.currentData() == REFERENCE and not self.reference.text():
            # Not the ion that is looked at: divided by itself, it is 1 wherever it is.
            self.reference.setFocus()
        self._apply()

    def _apply(self, _: object = None) -> None:
        try:
            measure = IonMeasure(self.value.currentData(), self._normalizer())
        except QueryError as error:
            show_text(self.message, ASK_REFERENCE if not self.reference.text() else str(error))
            return
        show_text(self.message, "")
        self._session.ions.measure_by(measure)

    def _normalizer(self) -> Normalizer:
        kind = self.scale.currentData()
        if kind != REFERENCE:
            return cast(Normalizer, kind)
        slide = self._session.active
        within = slide.dataset.mass_range if slide is not None else None
        return read_window(self.reference.text(), read_tolerance(self.reach.text(), "Da"), within)

    def _clip(self, clip: bool) -> None:
        if self._binding is not None:
            self._binding.ions.clip_hot_spots(clip)

    # ---- what the session says --------------------------------------------------------------

    def _measure_changed(self, _: object) -> None:
        self.refresh()


def _choice(name: str, meaning: str, words: dict[str, str]) -> QComboBox:
    box = QComboBox()
    box.setObjectName(name)
    box.setAccessibleName(meaning)
    box.setToolTip(meaning)
    for data, text in words.items():
        box.addItem(text, data)
    return box
