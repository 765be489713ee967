from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtGui import QColor

from napari_ims_tumor.widgets.color_scale import ColorScale, Scale

BLACK_TO_WHITE = [QColor("#000000"), QColor("#808080"), QColor("#ffffff")]


def drawn(qtbot: QtBot, scale: Scale, width: int) -> list[int]:
    """Of each column, how far its pixels lie from the gradient at the most."""
    widget = ColorScale()
    qtbot.addWidget(widget)
    widget.resize(width, 20)
    widget.show_scale(scale)
    image = widget.grab().toImage()
    rows = range(3, image.height() - 3)
    expected = [round(255 * (x + 0.5) / image.width()) for x in range(image.width())]
    return [
        max(abs(image.pixelColor(x, y).lightness() - expected[x]) for y in rows)
        for x in range(image.width())
    ]


@pytest.mark.parametrize("width", [200, 420])
def test_words_stand_at_the_ends_and_the_limit_is_marked(qtbot: QtBot, width: int) -> None:
    off = drawn(qtbot, Scale(BLACK_TO_WHITE, "low", "1", "high", marked=True), width)
    written = [x for x, much in enumerate(off) if much > 60]
    assert min(written) < 10
    assert max(written) > width - 10
    assert off[width // 2] > 60, "no line at the limit"
    assert not [x for x in written if 0.2 * width < x < 0.45 * width]


def test_the_words_are_readable_without_eyes(qtbot: QtBot) -> None:
    widget = ColorScale()
    qtbot.addWidget(widget)
    widget.show_scale(Scale(BLACK_TO_WHITE, "sure", "", "no idea"))
    assert widget.accessibleDescription() == widget.text() == "sure  no idea"
