"""The fields that ask for an ion image, the way to the peaks beside it, and the pin."""

from __future__ import annotations

from typing import cast

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_ims_tumor.errors import QueryError
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow, ToleranceUnit


class IonForm(QWidget):
    """Asks for an m/z window; what cannot be read is said below the fields.

    Signals
    -------
    window_requested
        The :class:`MassWindow` that was typed.
    peak_requested
        The next peak, or the one before (``False``).
    pin_requested
        Keep what is seen.
    """

    window_requested = Signal(object)
    peak_requested = Signal(bool)
    pin_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.mass_range: tuple[float, float] | None = None
        self._build()
        self._connect()

    def _build(self) -> None:
        self.mz = self._field("ion_mz", "m/z of the ion image", 72)
        self.mz.setPlaceholderText("m/z")
        self.tolerance = self._field("ion_tolerance", "Half the width of the m/z window", 46)
        self.tolerance.setText("0.3")
        self.unit = QComboBox()
        self.unit.setObjectName("ion_unit")
        self.unit.setAccessibleName("Unit of the tolerance")
        self.unit.addItems(["Da", "ppm"])
        self.button = QPushButton("Ion image")
        self.button.setObjectName("ion_show")
        self.button.setToolTip("Show where this m/z is found on the slide (Enter)")
        self.previous = _step("ion_previous", "‹ Peak", "Previous peak (key ,)")
        self.next = _step("ion_next", "Peak ›", "Next peak (key .)")
        self.pin = QPushButton("Pin")
        self.pin.setObjectName("ion_pin")
        self.pin.setToolTip("Keep the ion image that is seen as a layer of its own")
        self.message = QLabel()
        self.message.setObjectName("ion_message")
        self.message.setWordWrap(True)
        self.message.hide()
        self._lay_out()

    def _field(self, name: str, meaning: str, width: int) -> QLineEdit:
        field = QLineEdit()
        field.setObjectName(name)
        field.setAccessibleName(meaning)
        field.setToolTip(meaning)
        field.setMinimumWidth(width)
        field.setMaximumWidth(2 * width)
        field.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        return field

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for widget in (
            QLabel("m/z"), self.mz, QLabel("±"), self.tolerance, self.unit, self.button,
            self.previous, self.next, self.pin,
        ):  # fmt: skip
            row.addWidget(widget)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(row)
        column.addWidget(self.message)

    def _connect(self) -> None:
        self.button.clicked.connect(self.submit)
        self.previous.clicked.connect(lambda: self.peak_requested.emit(False))
        self.next.clicked.connect(lambda: self.peak_requested.emit(True))
        self.pin.clicked.connect(self.pin_requested)
        self.mz.returnPressed.connect(self.submit)
        self.tolerance.returnPressed.connect(self.submit)

    def submit(self) -> None:
        """Ask for the window in the fields, or say what is wrong with them."""
        try:
            window = read_window(self.mz.text(), self.current_tolerance(), self.mass_range)
        except QueryError as error:
            self.say(str(error))
            return
        self.say("")
        self.window_requested.emit(window)

    def current_tolerance(self) -> MassTolerance:
        """Read the tolerance field; raises ``QueryError`` where it holds no number."""
        return read_tolerance(self.tolerance.text(), cast(ToleranceUnit, self.unit.currentText()))

    def show_window(self, window: MassWindow) -> None:
        """Fill the fields with a window that was chosen elsewhere."""
        self.show_mz(window.center)
        self.show_tolerance(window.tolerance)
        self.say("")

    def show_mz(self, mz: float) -> None:
        """Fill the m/z field."""
        self.mz.setText(f"{mz:.4f}".rstrip("0").rstrip("."))

    def show_tolerance(self, tolerance: MassTolerance) -> None:
        """Fill the tolerance field."""
        self.tolerance.setText(f"{tolerance.value:.4g}")
        self.unit.setCurrentText(tolerance.unit)

    def say(self, message: str) -> None:
        """Show a message at the fields; an empty one takes it away."""
        self.message.setText(message)
        self.message.setVisible(bool(message))


def _step(name: str, text: str, meaning: str) -> QPushButton:
    button = QPushButton(text)
    button.setObjectName(name)
    button.setAccessibleName(meaning)
    button.setToolTip(meaning)
    return button


def read_tolerance(text: str, unit: ToleranceUnit) -> MassTolerance:
    """Read a typed tolerance: a number, a comma for a point is understood."""
    return MassTolerance(_number(text, "tolerance"), unit)


def read_window(
    text: str, tolerance: MassTolerance, mass_range: tuple[float, float] | None
) -> MassWindow:
    """Read a typed m/z; one that the slide does not hold raises ``QueryError``."""
    window = MassWindow(_number(text, "m/z"), tolerance)
    if mass_range is not None and (window.high < mass_range[0] or window.low > mass_range[1]):
        low, high = mass_range
        raise QueryError(f"{window} is outside this slide, which goes from {low:.2f} to {high:.2f}")
    return window


def _number(text: str, what: str) -> float:
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        if not text.strip():
            raise QueryError(f"{what}: type a number") from None
        raise QueryError(f"{what} {text.strip()!r} is not a number") from None
