"""A table of peaks as narrow and low as a dock: no grid, no row numbers, nothing to edit."""

from __future__ import annotations

from collections.abc import Collection

from qtpy.QtCore import QAbstractTableModel, Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

ROW_HEIGHT = 20
LEAST_WIDTH = 30


def compact_table(model: QAbstractTableModel, name: str, narrow: Collection[int]) -> QTableView:
    """Show a model's rows; whole rows are selected, and columns share the width.

    Parameters
    ----------
    model
        What is shown.
    name
        What a screen reader calls it.
    narrow
        Columns as wide as their content.
    """
    table = QTableView()
    table.setAccessibleName(name)
    table.setModel(model)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    table.setShowGrid(False)
    # Or nobody without a mouse would ever leave a long table; arrows move in it.
    table.setTabKeyNavigation(False)
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
    header = table.horizontalHeader()
    header.setHighlightSections(False)
    header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
    for column in narrow:
        header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
    header.setMinimumSectionSize(LEAST_WIDTH)
    return table
