"""The canvas letters: drawn in one order, and the same in every window."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from napari._vispy.utils.qt_font import FontInfo
from qtpy.QtCore import QObject
from qtpy.QtGui import QFont, QImage, QPainter
from qtpy.QtWidgets import QApplication

from napari_ims_tumor.widgets import canvas_letters
from napari_ims_tumor.widgets.canvas_letters import LETTERS, TALLEST, CanvasLetters


@pytest.fixture
def parent(qapp: QApplication) -> QObject:
    return QObject()


@pytest.fixture
def font_info(qapp: QApplication) -> FontInfo:
    return FontInfo(face=qapp.font().family())


def viewer_with(info: FontInfo) -> Any:
    """The part of a viewer that letters are drawn for: no window is needed to draw them."""
    canvas = SimpleNamespace(font_info=lambda: info)
    return SimpleNamespace(window=SimpleNamespace(_qt_viewer=SimpleNamespace(canvas=canvas)))


def write_small(text: str, points: int) -> None:
    """Have Qt draw words of the window's size, most letters at a fraction of a pixel."""
    image = QImage(400, 60, QImage.Format.Format_ARGB32)
    image.fill(0)
    painter = QPainter(image)
    painter.setFont(QFont(QApplication.font().family(), points))
    painter.drawText(5, 40, text)
    painter.end()


def test_all_letters_are_drawn_at_once_when_words_are_due(
    font_info: FontInfo, parent: QObject
) -> None:
    letters = CanvasLetters(viewer_with(font_info), parent)
    letters.finish()
    font = font_info.font_manager.get_font(font_info.face)
    assert "".join(font._glyphs) == TALLEST + LETTERS


def test_a_letter_is_the_same_whatever_qt_drew_before(
    parent: QObject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canvas_letters, "LETTERS", "1")
    drawn = []
    for points in range(7, 17):
        info = FontInfo(face=QApplication.font().family())
        letters = CanvasLetters(viewer_with(info), parent)
        write_small("illicit", points)
        letters.finish()
        drawn.append(info.font_manager.get_font(info.face)["1"]["bitmap"])
    assert all(np.array_equal(drawn[0], again) for again in drawn)


def test_a_napari_without_such_letters_is_left_alone(parent: QObject) -> None:
    CanvasLetters(SimpleNamespace(), parent).finish()  # type: ignore[arg-type]
