"""Something asked for often, done now and then."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QApplication

from napari_ims_tumor.demo.hands import settle
from napari_ims_tumor.widgets.sparing import Sparing


def test_it_is_done_once_for_all_that_was_asked_for_meanwhile(qapp: QApplication) -> None:
    parent, asked, done = QObject(), [], []
    sparing = Sparing(lambda: done.append(asked[-1]), 20, parent)
    for number in range(5):
        asked.append(number)
        sparing.ask()
    assert done == []
    settle(0.1)
    assert done == [4], "what is asked for last is not forgotten"
    settle(0.1)
    assert done == [4]


def test_asking_again_and_again_does_not_put_it_off(qapp: QApplication) -> None:
    parent, done = QObject(), []
    sparing = Sparing(lambda: done.append(1), 20, parent)
    for _ in range(20):
        sparing.ask()
        settle(0.01)
    assert len(done) >= 3


def test_nothing_is_done_after_the_end(qapp: QApplication) -> None:
    parent, done = QObject(), []
    sparing = Sparing(lambda: done.append(1), 20, parent)
    sparing.ask()
    parent.deleteLater()
    qapp.sendPostedEvents(parent, QEvent.Type.DeferredDelete)
    settle(0.1)
    assert done == []
