"""The peak table as Qt shows it: sorted by any column, narrowed to an m/z."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt

from napari_ims_tumor.msi.arrays import Float64Array, IntArray
from napari_ims_tumor.msi.mass_axis import MassWindow
from napari_ims_tumor.msi.peak_table import NO_PEAKS, PeakTable

COLUMNS: Final = ("m/z", "mean", "max", "S/N", "±")
ABOUT: Final = (
    "Top of the peak",
    "Intensity in the mean spectrum: the highest of a profile, the sum of centroids",
    "Highest intensity in any pixel: high beside a low mean is rare, or a hot spot",
    "Height above the floor over the noise of the spectrum that peaks are picked from; – where no "
    "noise can be told",
    "Half the width of the m/z window of its ion image, in Da",
)
_NOTHING: Final = QModelIndex()


class PeakModel(QAbstractTableModel):
    """Rows of a :class:`PeakTable`: those that are wanted, in the order that is wanted."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._peaks = NO_PEAKS
        self._wanted: IntArray | None = None
        self._rows = np.zeros(0, np.int64)
        self._column, self._falling = 0, False

    # ---- what is shown ----------------------------------------------------------------------

    def show(self, peaks: PeakTable, wanted: IntArray | None = None) -> None:
        """Show peaks; ``wanted`` narrows them to some rows of the table."""
        self.beginResetModel()
        self._peaks, self._wanted = peaks, wanted
        self._arrange()
        self.endResetModel()

    def window(self, row: int) -> MassWindow:
        """M/z window of a shown row."""
        return self._peaks.window(int(self._rows[row]))

    def row_at(self, mz: float) -> int | None:
        """Find the shown row whose peak an m/z belongs to; ``None`` where it is not listed."""
        peaks = self._peaks
        if not len(peaks):
            return None
        place = int(np.abs(peaks.mz - mz).argmin())
        if abs(float(peaks.mz[place]) - mz) > float(peaks.half[place]):
            return None
        found = np.flatnonzero(self._rows == place)
        return int(found[0]) if found.size else None

    def _arrange(self) -> None:
        rows = np.arange(len(self._peaks)) if self._wanted is None else self._wanted
        values = self._values(self._column)[rows]
        # What cannot be told goes last, in either direction.
        key = np.where(np.isnan(values), np.inf, -values if self._falling else values)
        self._rows = rows[np.argsort(key, kind="stable")]

    def _values(self, column: int) -> Float64Array:
        peaks = self._peaks
        return (peaks.mz, peaks.mean, peaks.max, peaks.signal_to_noise, peaks.half)[column]

    # ---- what Qt asks -----------------------------------------------------------------------

    def rowCount(self, parent: QModelIndex = _NOTHING) -> int:
        """Count the shown rows."""
        return 0 if parent.isValid() else int(self._rows.size)

    def columnCount(self, parent: QModelIndex = _NOTHING) -> int:
        """Count the columns."""
        return 0 if parent.isValid() else len(COLUMNS)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a cell's text, and that numbers stand to the right."""
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role != Qt.ItemDataRole.DisplayRole or not index.isValid():
            return None
        column = index.column()
        return FORMATS[column](float(self._values(column)[self._rows[index.row()]]))

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Name the columns and explain them."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.ToolTipRole:
            return ABOUT[section]
        return COLUMNS[section] if role == Qt.ItemDataRole.DisplayRole else None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column."""
        self._column, self._falling = column, order == Qt.SortOrder.DescendingOrder
        self.layoutAboutToBeChanged.emit()
        self._arrange()
        self.layoutChanged.emit()


def short(value: float) -> str:
    """Write an intensity in few letters: ``"12.3"``, ``"1,234"``, ``"107k"``, ``"1.2M"``."""
    if math.isnan(value):
        return "–"
    if abs(value) >= 1e9 or 0 < abs(value) < 1e-3:
        return f"{value:.1e}"
    for unit, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= 9.9995 * unit:
            return f"{value / unit:.3g}{letter}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def ratio(value: float) -> str:
    """Write a signal-to-noise ratio; beyond ten thousand it says no more than that."""
    return "> 10k" if value >= 1e4 else short(value)


FORMATS: Final[tuple[Callable[[float], str], ...]] = (
    "{:.4f}".format, short, short, ratio, "{:.2g}".format,
)  # fmt: skip
