"""A strip below the spectrum: how far each m/z moved the answer, up toward the class."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QSize
from qtpy.QtWidgets import QWidget

from napari_ims_tumor.annotation.label_classes import TUMOR_SCHEME
from napari_ims_tumor.msi.spectrum import Spectrum
from napari_ims_tumor.session.why import Explained
from napari_ims_tumor.widgets.spectrum_curve import SpectrumCurve
from napari_ims_tumor.widgets.theme import Palette

HEIGHT: Final = 84
LOWEST: Final = 52
AXIS_WIDTH: Final = 58
"""Of the axes of the spectrum and of the strip, so that their m/z lie below each other."""
OTHER: Final = "#8b929c"


class RelevanceStrip(pg.PlotWidget):
    """Draws relevance below a spectrum plot and follows its range of m/z."""

    def __init__(self, spectrum: pg.PlotWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("relevance_strip")
        self.setAccessibleName("Relevance over m/z")
        self.setMinimumHeight(LOWEST)
        self.setMaximumHeight(HEIGHT)
        self.hideButtons()
        self.setMenuEnabled(False)
        self.setMouseEnabled(x=False, y=False)
        self.setXLink(spectrum)
        self.getAxis("left").setWidth(AXIS_WIDTH)
        self.setLabel("left", "Why")
        self.getAxis("left").enableAutoSIPrefix(False)
        self.getAxis("bottom").enableAutoSIPrefix(False)
        self.toward, self.away = SpectrumCurve(), SpectrumCurve()
        for curve in (self.toward, self.away):
            self.addItem(curve)
        self.getViewBox().setAutoVisible(y=True)
        self.getViewBox().enableAutoRange(y=True)

    def sizeHint(self) -> QSize:
        """Ask for its full height; in a low window it takes less."""
        return QSize(super().sizeHint().width(), HEIGHT)

    def minimumSizeHint(self) -> QSize:
        """Ask for what can still be read: pyqtgraph's own hint made the window grow."""
        return QSize(0, LOWEST)

    def show_explained(self, explained: Explained | None) -> None:
        """Draw an explanation, or nothing."""
        for curve, sign in ((self.toward, 1), (self.away, -1)):
            curve.show_spectrum(None if explained is None else _side(explained, sign))
        if explained is not None:
            found = explained.explanation
            self.toward.setPen(pg.mkPen(color_of(found.target)))
            self.away.setPen(pg.mkPen(color_of(found.others)))
            self.setToolTip(f"Up: toward {found.target}. Down: toward {found.others}.")
        self.getViewBox().enableAutoRange(y=True)

    def paint_with(self, colors: Palette) -> None:
        """Take the theme's colors."""
        self.setBackground(colors.background)
        for side in ("bottom", "left"):
            self.getAxis(side).setPen(colors.faint)
            self.getAxis(side).setTextPen(colors.text)


def color_of(class_name: str) -> str:
    """The color a class is painted with; gray for any other."""
    known: dict[str, str] = {label.name: label.color for label in TUMOR_SCHEME.classes}
    return known.get(class_name, OTHER)


def _side(explained: Explained, sign: int) -> Spectrum:
    """What speaks for one side, as stems on the zero line."""
    found = explained.explanation
    own: Any = np.where(sign * found.bins > 0, found.bins, 0)
    kept = np.flatnonzero(own)
    return Spectrum(found.peaks.axis.mz[kept], own[kept], "centroid")
