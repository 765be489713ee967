"""Colors that hold in napari's light and dark themes and for color-blind eyes."""

from __future__ import annotations

from dataclasses import dataclass

from napari.utils.theme import get_theme


@dataclass(frozen=True, slots=True)
class Palette:
    """What plots and messages are drawn with, each ``"#rrggbb"``.

    Blue and vermillion are left to the classes: nothing here may be taken for healthy or tumor.
    """

    background: str
    text: str
    faint: str
    mean: str
    highest: str
    region: str
    window: str
    score: str
    warning: str


def palette(theme: str) -> Palette:
    """Pick the colors for one of napari's themes, by how bright its background is."""
    found = get_theme(theme)
    background, text = _rgb(found.background), _rgb(found.text)
    if sum(background) < 3 * 128:
        return Palette(
            _hex(background), _hex(text), "#8b929c", "#2fb88f", "#cc79a7", "#b6a6ff", "#f0e442",
            "#56b4e9", "#ffb454",
        )  # fmt: skip
    return Palette(
        _hex(background), _hex(text), "#77736f", "#00805c", "#a4487f", "#5b48b8", "#8f7a00",
        "#0b6fa8", "#9a4a00",
    )  # fmt: skip


def _rgb(color: object) -> tuple[int, int, int]:
    red, green, blue = color.as_rgb_tuple()[:3]  # type: ignore[attr-defined]
    return red, green, blue


def _hex(rgb: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)
