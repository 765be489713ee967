"""Something asked for often, done now and then."""

from __future__ import annotations

from qtpy.QtCore import QObject
from qtpy.QtWidgets import QApplication

from napari_ims_tumor.demo.hands import settle
from napari_ims_tumor.widgets.sparing import Sparing


def test_it_is_done_at_once_and_then_once_for_all_that_followed(qapp: QApplication) -> None:
    parent, asked, done = QObject(), [], []
    sparing = Sparing(lambda: done.append(asked[-1]), 40, parent)
    for number in range(5):
        asked.append(number)
        sparing.ask()
    assert done == [0]
    settle(0.1)
    assert done == [0, 4], "what is asked for last is not forgotten"
    settle(0.1)
    assert done == [0, 4]
    sparing.ask()
    assert len(done) == 3


def test_nothing_is_done_after_the_end(qapp: QApplication) -> None:
    parent, done = QObject(), []
    sparing = Sparing(lambda: done.append(1), 20, parent)
    sparing.ask()
    sparing.ask()
    parent.deleteLater()
    settle(0.1)
    assert len(done) == 1
