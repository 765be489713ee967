"""The list of picked peaks: a click shows an ion image, three marked rows make a colored one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from qtpy.QtCore import QItemSelectionModel, QModelIndex, Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from napari_ims_tumor.msi.arrays import IntArray
from napari_ims_tumor.msi.ion_measure import IonQuery
from napari_ims_tumor.msi.mass_axis import MassWindow
from napari_ims_tumor.msi.peak_table import NO_PEAKS, PeakTable
from napari_ims_tumor.session.exports import View
from napari_ims_tumor.session.ions import CHANNELS, WHY_NOT_RGB
from napari_ims_tumor.session.slide_state import IonImage, SlideState
from napari_ims_tumor.widgets import file_dialogs
from napari_ims_tumor.widgets.compact_table import compact_table
from napari_ims_tumor.widgets.peak_model import PeakModel
from napari_ims_tumor.widgets.section import show_text, text_line
from napari_ims_tumor.widgets.wiring import Wiring

TABLE_HEIGHT = 190
KINDS = "Table (*.csv)"
FOUND = "Click a row for its ion image; Ctrl+click marks several."
SELECT = QItemSelectionModel.SelectionFlag


class PeakList(QWidget):
    """Lists the picked peaks of the active slide and asks the session for their images."""

    def __init__(self, wiring: Wiring, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._binding = wiring.session, wiring.binding
        self._quiet = False
        self._make()
        self._lay_out()
        self._connect(wiring)
        self.refresh()

    def _make(self) -> None:
        self.setObjectName("peak_list")
        self.source = QComboBox()
        self.source.setObjectName("peaks_of")
        self.source.setAccessibleName("Spectrum whose peaks are listed")
        self.source.setToolTip(
            "The mean shows what is common; the maximum also what is bright in a few pixels only"
        )
        self.source.addItem("peaks of the mean", "mean")
        self.source.addItem("peaks of the maximum", "max")
        self.filter = QLineEdit()
        self.filter.setObjectName("peaks_filter")
        self.filter.setAccessibleName("m/z to look for")
        self.filter.setPlaceholderText("m/z…")
        self.filter.setToolTip("List only the peaks near this m/z")
        self.filter.setClearButtonEnabled(True)
        self.model = PeakModel(self)
        self.table = _table(self.model)
        self.count = text_line("peaks_count")
        self.rgb = QPushButton("Red · green · blue")
        self.rgb.setObjectName("peaks_rgb")
        self.rgb.setAccessibleName("Show three ion images as red, green and blue")
        self.export = QPushButton("Export peaks…")
        self.export.setObjectName("peaks_export")
        self.export.setAccessibleName("Export peaks")
        self.export.setToolTip("Write all peaks of the list as a table, .csv")

    def _lay_out(self) -> None:
        above = QHBoxLayout()
        above.addWidget(self.source, 1)
        above.addWidget(self.filter, 1)
        below = QHBoxLayout()
        below.addWidget(self.rgb)
        below.addWidget(self.export)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addLayout(above)
        column.addWidget(self.table)
        column.addWidget(self.count)
        column.addLayout(below)

    def _connect(self, wiring: Wiring) -> None:
        session = wiring.session
        for signal in (session.active_changed, session.slide_surveyed):
            wiring.on(signal, self._slide_changed)
        wiring.on(session.peaks_found, self.refresh)
        wiring.on(session.ion_shown, self._ion_shown)
        for signal in (session.ion_pinned, session.ion_unpinned):
            wiring.on(signal, self._pins_changed)
        if wiring.binding is not None:
            wiring.on(wiring.binding.viewer.dims.events.current_step, self._slider_moved)
        self.source.activated.connect(self._choose_source)
        self.filter.textChanged.connect(self.refresh)
        self.table.selectionModel().selectionChanged.connect(self._selected)
        self.rgb.clicked.connect(self._combine)
        self.export.clicked.connect(self._export)

    # ---- what is shown ----------------------------------------------------------------------

    def refresh(self, _: object = None) -> None:
        """List the peaks that are known of the active slide and asked for."""
        slide, ions = self._session.active, self._session.ions
        peaks = NO_PEAKS if slide is None else ions.peaks(slide)
        self.source.setCurrentIndex(self.source.findData(ions.picked_from))
        shown = None if slide is None else ions.shown(slide)
        text = self.filter.text().strip().replace(",", ".")
        with self._quietly():
            self.model.show(peaks, _rows_near(peaks, text) if text else None)
        show_text(self.count, self._count_words(peaks, text))
        self._mark(shown)
        self._refresh_buttons()

    def _count_words(self, peaks: PeakTable, text: str) -> str:
        if not len(peaks):
            return "" if self._session.active is None else "No peak was picked yet."
        listed = self.model.rowCount()
        if not text:
            return f"{listed:,} peaks. {FOUND}"
        return f"{listed:,} of {len(peaks):,} peaks lie near {text}."

    def _refresh_buttons(self) -> None:
        chosen = self._three()
        self.rgb.setEnabled(chosen is not None)
        marked = len(self._marked()) == len(CHANNELS)
        which = "the three marked peaks" if marked else "the last three pinned ions"
        self.rgb.setToolTip(
            WHY_NOT_RGB if chosen is None else f"Show {which} as red, green and blue in one image"
        )
        self.export.setEnabled(self.model.rowCount() > 0)

    def _mark(self, window: MassWindow | None) -> None:
        """Mark the peak whose ion image is shown; nobody is asked for it again."""
        row = None if window is None else self.model.row_at(window.center)
        if row is None or len(self._marked()) > 1:
            return
        with self._quietly():
            index = self.model.index(row, 0)
            flags = SELECT.ClearAndSelect | SELECT.Rows
            self.table.selectionModel().setCurrentIndex(index, flags)
            self.table.scrollTo(index)

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        """Change what is listed and marked without asking for an ion image."""
        was, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = was

    # ---- what the user does -----------------------------------------------------------------

    def _choose_source(self, index: int) -> None:
        self._session.ions.pick_from(self.source.itemData(index))

    def _selected(self, *_: object) -> None:
        marked = self._marked()
        if len(marked) == 1 and not self._quiet:
            self._session.show_ion(marked[0])
        self._refresh_buttons()

    def _marked(self) -> list[MassWindow]:
        rows: list[QModelIndex] = self.table.selectionModel().selectedRows()
        return [self.model.window(index.row()) for index in rows]

    def _three(self) -> list[IonQuery] | None:
        """Which three ions would be red, green and blue: marked rows, else the last three pins."""
        slide, measure = self._session.active, self._session.ions.measure
        marked = self._marked()
        if slide is None:
            return None
        if len(marked) == len(CHANNELS):
            return [IonQuery(window, measure) for window in marked]
        pins = self._session.ions.pins(slide)[-len(CHANNELS) :]
        return list(pins) if len(pins) == len(CHANNELS) else None

    def _combine(self) -> None:
        self._session.ions.combine(self._three() or ())

    def _export(self) -> None:
        slide = self._session.active
        name = f"{slide.name if slide else 'ims-tumor'}_peaks.csv"
        path = file_dialogs.ask_save(self, "Export peaks", file_dialogs.beside(slide, name), KINDS)
        if path is not None:
            self._session.exports.write("peaks", path, View())

    # ---- what the session says --------------------------------------------------------------

    def _slide_changed(self, _: SlideState | None) -> None:
        self._session.ions.look_for_peaks()

    def _ion_shown(self, shown: IonImage) -> None:
        active = self._session.active
        if active is not None and shown.slide.key == active.key:
            self._mark(shown.window)

    def _slider_moved(self, _: object = None) -> None:
        if self._binding is not None and self.isVisible():
            self._mark(self._binding.ions.slider_window())

    def _pins_changed(self, _: object) -> None:
        self._refresh_buttons()


def _rows_near(peaks: PeakTable, text: str) -> IntArray:
    """Rows near a typed m/z: within 1 Da of a whole number, closer the more digits it has."""
    try:
        mz = float(text)
    except ValueError:
        return np.zeros(0, np.int64)
    digits = len(text.partition(".")[2])
    return peaks.near(mz, 10.0**-digits)


def _table(model: PeakModel) -> QTableView:
    table = compact_table(model, "Picked peaks", narrow=(0, 4))
    table.setObjectName("peaks_table")
    table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
    table.setSortingEnabled(True)
    table.sortByColumn(0, Qt.SortOrder.AscendingOrder)
    table.setFixedHeight(TABLE_HEIGHT)
    return table
