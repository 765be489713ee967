"""*Why?*: the table of the peaks that moved the answer, beside the spectrum."""

from __future__ import annotations

from typing import Final

from qtpy.QtCore import QSize
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from napari_ims_tumor.annotation.label_classes import TUMOR_SCHEME
from napari_ims_tumor.session.slide_state import PickedSpectrum
from napari_ims_tumor.session.why import Explained
from napari_ims_tumor.widgets import file_dialogs
from napari_ims_tumor.widgets.compact_table import compact_table
from napari_ims_tumor.widgets.relevance_model import RelevanceModel
from napari_ims_tumor.widgets.section import ElidedLabel
from napari_ims_tumor.widgets.wiring import Wiring

WIDTH: Final = 350
KINDS: Final = "Table (*.csv)"
TARGET: Final = TUMOR_SCHEME.names[-1]
"""The class that relevance points to."""
LOWEST_TABLE: Final = 48


class RelevanceView(QWidget):
    """Shows what the session explains, and asks it for all pixels and for ion images."""

    def __init__(self, wiring: Wiring, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = wiring.session
        self._make()
        self._lay_out()
        self._connect(wiring)
        self.show_explained(None)

    def _make(self) -> None:
        self.setObjectName("relevance_view")
        self.setFixedWidth(WIDTH)
        self.title = ElidedLabel()
        self.title.setObjectName("relevance_title")
        self.model = RelevanceModel(self)
        self.table = _table(self.model)
        others = " and ".join(TUMOR_SCHEME.names[:-1])
        self.all_pixels = self._button(f"All {TARGET} against {others}", f"relevance_{TARGET}")
        self.all_pixels.setToolTip(
            f"What tells the pixels painted {TARGET} from those painted {others}, on average; "
            "where none is painted, those predicted"
        )
        self.export = self._button("Export…", "relevance_export")
        self.export.setToolTip("Write all peaks, with what has to be said beside them, as .csv")

    def _button(self, text: str, name: str) -> QPushButton:
        button = QPushButton(text)
        button.setObjectName(name)
        button.setAccessibleName(f"Relevance: {text}")
        return button

    def _lay_out(self) -> None:
        below = QHBoxLayout()
        below.setSpacing(4)
        for button in (self.all_pixels, self.export):
            below.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.title)
        column.addWidget(self.table, 1)
        column.addLayout(below)

    def _connect(self, wiring: Wiring) -> None:
        session, why = wiring.session, wiring.session.why
        wiring.on(session.explained, self.show_explained)
        wiring.on(session.not_explained, self._show_nothing)
        wiring.on(session.spectrum_picked, self._picked)
        wiring.on(session.nothing_picked, self._changed)
        for signal in (session.active_changed, session.fitted):
            wiring.on(signal, self._changed)
        self.table.selectionModel().selectionChanged.connect(self._selected)
        self.all_pixels.clicked.connect(lambda: why.explain_class(TARGET))
        self.export.clicked.connect(self._export)

    # ---- what is shown ----------------------------------------------------------------------

    def show_explained(self, explained: Explained | None) -> None:
        """Show the table of an explanation, or nothing."""
        found = None if explained is None else explained.explanation
        self.model.show(found)
        self.export.setEnabled(found is not None)
        self.title.setText("" if explained is None else self._words(explained))
        self.title.setToolTip("" if found is None else "\n".join(found.notes()))
        self.table.setToolTip(self.title.toolTip())

    def _words(self, explained: Explained) -> str:
        """Say what is explained, and what the answer was: mostly it is the other class."""
        found = explained.explanation
        if not explained.title.startswith("row "):
            return f"What tells {found.target} from {found.others} pixels"
        return self._answer(explained) or f"What decided at {explained.title}"

    def _answer(self, explained: Explained) -> str:
        """Of which class a pixel is by its own spectrum, how surely; empty where that is unknown.

        What its neighbors add to the answer is not explained here.
        """
        picked, slide = self._session.picked, self._session.current(explained.slide)
        model, made = self._session.classifier.model, slide.prediction if slide else None
        if picked is None or made is None or model is None or made.model_id != model.model_id:
            return ""
        row, column, plane = picked
        if explained.title != f"row {row}, column {column}":
            return ""
        answers = made.probabilities if made.alone is None else made.alone
        of_plane = answers if answers.ndim == 3 else answers[:, plane]
        shares = of_plane[:, row, column]
        most = int(shares.argmax())
        alone = "" if made.alone is None else " alone"
        if not shares[most] > 0:
            return ""
        return f"Why {made.class_names[most]} at {explained.title} ({shares[most]:.0%}{alone})"

    def _show_nothing(self, why: str) -> None:
        self.show_explained(None)
        self.title.setText(why)
        self.title.setToolTip(why)

    # ---- what the user does -----------------------------------------------------------------

    def _picked(self, _: PickedSpectrum) -> None:
        self._changed()

    def _changed(self, _: object = None) -> None:
        if self._session.why.wanted:
            self._session.why.explain_pixel()

    def _selected(self, *_: object) -> None:
        rows = self.table.selectionModel().selectedRows()
        if len(rows) == 1:
            self._session.show_ion(self.model.window(rows[0].row()))

    def _export(self) -> None:
        slide = self._session.active
        name = f"{slide.name if slide else 'ims-tumor'}_relevance.csv"
        place = file_dialogs.beside(slide, name)
        path = file_dialogs.ask_save(self, "Export relevance", place, KINDS)
        if path is not None:
            self._session.why.write(path)


def _table(model: RelevanceModel) -> QTableView:
    table = compact_table(model, "Most relevant peaks", narrow=(0, 2))
    table.setObjectName("relevance_table")
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setIconSize(QSize(9, 9))
    # In a low window the plot beside it needs the room: two rows are seen, the others scrolled to.
    table.setMinimumHeight(LOWEST_TABLE)
    return table
