"""The spectrum dock: the picked pixel over the slide's mean, others, and the way to ion images."""

from __future__ import annotations

import math

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import (
    QDockWidget,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_ims_tumor.errors import QueryError
from napari_ims_tumor.msi.arrays import FloatArray
from napari_ims_tumor.msi.mass_axis import MassWindow
from napari_ims_tumor.session.averages import REGION, AveragedSpectrum
from napari_ims_tumor.session.slide_state import IonImage, PickedSpectrum, SlideState
from napari_ims_tumor.session.why import Explained
from napari_ims_tumor.widgets.ion_form import IonForm
from napari_ims_tumor.widgets.relevance_strip import AXIS_WIDTH, RelevanceStrip
from napari_ims_tumor.widgets.relevance_view import RelevanceView
from napari_ims_tumor.widgets.section import ElidedLabel
from napari_ims_tumor.widgets.sparing import Sparing
from napari_ims_tumor.widgets.spectrum_legend import CLASSES, MAX, SpectrumLegend
from napari_ims_tumor.widgets.spectrum_plot import SpectrumPlot
from napari_ims_tumor.widgets.theme import Palette
from napari_ims_tumor.widgets.wiring import Wiring

LOWEST_PLOT = 60
"""A window made smaller must not squeeze the plot until nothing can be read."""
MARK_MS = 30
"""The mark in the plot follows the slider so much later: the image is drawn first."""
EMPTY = "Open a slide, then click a pixel (in pan/zoom mode) to see its spectrum."
MEAN_ONLY = "Click a pixel (in pan/zoom mode) to see its spectrum here."
NO_REGION = (
    "There is no region yet: draw a rectangle, ellipse or polygon in a shapes layer, or select a "
    "label; its pixels are averaged as long as its layer is selected."
)
HELP = (
    "Click a peak for its ion image, Shift+drag for a range of your own. "
    "Wheel: zoom in m/z, drag: pan, double click: whole range."
)


class SpectrumPanel(QWidget):
    """Shows spectra and asks the session for ion images.

    Signals
    -------
    seen
        Whether the panel can be seen now.
    """

    seen = Signal(bool)

    def __init__(self, wiring: Wiring, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = wiring.session
        self._binding = wiring.binding
        self._slide: SlideState | None = None
        self._colors: Palette | None = None
        self._pixel = ""
        self._build(wiring)
        self._connect(wiring)
        self._activated(self._session.active)

    def _build(self, wiring: Wiring) -> None:
        self.setObjectName("spectrum_panel")
        self.plot = SpectrumPlot(self)
        self.plot.setToolTip(HELP)
        self.plot.setMinimumHeight(LOWEST_PLOT)
        self.form = IonForm(self)
        self.title = ElidedLabel(EMPTY)
        self.title.setObjectName("spectrum_title")
        self.legend = SpectrumLegend(self)
        self.readout = QLabel()
        self.readout.setObjectName("spectrum_readout")
        self.readout.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.whole = QPushButton("Whole range")
        self.whole.setObjectName("spectrum_whole")
        self.whole.setToolTip("Show the whole m/z range again (double click in the plot)")
        self._build_why(wiring)
        self._lay_out()

    def _build_why(self, wiring: Wiring) -> None:
        self.why = QPushButton("Why?")
        self.why.setObjectName("spectrum_why")
        self.why.setCheckable(True)
        self.why.setToolTip("Show which m/z moved the model's answer at the clicked pixel")
        self.strip = RelevanceStrip(self.plot)
        self.relevance = RelevanceView(wiring)
        self.plot.getAxis("left").setWidth(AXIS_WIDTH)
        for part in (self.strip, self.relevance):
            part.hide()

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.form, 0)
        top.addStretch(1)
        top.addWidget(self.why, 0)
        top.addWidget(self.whole, 0)
        below = QHBoxLayout()
        below.setSpacing(12)
        below.addWidget(self.legend, 0)
        below.addWidget(self.title, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 4, 6, 4)
        column.setSpacing(4)
        column.addLayout(top)
        column.addLayout(below)
        over = QGridLayout()
        over.addWidget(self.plot, 0, 0)
        place = Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignRight
        # The mouse must reach the plot under the numbers.
        self.readout.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        over.addWidget(self.readout, 0, 0, place)
        over.addWidget(self.strip, 1, 0)
        over.addWidget(self.relevance, 0, 1, 2, 1)
        over.setSpacing(4)
        column.addLayout(over, 1)

    def _connect(self, wiring: Wiring) -> None:
        session = wiring.session
        wiring.on(session.active_changed, self._activated)
        wiring.on(session.slide_surveyed, self._surveyed)
        wiring.on(session.spectrum_picked, self.show_picked)
        wiring.on(session.nothing_picked, self._show_nothing)
        wiring.on(session.ion_shown, self._ion_shown)
        wiring.on(session.spectrum_averaged, self._averaged)
        wiring.on(session.explained, self._explained)
        wiring.on(session.not_explained, self._not_explained)
        wiring.on(session.annotation_changed, self._annotation_changed)
        self.legend.toggled.connect(self._curve_toggled)
        self.plot.mz_clicked.connect(self._peak_chosen)
        self.plot.window_dragged.connect(session.show_ion)
        self.plot.mz_hovered.connect(self._hovered)
        self.plot.mouse_left.connect(self.readout.clear)
        self.form.window_requested.connect(session.show_ion)
        self.whole.clicked.connect(self.plot.show_all)
        self.why.toggled.connect(self._ask_why)
        if wiring.binding is not None:
            self.form.peak_requested.connect(wiring.binding.ions.step_peak)
            self.form.pin_requested.connect(wiring.binding.ions.pin_seen)
            marking = Sparing(self._slider_moved, MARK_MS, parent=self)
            wiring.on(wiring.binding.viewer.dims.events.current_step, marking.ask)

    def plotted_spectrum(self) -> tuple[FloatArray, FloatArray]:
        """Read (m/z, intensity) of the picked spectrum back out of the plot."""
        return self.plot.plotted_spectrum()

    def paint_with(self, colors: Palette) -> None:
        """Take the theme's colors."""
        self._colors = colors
        self.plot.paint_with(colors)
        self.strip.paint_with(colors)
        self.legend.paint_with(colors)
        self.readout.setStyleSheet(f"color: {colors.text}; background: transparent; padding: 4px;")
        self.form.message.setStyleSheet(f"color: {colors.warning};")
        self._say(self._pixel or (EMPTY if self._slide is None else MEAN_ONLY))

    def showEvent(self, event: QShowEvent) -> None:
        """Say that the panel is seen."""
        super().showEvent(event)
        self.seen.emit(True)

    def hideEvent(self, event: QHideEvent) -> None:
        """Say that the panel is gone."""
        super().hideEvent(event)
        self.seen.emit(False)

    # ---- what the session says --------------------------------------------------------------

    def _activated(self, slide: SlideState | None) -> None:
        changed = slide is None or self._slide is None or slide.key != self._slide.key
        self._slide = slide
        if changed:
            self._pixel = ""
            self.plot.show_picked(None)
            self.plot.mark_window(None)
            self._forget_averages()
            self._say(EMPTY if slide is None else MEAN_ONLY)
        self.form.mass_range = slide.dataset.mass_range if slide else None
        self.form.setEnabled(slide is not None)
        self.legend.setEnabled(slide is not None)
        self.whole.setEnabled(slide is not None)
        self.why.setEnabled(slide is not None)
        self._show_overview(slide)
        if changed:
            self._show_seen()

    def _show_seen(self) -> None:
        """Fill the fields with the ion image that is seen of this slide, not of another."""
        seen = self._binding.ions.seen() if self._binding is not None else None
        if seen is None:
            self.form.mz.clear()
            return
        self.form.show_window(seen.window)
        self.plot.mark_window(seen.window)

    def _surveyed(self, slide: SlideState) -> None:
        if self._slide is not None and slide.key == self._slide.key:
            self._show_overview(slide)

    def _show_overview(self, slide: SlideState | None) -> None:
        overview = slide.overview if slide else None
        self.plot.show_mean(overview.mean if overview else None)
        self.plot.show_curve(MAX, overview.max if overview else None)
        self.plot.set_shown(MAX, self.legend.is_shown(MAX))
        if overview and overview.strongest:
            self.form.show_tolerance(overview.strongest[0].window.tolerance)

    def show_picked(self, picked: PickedSpectrum) -> None:
        """Draw a picked pixel's spectrum."""
        self.plot.show_picked(picked.spectrum)
        plane = f", plane {picked.plane}" if picked.slide.dataset.pixels.n_planes > 1 else ""
        self._pixel = f"Row {picked.row}, column {picked.column}{plane}"
        self._say(self._pixel)

    def _show_nothing(self, why: str) -> None:
        # The curve of another pixel under this message would be taken for this one's.
        self._pixel = ""
        self.plot.show_picked(None)
        self._say(why)

    def _ion_shown(self, shown: IonImage) -> None:
        if self._slide is not None and shown.slide.key == self._slide.key:
            self.plot.mark_window(shown.window)
            self.form.show_window(shown.window)
            self.form.say(_why_empty(shown))

    def _explained(self, explained: Explained) -> None:
        if self._slide is not None and explained.slide.key == self._slide.key:
            self.strip.show_explained(explained)

    def _not_explained(self, _: str) -> None:
        self.strip.show_explained(None)

    def _averaged(self, made: AveragedSpectrum) -> None:
        self.legend.count(made.name, made.count)
        self.plot.show_curve(made.name, made.spectrum)

    def _annotation_changed(self, slide: SlideState) -> None:
        if self._slide is not None and slide.key == self._slide.key:
            self._session.averages.renew()

    def _forget_averages(self) -> None:
        """Take the curves of another slide away, and ask for this one's."""
        for name in (*CLASSES, REGION):
            self.legend.count(name, None)
            self.plot.show_curve(name, None)
        self._session.averages.renew()

    def _slider_moved(self) -> None:
        """Mark where the slider of ion images stands, while it is what is seen."""
        seen = self._binding.ions.slider_window() if self._binding is not None else None
        if seen is not None:
            self.plot.mark_window(seen)
            self.form.show_mz(seen.center)

    # ---- what the user does -----------------------------------------------------------------

    def _curve_toggled(self, name: str, shown: bool) -> None:
        if name in (*CLASSES, REGION):
            if name == REGION and shown:
                self._look_for_region()
            self._session.averages.want(name, shown)
            if not shown:
                self.legend.count(name, None)
        self.plot.set_shown(name, shown)

    def _ask_why(self, asked: bool) -> None:
        for part in (self.strip, self.relevance):
            part.setVisible(asked)
        # One axis of m/z for both, below the strip: the plot needs the room.
        self.plot.getPlotItem().showAxis("bottom", not asked)
        dock = self.parentWidget()
        if not asked and isinstance(dock, QDockWidget):
            # A dock never becomes lower by itself again, and so the window on a low screen.
            dock.setMinimumHeight(0)
        self._session.why.want(asked)

    def _look_for_region(self) -> None:
        if self._binding is not None:
            self._binding.regions.renew()
        if self._session.averages.region is None:
            self._session.noticed.emit(NO_REGION)

    def _peak_chosen(self, mz: float) -> None:
        if self._slide is None:
            return
        try:
            tolerance = self.form.current_tolerance()
        except QueryError as error:
            self.form.say(str(error))
            return
        self._session.show_ion(MassWindow(mz, tolerance))

    def _hovered(self, mz: float, intensity: float) -> None:
        peak = "" if math.isnan(intensity) else f"   intensity {intensity:.4g}"
        self.readout.setText(f"m/z {mz:.4f}{peak}")

    def _say(self, text: str) -> None:
        self.title.setText(text)
        self.title.setToolTip(text)


def _why_empty(shown: IonImage) -> str:
    """Say why an ion image is dark all over; empty where it is not."""
    if (shown.image > 0).any():
        return ""
    axis, window = shown.slide.dataset.mass_axis, shown.window
    if axis is None:
        return f"Nothing was measured in {window} on this slide."
    nearest = float(axis.mz[np.abs(axis.mz - window.center).argmin()])
    if window.low <= nearest <= window.high:
        return f"Nothing was measured in {window} on this slide."
    return f"This slide has no channel in {window}: the nearest is m/z {nearest:.4f}."
