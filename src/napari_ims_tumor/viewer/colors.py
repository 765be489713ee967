"""Colors with a meaning, told apart with every common color blindness."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from napari.utils.colormaps import Colormap, DirectLabelColormap

from napari_ims_tumor.annotation.regions import ROUGHLY
from napari_ims_tumor.annotation.whole_regions import value_colors

if TYPE_CHECKING:
    from napari_ims_tumor.annotation.label_classes import ClassScheme

TIC_COLORMAP: Final = "gray"
ION_COLORMAP: Final = "viridis"
PEAK_COLORS: Final = (
    ("peak orange", (0.85, 0.40, 0.00)),
    ("peak teal", (0.00, 0.50, 0.60)),
    ("peak purple", (0.45, 0.05, 0.60)),
)
"""Red, green and blue that add up to about white: where peaks overlap no detail is lost."""

_FROM_PURPLE: Final = (
    (0.09, 0.04, 0.18, 0.25),
    (0.36, 0.12, 0.42, 0.60),
    (0.67, 0.25, 0.46, 0.80),
    (0.93, 0.56, 0.47, 0.95),
    (1.00, 0.95, 0.70, 1.00),
)
_FROM_GREEN: Final = (
    (0.02, 0.09, 0.08, 0.25),
    (0.02, 0.28, 0.24, 0.60),
    (0.05, 0.50, 0.38, 0.80),
    (0.45, 0.75, 0.47, 0.95),
    (0.93, 1.00, 0.75, 1.00),
)
_FROM_SLATE: Final = (
    (0.05, 0.07, 0.13, 0.10),
    (0.16, 0.24, 0.42, 0.30),
    (0.33, 0.45, 0.66, 0.65),
    (0.68, 0.78, 0.92, 0.95),
    (0.96, 0.98, 1.00, 1.00),
)
_UNSURE: Final = (1.00, 0.93, 0.55, 0.35)
_HEALTHY_ALPHA: Final = 0.45
_ROUGH_ALPHA: Final = 0.55


def peak_colormaps() -> tuple[Colormap, ...]:
    """Colors of the strongest peaks, from black; made to be added up."""
    return tuple(
        Colormap(np.array([[0.0, 0.0, 0.0, 1.0], [*color, 1.0]]), name=name)
        for name, color in PEAK_COLORS
    )


def class_colormap(scheme: ClassScheme) -> DirectLabelColormap:
    """Color label values as their classes; everything else is transparent."""
    colors: dict[int | None, object] = {label.value: label.color for label in scheme.classes}
    for value, color in value_colors(scheme).items():
        if value > ROUGHLY:
            colors[value] = (*(int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)), _ROUGH_ALPHA)
    return DirectLabelColormap(color_dict={None: "transparent", 0: "transparent", **colors})


def tumor_colormap(scheme: ClassScheme) -> Colormap:
    """Color a tumor probability: the healthy color at 0, nearly clear at 0.5, tumor color at 1.

    Sand and not gray in the middle: gray is the tissue where there is no answer at all.
    """
    healthy = next(label for label in scheme.classes if label.role == "healthy")
    tumor = next(label for label in scheme.classes if label.role == "tumor")
    colors = np.array([[*rgb(healthy.color), _HEALTHY_ALPHA], _UNSURE, [*rgb(tumor.color), 1.0]])
    return Colormap(colors, controls=[0.0, 0.5, 1.0], name="tumor probability")


def uncertainty_colormap() -> Colormap:
    """Color an uncertainty: dark and nearly clear where the model is sure, pale where it is not.

    Lightness rises all the way, so it is read by every eye and printed in gray; the hues are those
    of neither class.
    """
    return Colormap(np.array(_FROM_PURPLE), name="uncertainty")


def disagreement_colormap() -> Colormap:
    """Color a disagreement like an uncertainty, in greens: the two are not taken for another."""
    return Colormap(np.array(_FROM_GREEN), name="disagreement")


def unfamiliarity_colormap() -> Colormap:
    """Color an unfamiliarity like an uncertainty, in slate; the limit is in the middle."""
    return Colormap(np.array(_FROM_SLATE), name="unfamiliarity")


def rgb(color: str) -> tuple[float, float, float]:
    """Split ``"#rrggbb"`` into red, green and blue, 0 to 1."""
    red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue
