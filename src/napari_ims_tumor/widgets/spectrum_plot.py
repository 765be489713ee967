"""The plot of spectra: one pixel's over the slide's mean, with the chosen m/z window marked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QEvent, QPointF, Qt, Signal
from qtpy.QtWidgets import QWidget

from napari_ims_tumor.msi.arrays import FloatArray
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow
from napari_ims_tumor.msi.spectrum import Spectrum
from napari_ims_tumor.session.averages import REGION
from napari_ims_tumor.widgets.spectrum_curve import SpectrumCurve
from napari_ims_tumor.widgets.spectrum_legend import CLASSES, MAX, MEAN, PIXEL, curve_colors
from napari_ims_tumor.widgets.theme import Palette

REACH_PX = 8
"""A click this near to a peak means the peak."""
GRIP_PX = 14
"""A window narrower than this on screen cannot be dragged: it would be grabbed by accident."""


class DragBox(pg.ViewBox):
    """A view that marks an m/z range on Shift+drag; a drag pans, the wheel zooms in m/z."""

    range_dragged = Signal(float, float, bool)
    """(low, high, whether the button was released)."""

    def __init__(self) -> None:
        super().__init__(enableMenu=False)
        self.setMouseEnabled(x=True, y=False)
        self.setAutoVisible(y=True)

    def mouseDragEvent(self, event: Any, axis: int | None = None) -> None:
        """Mark with Shift held, else pan."""
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if not shift or event.button() != Qt.MouseButton.LeftButton:
            super().mouseDragEvent(event, axis)
            return
        event.accept()
        ends = (event.buttonDownPos(), event.pos())
        low, high = sorted(self.mapToView(pos).x() for pos in ends)
        self.range_dragged.emit(low, high, event.isFinish())


class SpectrumPlot(pg.PlotWidget):
    """Draws spectra and turns clicks, drags and hovering into m/z.

    Signals
    -------
    mz_clicked
        m/z of the peak at, or the place of, a click.
    window_dragged
        The :class:`MassWindow` that was marked.
    mz_hovered
        (m/z, intensity) under the mouse; the intensity is NaN away from peaks.
    mouse_left
        The mouse is elsewhere.
    """

    mz_clicked = Signal(float)
    window_dragged = Signal(object)
    mz_hovered = Signal(float, float)
    mouse_left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, viewBox=DragBox())
        self._mean: Spectrum | None = None
        self._picked: Spectrum | None = None
        self._build()
        self._connect()

    def _build(self) -> None:
        self.setObjectName("spectrum_plot")
        self.setAccessibleName("Spectrum: intensity over m/z")
        self.hideButtons()
        self.setLabel("bottom", "m/z")
        self.setLabel("left", "Intensity")
        self.getAxis("bottom").enableAutoSIPrefix(False)
        # From the lowest to the topmost.
        names = (MAX, MEAN, *CLASSES, REGION, PIXEL)
        self._curves = {name: SpectrumCurve() for name in names}
        self.mean_curve, self.picked_curve = self._curves[MEAN], self._curves[PIXEL]
        for curve in self._curves.values():
            self.addItem(curve)
        self.mark = pg.LinearRegionItem(swapMode="sort")
        self.mark.setZValue(-10)
        self.mark.hide()
        self.pointer = pg.InfiniteLine(angle=90)
        self.pointer.hide()
        for item in (self.mark, self.pointer):
            self.addItem(item, ignoreBounds=True)
        self.show_all()

    def _connect(self) -> None:
        self.scene().sigMouseClicked.connect(self._clicked)
        # Not through pyqtgraph's SignalProxy: its delayed moves arrive after the plot is closed.
        self.scene().sigMouseMoved.connect(self._moved)
        self.getViewBox().range_dragged.connect(self._dragged)
        self.getViewBox().sigXRangeChanged.connect(self._fit_grip)
        self.mark.sigRegionChangeFinished.connect(self._mark_moved)

    # ---- what is shown ----------------------------------------------------------------------

    def show_mean(self, spectrum: Spectrum | None) -> None:
        """Draw the slide's mean spectrum and show its whole range."""
        self._mean = spectrum
        self.mean_curve.show_spectrum(spectrum)
        self.show_all()

    def show_picked(self, spectrum: Spectrum | None) -> None:
        """Draw one pixel's spectrum; the m/z range in view stays."""
        first = self._picked is None and self._mean is None
        self._picked = spectrum
        self.picked_curve.show_spectrum(spectrum)
        if first:
            self.show_all()

    def show_curve(self, name: str, spectrum: Spectrum | None) -> None:
        """Draw another curve, of those in the legend; ``None`` takes it away."""
        self._curves[name].show_spectrum(spectrum)

    def set_shown(self, name: str, shown: bool) -> None:
        """Show or hide a curve, of those in the legend."""
        self._curves[name].setVisible(shown)
        self.getViewBox().enableAutoRange(y=True)

    def plotted_spectrum(self) -> tuple[FloatArray, FloatArray]:
        """Read (m/z, intensity) of the picked spectrum back out of the drawn curve."""
        drawn = self.picked_curve.spectrum
        if drawn is None:
            return np.zeros(0), np.zeros(0)
        return drawn.mz, drawn.intensity

    def show_all(self) -> None:
        """Bring the whole m/z range into view."""
        shown = [s.mz for s in (self._mean, self._picked) if s is not None and len(s)]
        self.getPlotItem().setVisible(bool(shown))
        if not shown:
            return
        low, high = min(mz[0] for mz in shown), max(mz[-1] for mz in shown)
        margin = max(0.5, 0.01 * (high - low))
        box = self.getViewBox()
        box.setLimits(xMin=low - margin, xMax=high + margin, yMin=0)
        box.setXRange(low - margin, high + margin, padding=0)
        box.enableAutoRange(y=True)

    def mark_window(self, window: MassWindow | None) -> None:
        """Mark the m/z window whose ion image is shown; bring it into view."""
        self.mark.setVisible(window is not None)
        if window is None:
            return
        self._set_mark(window.low, window.high)
        low, high = self.getViewBox().viewRange()[0]
        if not low <= window.center <= high:
            half = (high - low) / 2
            self.setXRange(window.center - half, window.center + half, padding=0)

    def paint_with(self, colors: Palette) -> None:
        """Take the theme's colors."""
        self.setBackground(colors.background)
        for side in ("bottom", "left"):
            self.getAxis(side).setPen(colors.faint)
            self.getAxis(side).setTextPen(colors.text)
        for name, color in curve_colors(colors).items():
            self._curves[name].setPen(pg.mkPen(color, width=1))
        self.pointer.setPen(pg.mkPen(colors.faint, style=Qt.PenStyle.DotLine))
        fill = pg.mkColor(colors.window)
        fill.setAlpha(70)
        self.mark.setBrush(fill)
        for line in self.mark.lines:
            line.setPen(pg.mkPen(colors.window))

    # ---- what the mouse says ----------------------------------------------------------------

    def mz_at(self, scene_pos: QPointF) -> tuple[float, float]:
        """Find (m/z, intensity) of the highest point near a place; its own m/z and NaN if none."""
        box = self.getViewBox()
        mz = float(box.mapSceneToView(scene_pos).x())
        spectrum = self._picked if self._picked is not None else self._mean
        reach = REACH_PX * float(box.viewPixelSize()[0])
        found = None if spectrum is None else peak_near(spectrum, mz, reach)
        return found or (mz, float("nan"))

    def _clicked(self, event: Any) -> None:
        if event.button() != Qt.MouseButton.LeftButton or not self._inside(event.scenePos()):
            return
        if event.double():
            self.show_all()
        elif not event.modifiers():
            self.mz_clicked.emit(self.mz_at(event.scenePos())[0])

    def _moved(self, place: QPointF) -> None:
        inside = self._inside(place)
        self.pointer.setVisible(inside)
        if inside:
            mz, intensity = self.mz_at(place)
            self.pointer.setValue(mz)
            self.mz_hovered.emit(mz, intensity)

    def leaveEvent(self, event: QEvent) -> None:
        """Take the pointer away with the mouse."""
        super().leaveEvent(event)
        self.pointer.hide()
        self.mouse_left.emit()

    def _inside(self, scene_pos: QPointF) -> bool:
        return bool(self.getViewBox().sceneBoundingRect().contains(scene_pos))

    def _dragged(self, low: float, high: float, released: bool) -> None:
        self.mark.show()
        self._set_mark(low, high)
        if released and high > low:
            self.window_dragged.emit(window_between(low, high))

    def _mark_moved(self) -> None:
        self.window_dragged.emit(window_between(*self.mark.getRegion()))

    def _set_mark(self, low: float, high: float) -> None:
        self.mark.blockSignals(True)
        self.mark.setRegion((low, high))
        self.mark.blockSignals(False)
        self._fit_grip()

    def _fit_grip(self) -> None:
        low, high = self.mark.getRegion()
        pixel = float(self.getViewBox().viewPixelSize()[0])
        self.mark.setMovable(high - low >= GRIP_PX * pixel)


def window_between(low: float, high: float) -> MassWindow:
    """Make the m/z window that reaches from ``low`` to ``high``."""
    return MassWindow((low + high) / 2, MassTolerance((high - low) / 2))


def peak_near(spectrum: Spectrum, mz: float, reach: float) -> tuple[float, float] | None:
    """Find the highest local maximum within ``reach`` Da of ``mz``; ``None`` if there is none.

    Returns
    -------
    tuple or None
        (m/z, intensity) of the maximum.
    """
    first, last = np.searchsorted(spectrum.mz, [mz - reach, mz + reach])
    # One neighbor more on each side tells a maximum from a slope.
    around = spectrum.intensity[max(first - 1, 0) : last + 1]
    inner = np.nan_to_num(around, nan=0.0)
    padded = np.concatenate([[-np.inf], inner, [-np.inf]])
    higher = (padded[1:-1] >= padded[:-2]) & (padded[1:-1] >= padded[2:])
    top = (inner > 0) & (higher | (spectrum.mode == "centroid"))
    offset = max(first - 1, 0)
    at = np.flatnonzero(top) + offset
    at = at[(at >= first) & (at < last)]
    if not at.size:
        return None
    best = int(at[np.argmax(spectrum.intensity[at])])
    return float(spectrum.mz[best]), float(spectrum.intensity[best])
