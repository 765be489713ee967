"""The legend of the spectrum plot: what each curve is, in its color, and whether it is shown."""

from __future__ import annotations

from typing import Final

from qtpy.QtCore import QSize, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QWidget

from napari_ims_tumor.annotation.label_classes import TUMOR_SCHEME
from napari_ims_tumor.session.averages import REGION
from napari_ims_tumor.widgets.theme import Palette

PIXEL, MEAN, MAX = "pixel", "mean", "max"
CLASSES: Final = tuple(label.name for label in reversed(TUMOR_SCHEME.classes))
CURVES: Final = (PIXEL, MEAN, MAX, *CLASSES, REGION)
ABOUT: Final = {
    PIXEL: "The spectrum of the clicked pixel",
    MEAN: "The mean of all pixels of the slide",
    MAX: "The highest of all pixels at each m/z: shows what is rare",
    **{name: f"The mean of the pixels painted {name}" for name in CLASSES},
    REGION: "The mean of the pixels inside the shapes, or under the label, of the selected layer",
}
_AT_FIRST: Final = (PIXEL, MEAN)


class SpectrumLegend(QWidget):
    """One check box per curve.

    Signals
    -------
    toggled
        (name of the curve, whether it shall be shown).
    """

    toggled = Signal(str, bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("spectrum_legend")
        self.boxes = {name: self._box(name) for name in CURVES}
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        for box in self.boxes.values():
            row.addWidget(box)

    def _box(self, name: str) -> QCheckBox:
        box = QCheckBox(name)
        box.setObjectName(f"curve_{name}")
        box.setAccessibleName(f"Show the spectrum: {name}")
        box.setToolTip(ABOUT[name])
        box.setChecked(name in _AT_FIRST)
        box.setIconSize(QSize(14, 4))
        box.toggled.connect(lambda shown, name=name: self.toggled.emit(name, shown))
        return box

    def is_shown(self, name: str) -> bool:
        """Whether a curve shall be shown."""
        return bool(self.boxes[name].isChecked())

    def count(self, name: str, pixels: int | None) -> None:
        """Say beside a curve of how many pixels it is."""
        self.boxes[name].setText(name if pixels is None else f"{name} ({pixels:,})")

    def paint_with(self, colors: Palette) -> None:
        """Take the theme's colors."""
        for name, color in curve_colors(colors).items():
            line = QPixmap(14, 4)
            line.fill(QColor(color))
            self.boxes[name].setIcon(QIcon(line))


def curve_colors(colors: Palette) -> dict[str, str]:
    """Color of each curve: those of the classes are the same everywhere."""
    of_classes = {label.name: label.color for label in TUMOR_SCHEME.classes}
    return {
        PIXEL: colors.text,
        MEAN: colors.mean,
        MAX: colors.highest,
        **of_classes,
        REGION: colors.region,
    }
