"""The spectrum dock: the picked pixel over the slide's mean, and the way to an ion image."""

from __future__ import annotations

import html
import math

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_ims_tumor.errors import QueryError
from napari_ims_tumor.msi.arrays import FloatArray
from napari_ims_tumor.msi.mass_axis import MassWindow
from napari_ims_tumor.session.slide_state import IonImage, PickedSpectrum, SlideState
from napari_ims_tumor.widgets.ion_form import IonForm
from napari_ims_tumor.widgets.spectrum_plot import SpectrumPlot
from napari_ims_tumor.widgets.theme import Palette
from napari_ims_tumor.widgets.wiring import Wiring

LOWEST_PLOT = 60
"""A window made smaller must not squeeze the plot until nothing can be read."""
EMPTY = "Open a slide, then click a pixel (in pan/zoom mode) to see its spectrum."
MEAN_ONLY = "Click a pixel (in pan/zoom mode) to see its spectrum here."
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
        self._slide: SlideState | None = None
        self._colors: Palette | None = None
        self._pixel = ""
        self._build()
        self._connect(wiring)
        self._activated(self._session.active)

    def _build(self) -> None:
        self.setObjectName("spectrum_panel")
        self.plot = SpectrumPlot(self)
        self.plot.setToolTip(HELP)
        self.plot.setMinimumHeight(LOWEST_PLOT)
        self.form = IonForm(self)
        self.title = QLabel(EMPTY)
        self.title.setObjectName("spectrum_title")
        self.title.setTextFormat(Qt.TextFormat.RichText)
        self.title.setWordWrap(True)
        self.readout = QLabel()
        self.readout.setObjectName("spectrum_readout")
        self.readout.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.whole = QPushButton("Whole range")
        self.whole.setObjectName("spectrum_whole")
        self.whole.setToolTip("Show the whole m/z range again (double click in the plot)")
        self._lay_out()

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.form, 0)
        top.addWidget(self.title, 1)
        top.addWidget(self.whole, 0)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 4, 6, 4)
        column.setSpacing(4)
        column.addLayout(top)
        over = QGridLayout()
        over.addWidget(self.plot, 0, 0)
        place = Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignRight
        # The mouse must reach the plot under the numbers.
        self.readout.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        over.addWidget(self.readout, 0, 0, place)
        column.addLayout(over, 1)

    def _connect(self, wiring: Wiring) -> None:
        session = wiring.session
        wiring.on(session.active_changed, self._activated)
        wiring.on(session.slide_surveyed, self._surveyed)
        wiring.on(session.spectrum_picked, self.show_picked)
        wiring.on(session.nothing_picked, self._show_nothing)
        wiring.on(session.ion_shown, self._ion_shown)
        self.plot.mz_clicked.connect(self._peak_chosen)
        self.plot.window_dragged.connect(session.show_ion)
        self.plot.mz_hovered.connect(self._hovered)
        self.plot.mouse_left.connect(self.readout.clear)
        self.form.window_requested.connect(session.show_ion)
        self.whole.clicked.connect(self.plot.show_all)

    def plotted_spectrum(self) -> tuple[FloatArray, FloatArray]:
        """Read (m/z, intensity) of the picked spectrum back out of the plot."""
        return self.plot.plotted_spectrum()

    def paint_with(self, colors: Palette) -> None:
        """Take the theme's colors."""
        self._colors = colors
        self.plot.paint_with(colors)
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
            self._say(EMPTY if slide is None else MEAN_ONLY)
        self.form.mass_range = slide.dataset.mass_range if slide else None
        self.form.setEnabled(slide is not None)
        self.whole.setEnabled(slide is not None)
        self._show_overview(slide)

    def _surveyed(self, slide: SlideState) -> None:
        if self._slide is not None and slide.key == self._slide.key:
            self._show_overview(slide)

    def _show_overview(self, slide: SlideState | None) -> None:
        overview = slide.overview if slide else None
        self.plot.show_mean(overview.mean if overview else None)
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

    # ---- what the user does -----------------------------------------------------------------

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
        """Say what is plotted, with the curves' colors where there are curves."""
        if self._colors is None or self._slide is None:
            self.title.setText(text)
            return
        mean = f"<span style='color:{self._colors.mean}'>▬</span> mean of the slide"
        pixel = f"<span style='color:{self._colors.text}'>▬</span> " if self._pixel == text else ""
        self.title.setText(f"{pixel}{html.escape(text)} &nbsp;&nbsp; {mean}")
