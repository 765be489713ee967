"""The dialog *What do these classes mean?*, for annotations that were drawn in QuPath."""

from __future__ import annotations

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtGui import QIcon, QShowEvent
from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_ims_tumor.session.labels_reading import LabelsQuestion
from napari_ims_tumor.widgets.section import text_line

LEAVE_OUT = "leave out"
WIDTH = 420
ABOUT = (
    "{name} has classes that are not healthy or tumor. Say what each means on this slide; "
    "annotations of those you leave out are not read."
)
SCALE_ABOUT = (
    "How many pixels of the image that was annotated are one pixel of this slide: 1 if it is a "
    "picture of the slide, 100 for a section of 0.5 µm on a slide of 50 µm. The upper left corners "
    "of both are taken to coincide."
)


class LabelsDialog(QDialog):
    """Asks what class names mean, and for the scale of the annotated image.

    Signals
    -------
    answered
        (class name of the file → class or ``"ignore"``, the scale).
    """

    answered = Signal(object, float)

    def __init__(self, question: LabelsQuestion, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.question = question
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._make()
        self.accepted.connect(self._answer)

    def _make(self) -> None:
        read, name = self.question.read, self.question.path.name
        self.setObjectName("labels_dialog")
        self.setWindowTitle(f"Labels for {self.question.slide.name}")
        self.setMinimumWidth(WIDTH)
        self.meanings: dict[str, QComboBox] = {}
        column = QVBoxLayout(self)
        column.setSpacing(10)
        column.setSizeConstraint(QVBoxLayout.SizeConstraint.SetNoConstraint)
        if read.outside:
            column.addWidget(text_line("labels_outside", f"{name}: {read.outside}."))
        if read.unknown:
            column.addWidget(text_line("labels_about", ABOUT.format(name=name)))
            column.addWidget(self._table())
        column.addLayout(self._scale_row())
        column.addStretch(1)
        column.addWidget(self._buttons())

    def showEvent(self, event: QShowEvent) -> None:
        """Take the height that the wrapped text has at this width."""
        super().showEvent(event)
        # After Qt has given the dialog a height of its own, made for one word per line.
        QTimer.singleShot(0, self._fit_height)

    def _fit_height(self) -> None:
        self.resize(self.width(), self.layout().totalHeightForWidth(self.width()))

    def _table(self) -> QWidget:
        inside = QWidget()
        rows = QFormLayout(inside)
        rows.setContentsMargins(0, 0, 6, 0)
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        classes = [c.name for c in self.question.slide.annotation.scheme.classes]
        for name, count in self.question.read.unknown.items():
            choice = QComboBox()
            choice.setObjectName(f"meaning_{name}")
            choice.setAccessibleName(f"What {name} means")
            choice.addItems([LEAVE_OUT, *classes])
            self.meanings[name] = choice
            label = QLabel(f"{name}  ({count:,})")
            label.setTextFormat(Qt.TextFormat.PlainText)
            rows.addRow(label, choice)
        if len(self.meanings) <= 8:
            return inside
        area = QScrollArea()
        area.setWidget(inside)
        area.setWidgetResizable(True)
        return area

    def _scale_row(self) -> QFormLayout:
        self.scale = QDoubleSpinBox()
        self.scale.setObjectName("labels_scale")
        self.scale.setAccessibleName("Scale of the annotated image")
        self.scale.setDecimals(4)
        self.scale.setRange(0.0001, 1e6)
        self.scale.setValue(self.question.scale)
        self.scale.setToolTip(SCALE_ABOUT)
        rows = QFormLayout()
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        label = QLabel("Scale of the annotated image")
        label.setToolTip(SCALE_ABOUT)
        rows.addRow(label, self.scale)
        rows.addRow(text_line("labels_scale_about", SCALE_ABOUT))
        return rows

    def _buttons(self) -> QDialogButtonBox:
        kinds = QDialogButtonBox.StandardButton
        box = QDialogButtonBox(kinds.Ok | kinds.Cancel)
        self.ok = box.button(kinds.Ok)
        self.ok.setText("Load labels")
        self.ok.setObjectName("labels_ok")
        for button in box.buttons():
            button.setIcon(QIcon())
        box.accepted.connect(self.accept)
        box.rejected.connect(self.reject)
        return box

    def _answer(self) -> None:
        chosen = {name: choice.currentText() for name, choice in self.meanings.items()}
        said = {name: "ignore" if c == LEAVE_OUT else c for name, c in chosen.items()}
        self.answered.emit(said, self.scale.value())
