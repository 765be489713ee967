"""Images as they are seen, and the files that they become: the same numbers in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.io.image_file import write_image, write_planes
from napari_ims_tumor.msi.arrays import FloatArray
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.ion_measure import PLAIN, IonMeasure
from napari_ims_tumor.msi.mass_axis import MassWindow

if TYPE_CHECKING:
    from napari_ims_tumor.io.picture_file import ColorScale, Panel, Picture

INTENSITY: Final = PLAIN.units
_CHANNEL_COLORS: Final = {"red": "#d00000", "green": "#00a000", "blue": "#0000d0"}
"""Of the legend, on white paper."""


@dataclass(frozen=True, eq=False)
class ShownImage:
    """One image of a slide, and how it is colored on screen.

    Attributes
    ----------
    name
        What it shows, without the slide's name.
    values
        Shape of the slide's images; NaN where nothing was measured.
    scale
        How values become colors.
    window
        The m/z window of an ion image.
    legend
        Name → color, for an image of classes.
    measure
        By which an ion image was made.
    channel
        ``"red"``, ``"green"`` or ``"blue"`` for one of three that are seen as one.
    """

    name: str
    values: FloatArray
    scale: ColorScale
    window: MassWindow | None = None
    legend: Mapping[str, str] = field(default_factory=dict)
    measure: IonMeasure = PLAIN
    channel: str = ""


def write_shown(
    path: Path,
    dataset: MsiDataset,
    images: Sequence[ShownImage],
    tissue: ShownImage | None = None,
) -> None:
    """Write images by the ending of the path: .ome.tif, .npy, .csv, or .png as a picture.

    Parameters
    ----------
    dataset
        The slide that they are of.
    tissue
        Drawn below half-transparent images of a picture.
    """
    ending = path.suffix.lower()
    names, about = [image.name for image in images], about_images(dataset, images)
    pixels = dataset.pixels
    if ending == ".csv":
        from napari_ims_tumor.io.table_file import pixel_table, write_table

        columns = dict(zip(_distinct(names), (image.values for image in images), strict=True))
        write_table(path, pixel_table(pixels, columns, _head(about)))
    elif ending == ".png":
        from napari_ims_tumor.io.picture_file import write_picture

        write_picture(path, picture_of(dataset, images, tissue))
    elif ending not in (".npy", ".tif", ".tiff"):
        raise ImsTumorError(f"{path.name}: images are written as .ome.tif, .npy, .csv or .png")
    elif len(images) == 1:
        write_image(path, images[0].values, names[0], pixels, about)
    else:
        write_planes(path, np.stack([image.values for image in images]), names, pixels, about)


def about_images(dataset: MsiDataset, images: Sequence[ShownImage]) -> dict[str, object]:
    """Say what images are, where they are from and in which units."""
    measures = list(dict.fromkeys(image.measure for image in images))
    # Of several measures each image's units tell which is its.
    facts = measures[0].about() if len(measures) == 1 else {"normalization": "see units"}
    about: dict[str, object] = {"slide": dataset.name, **facts}
    about["units"] = [image.scale.label for image in images]
    windows = [image.window for image in images if image.window is not None]
    if len(windows) == len(images):
        about["windows"] = [[window.low, window.high] for window in windows]
    return about


def picture_of(
    dataset: MsiDataset, images: Sequence[ShownImage], tissue: ShownImage | None = None
) -> Picture:
    """Lay out images as a picture, each section of a stack as a panel of its own."""
    from napari_ims_tumor.io.picture_file import Picture

    pixels = dataset.pixels
    single = [image for image in images if not image.channel]
    panels = [
        _panel(image, plane, tissue, pixels.n_planes > 1)
        for image in single
        for plane in range(pixels.n_planes)
    ]
    colored = [image for image in images if image.channel]
    if colored:
        panels += [
            _colored_panel(colored, plane, pixels.n_planes) for plane in range(pixels.n_planes)
        ]
    about = about_images(dataset, images)
    return Picture(dataset.name, tuple(panels), pixels.pixel_size_um, about)


def _panel(image: ShownImage, plane: int, tissue: ShownImage | None, is_stack: bool) -> Panel:
    from napari_ims_tumor.io.picture_file import Panel

    values = _section(image.values, plane)
    below = () if tissue is None else (tissue.scale.paint(_section(tissue.values, plane)),)
    note, extends = ("", "neither") if image.legend else _clipped(values, image.scale)
    return Panel(
        title=f"{image.name}, plane {plane}" if is_stack else image.name,
        layers=(*below, image.scale.paint(values)),
        scale=None if image.legend else image.scale,
        legend=image.legend,
        note=note,
        extends=extends,
    )


def _colored_panel(images: Sequence[ShownImage], plane: int, n_planes: int) -> Panel:
    """Draw red, green and blue as one picture, whose colors add up."""
    from napari_ims_tumor.io.picture_file import Panel

    painted = [image.scale.paint(_section(image.values, plane)) for image in images]
    summed = np.clip(np.sum(painted, axis=0), 0, 1)
    legend = {f"{one.name}": _CHANNEL_COLORS.get(one.channel, "#222222") for one in images}
    title = "red, green, blue" + (f", plane {plane}" if n_planes > 1 else "")
    return Panel(title=title, layers=(summed,), legend=legend)


def _section(image: FloatArray, plane: int) -> FloatArray:
    section: FloatArray = image if image.ndim == 2 else image[plane]
    return section


def _clipped(values: FloatArray, scale: ColorScale) -> tuple[str, str]:
    """Say how many pixels lie beyond the color scale, and at which end of it."""
    finite = values[np.isfinite(values)]
    above, below = (finite > scale.high).sum(), (finite < scale.low).sum()
    words = [
        f"{100 * count / finite.size:.1f} % of pixels {which}"
        for count, which in ((above, "above"), (below, "below"))
        if count
    ]
    extends = {(True, True): "both", (True, False): "max", (False, True): "min"}
    text = f"beyond the scale: {', '.join(words)}" if words else ""
    return text, extends.get((bool(above), bool(below)), "neither")


def _distinct(names: Sequence[str]) -> list[str]:
    """Number names that come more than once: a table needs one column for each."""
    return [
        name if names.count(name) == 1 else f"{name} ({names[:at].count(name) + 1})"
        for at, name in enumerate(names)
    ]


def _head(about: Mapping[str, object]) -> dict[str, object]:
    return {name: _listed(v) if isinstance(v, list) else v for name, v in about.items()}


def _listed(values: Sequence[object]) -> str:
    words = (
        f"{value[0]:.6f} to {value[1]:.6f}" if isinstance(value, list) else str(value)
        for value in values
    )
    return "; ".join(dict.fromkeys(words))
