"""Names on pictures: any slide's, as it is; a name is no formula, and may be in any script."""

from __future__ import annotations

from typing import Final

_FONT: Final = "DejaVu Sans"
_OTHER_SCRIPTS: Final = (
    "Noto Sans CJK JP", "Noto Sans CJK SC", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic",
    "PingFang HK", "Hiragino Sans", "Arial Unicode MS",
)  # fmt: skip
"""Fonts that systems have for what matplotlib's own lacks."""
_UNKNOWN: Final = "\u25a1"


def fonts() -> list[str]:
    """List the fonts to draw with, matplotlib's own first."""
    from matplotlib.font_manager import get_font_names

    known = set(get_font_names())
    return [_FONT, *(name for name in _OTHER_SCRIPTS if name in known)]


def drawable(text: str, most: int) -> str:
    """Make a text fit one line of a picture.

    Parameters
    ----------
    text
        Letters that no font has become boxes: matplotlib would warn of each.
    most
        Letters to show; of a longer text the middle is left out, as names differ at their ends.
    """
    from matplotlib.font_manager import findfont, get_font

    faces = [get_font(findfont(name)) for name in fonts()]
    line = " ".join(text.split())
    if len(line) > most:
        line = f"{line[: most // 2]}…{line[-(most - most // 2 - 1) :]}"
    return "".join(
        letter if any(face.get_char_index(ord(letter)) for face in faces) else _UNKNOWN
        for letter in line
    )
