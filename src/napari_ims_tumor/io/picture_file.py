"""Pictures for slides of a talk: the image over its tissue, a scale bar, what the colors mean."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_ims_tumor.atomic import atomic_write
from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.msi.arrays import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI: Final = 200
MOST_PANELS: Final = 60
_BAR_SHARE: Final = 0.25
_PANEL_INCHES: Final = 4.2
_TEXT: Final = "#222222"
_TISSUE: Final = 0.5
_LETTERS_PER_INCH: Final = 8


@dataclass(frozen=True, eq=False)
class ColorScale:
    """How values become colors.

    Attributes
    ----------
    colors
        Shape (n, 4): red, green, blue and opacity, 0 to 1, from the lowest to the highest value.
    low, high
        The values with the first and the last color.
    label
        What the values are, and their unit.
    """

    colors: FloatArray
    low: float
    high: float
    label: str

    def paint(self, image: FloatArray) -> FloatArray:
        """Color an image, (rows, columns) → (rows, columns, 4); what is not finite is clear."""
        share = (np.asarray(image, np.float64) - self.low) / max(self.high - self.low, 1e-300)
        finite = np.isfinite(share)
        last = len(self.colors) - 1
        step = np.clip(np.where(finite, share, 0.0), 0.0, 1.0) * last
        painted = np.array(self.colors, np.float64)[np.round(step).astype(np.int64)]
        painted[~finite] = 0.0
        return painted


@dataclass(frozen=True, eq=False)
class Panel:
    """One picture among several.

    Attributes
    ----------
    title
        What is seen.
    layers
        Images (rows, columns, 4) of colors, the lowest first, all of one shape.
    scale
        Drawn as a color bar; ``None`` for none.
    legend
        Name → color of classes.
    note
        A line below, such as what was clipped.
    extends
        Which ends of the color bar are pointed, as values lie beyond: ``"max"``, ``"both"``, …
    """

    title: str
    layers: tuple[FloatArray, ...]
    scale: ColorScale | None = None
    legend: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    extends: str = "neither"


@dataclass(frozen=True, eq=False)
class Picture:
    """Panels of one slide.

    Attributes
    ----------
    pixel_size_um
        (row, column); ``None`` where the slide does not say: the scale bar then counts pixels.
    about
        Facts kept inside the file.
    """

    title: str
    panels: tuple[Panel, ...]
    pixel_size_um: tuple[float, float] | None = None
    about: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Curve:
    """One spectrum of a plot; ``stems`` for centroids."""

    name: str
    mz: FloatArray
    intensity: FloatArray
    color: str
    stems: bool = False


def write_picture(path: str | os.PathLike[str], picture: Picture) -> None:
    """Draw a picture as .png; a crash keeps the old file."""
    from matplotlib.figure import Figure

    if not 0 < len(picture.panels) <= MOST_PANELS:
        raise ImsTumorError(
            f"a picture holds 1 to {MOST_PANELS} images, not {len(picture.panels)}: export them as "
            "OME-TIFF"
        )
    across, down, size = _layout(picture)
    # Compressed: no gaps around pictures that keep their own proportions.
    figure = Figure(figsize=size, layout="compressed", facecolor="white")
    figure.suptitle(fontsize=13, fontweight="bold", **_title(picture.title, size[0]))
    for number, panel in enumerate(picture.panels):
        _draw_panel(figure.add_subplot(down, across, number + 1), panel, picture.pixel_size_um)
    _save(Path(path), figure, picture.title, picture.about, (".png",))


def write_spectra(
    path: str | os.PathLike[str],
    title: str,
    curves: tuple[Curve, ...],
    about: Mapping[str, object],
) -> None:
    """Draw spectra below each other as .png or .svg, on one scale."""
    from matplotlib.figure import Figure

    size = (9.0, 1.6 + 1.9 * len(curves))
    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    figure.suptitle(fontsize=12, fontweight="bold", **_title(title, size[0]))
    # One below the other: drawn over each other, the highest would hide the rest. On one scale.
    panels = figure.subplots(len(curves), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for axes, curve in zip(panels, curves, strict=True):
        _draw_curve(axes, curve)
    panels[-1].set_xlabel("m/z")
    panels[-1].set_ylim(bottom=0)
    figure.supylabel("intensity (units of the file)", fontsize=10)
    _save(Path(path), figure, title, about, (".png", ".svg"))


def bar_length(width: float) -> float:
    """Choose the length of a scale bar: 1, 2 or 5 times a power of ten, a quarter of the width."""
    wanted = width * _BAR_SHARE
    power = 10.0 ** math.floor(math.log10(wanted))
    return max(step * power for step in (1.0, 2.0, 5.0) if step * power <= wanted * (1 + 1e-9))


def length_text(length: float, is_um: bool) -> str:
    """Write a length: ``"500 µm"``, ``"2 mm"``, ``"50 pixels"``."""
    if not is_um:
        return f"{length:g} pixel{'' if length == 1 else 's'}"
    return f"{length / 1000:g} mm" if length >= 1000 else f"{length:g} µm"


# ---- drawing --------------------------------------------------------------------------------


def _title(text: str, inches: float) -> dict[str, Any]:
    """Keyword arguments that draw any slide's name as it is, no wider than the picture."""
    from napari_ims_tumor.io.picture_text import drawable, fonts

    words = drawable(text, int(_LETTERS_PER_INCH * inches))
    return {"t": words, "color": _TEXT, "family": fonts(), "parse_math": False}


def _draw_curve(axes: Axes, curve: Curve) -> None:
    if curve.stems:
        axes.vlines(curve.mz, 0, curve.intensity, colors=curve.color, linewidth=0.8)
    else:
        axes.plot(curve.mz, curve.intensity, color=curve.color, linewidth=0.8)
    axes.set_title(curve.name, loc="left", fontsize=9, color=curve.color)
    axes.margins(x=0.01)
    axes.spines[["top", "right"]].set_visible(False)


def _layout(picture: Picture) -> tuple[int, int, tuple[float, float]]:
    n = len(picture.panels)
    across = n if n <= 3 else min(4, math.ceil(math.sqrt(n)))
    down = math.ceil(n / across)
    rows, columns = picture.panels[0].layers[0].shape[:2]
    height, width = picture.pixel_size_um or (1.0, 1.0)
    aspect = min(3.0, max(0.25, rows * height / (columns * width)))
    inches = _PANEL_INCHES * (1.5 if n == 1 else 1.0)
    return across, down, (across * (inches + 1.1), down * (inches * aspect + 0.9) + 0.5)


def _draw_panel(axes: Axes, panel: Panel, pixel_size_um: tuple[float, float] | None) -> None:
    rows, columns = panel.layers[0].shape[:2]
    height, width = pixel_size_um or (1.0, 1.0)
    extent = (0.0, columns * width, rows * height, 0.0)
    axes.set_facecolor("black")
    for layer in panel.layers:
        axes.imshow(layer, extent=extent, interpolation="nearest", aspect="equal")
    axes.set_title(panel.title, fontsize=10, color=_TEXT)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    _draw_bar(axes, extent, pixel_size_um is not None)
    if panel.note:
        axes.annotate(
            panel.note, (1, 0), (0, -17), xycoords="axes fraction", textcoords="offset points",
            ha="right", va="top", fontsize=7, color=_TEXT,
        )  # fmt: skip
    if panel.scale is not None:
        _draw_color_bar(axes, panel.scale, panel.extends)
    if panel.legend:
        _draw_legend(axes, panel.legend)


def _draw_bar(axes: Axes, extent: tuple[float, float, float, float], is_um: bool) -> None:
    """Draw the scale bar below the image, where it hides nothing."""
    length = bar_length(extent[1])
    share = length / extent[1]
    axes.plot(
        [0, length], [1.025 * extent[2]] * 2, color=_TEXT, linewidth=2.5, clip_on=False,
        solid_capstyle="butt", scalex=False, scaley=False,
    )  # fmt: skip
    axes.annotate(
        length_text(length, is_um), (share / 2, -0.025), (0, -4), xycoords="axes fraction",
        textcoords="offset points", ha="center", va="top", fontsize=9, color=_TEXT,
    )  # fmt: skip


def _draw_color_bar(axes: Axes, scale: ColorScale, extends: str) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    # Half-transparent colors look as they do over tissue of middle brightness.
    colors = np.asarray(scale.colors, np.float64)
    opaque = colors[:, :3] * colors[:, 3:] + _TISSUE * (1 - colors[:, 3:])
    mappable = ScalarMappable(Normalize(scale.low, scale.high), ListedColormap(opaque))
    figure = axes.get_figure()
    if figure is not None:
        bar = figure.colorbar(mappable, ax=axes, shrink=0.85, pad=0.02, extend=extends)
        bar.set_label(scale.label, fontsize=8, color=_TEXT)
        bar.ax.tick_params(labelsize=8, colors=_TEXT)
        bar.outline.set_visible(False)


def _draw_legend(axes: Axes, legend: Mapping[str, str]) -> None:
    from matplotlib.patches import Patch

    patches = [Patch(facecolor=color, label=name) for name, color in legend.items()]
    axes.legend(
        handles=patches, loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, fontsize=9
    )


def _save(
    path: Path,
    figure: Figure,
    title: str,
    about: Mapping[str, object],
    endings: tuple[str, ...],
) -> None:
    kind = path.suffix.lower()
    if kind not in endings:
        raise ImsTumorError(f"{path.name}: pictures are written as {' or '.join(endings)}")
    text = json.dumps(about, sort_keys=True, ensure_ascii=False, default=str)
    # An SVG is XML, which has no control characters.
    name = "".join(letter for letter in title if letter.isprintable())
    facts: dict[str, Any] = {"Title": name, "Description": text}
    # No clock and no version inside: the same picture gives the same bytes.
    facts |= {"Date": None} if kind == ".svg" else {"Software": None}
    with atomic_write(path) as temporary:
        figure.savefig(
            temporary,
            format=kind[1:],
            dpi=DPI,
            metadata=facts,
            bbox_inches="tight",
            pad_inches=0.15,
        )
