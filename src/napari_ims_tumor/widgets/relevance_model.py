"""The most relevant peaks as Qt shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt
from qtpy.QtGui import QColor, QPixmap

from napari_ims_tumor.msi.mass_axis import MassWindow
from napari_ims_tumor.widgets.relevance_strip import color_of

if TYPE_CHECKING:
    from napari_ims_tumor.cohort.explanation import Explanation, RelevantPeak

COLUMNS: Final = ("m/z", "share", "toward", "AUC", "adj. p")
ABOUT: Final = (
    "First peak of the isotopes that are folded together",
    "Of what all peaks moved the answer, without regard to direction",
    "The class that this peak, as it is here, speaks for; a missing peak can speak for tumor",
    "The peak alone, over all labelled pixels: 0.5 tells nothing, above: higher in the tumor, "
    "below: lower",
    "Whether groups bear that out, adjusted over all peaks; – where there are too few",
)
_NOTHING: Final = QModelIndex()


class RelevanceModel(QAbstractTableModel):
    """The top of an :class:`Explanation`."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._rows: tuple[RelevantPeak, ...] = ()
        self._toward, self._away = "", ""

    def show(self, found: Explanation | None) -> None:
        """Show the most relevant peaks, or nothing."""
        self.beginResetModel()
        self._rows = () if found is None else found.top()
        if found is not None:
            self._toward, self._away = found.target, found.others
        self.endResetModel()

    def window(self, row: int) -> MassWindow:
        """M/z window of a shown row."""
        return self._rows[row].window

    def rowCount(self, parent: QModelIndex = _NOTHING) -> int:
        """Count the shown rows."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex = _NOTHING) -> int:
        """Count the columns."""
        return 0 if parent.isValid() else len(COLUMNS)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a cell's text, its color, and that numbers stand to the right."""
        if not index.isValid():
            return None
        row, column = self._rows[index.row()], index.column()
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignLeft if column == 2 else Qt.AlignmentFlag.AlignRight
            return side | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.DecorationRole and column == 2:
            return _swatch(color_of(self._side(row)))
        if role == Qt.ItemDataRole.ToolTipRole:
            return _told(row)
        return self._text(row, column) if role == Qt.ItemDataRole.DisplayRole else None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Name the columns and explain them."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.ToolTipRole:
            return ABOUT[section]
        return COLUMNS[section] if role == Qt.ItemDataRole.DisplayRole else None

    def _side(self, row: RelevantPeak) -> str:
        return self._toward if row.relevance >= 0 else self._away

    def _text(self, row: RelevantPeak, column: int) -> str:
        return (
            f"{row.mz:.4f}",
            f"{row.share:.1%}",
            self._side(row),
            "–" if row.auc is None else f"{row.auc:.2f}",
            "–" if row.adjusted is None else f"{row.adjusted:.2g}",
        )[column]


def _swatch(color: str) -> QPixmap:
    found = QPixmap(9, 9)
    found.fill(QColor(color))
    return found


def _told(row: RelevantPeak) -> str:
    charge = f", charge {row.charge}" if row.charge > 1 else ""
    folded = "" if row.isotopes == 1 else f" with {row.isotopes - 1} isotopes above it{charge}"
    return f"m/z {row.mz:.4f}{folded}: {row.relevance:+.3g} in logits. Click for its ion image."
