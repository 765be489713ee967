"""How one layer looks, in what JSON can hold, and back: opacity, colors, contrast, brush, place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from napari.layers import Image, Labels
from napari.utils.colormaps import AVAILABLE_COLORMAPS, Colormap

from napari_ims_tumor.viewer.layer_list import PLACEMENT

if TYPE_CHECKING:
    from napari.layers import Layer

COMMON: Final = ("name", "opacity", "blending")
OF_IMAGES: Final = (
    "gamma", "interpolation2d", "interpolation3d", "rendering", "iso_threshold", "attenuation",
    "projection_mode", "contrast_limits_range", "contrast_limits",
)  # fmt: skip
OF_LABELS: Final = (
    "selected_label", "brush_size", "contour", "preserve_labels", "contiguous",
    "n_edit_dimensions", "show_selected_label", "rendering",
)  # fmt: skip
MODE: Final = "mode"
"""Set last and apart: it is the selected layer's, and takes the mouse."""


def look_of(layer: Layer) -> dict[str, Any]:
    """Say how a layer looks."""
    names = (*COMMON, MODE, *_of_kind(layer))
    found = {name: plain(getattr(layer, name)) for name in names if hasattr(layer, name)}
    found["place"] = {name: plain(_as_array(getattr(layer, name))) for name in PLACEMENT}
    if isinstance(layer, Image):
        found["colormap"] = _colormap_text(layer.colormap)
    return found


def look_like(layer: Layer, look: Mapping[str, Any]) -> None:
    """Make a layer look as it was said; what is not understood stays as it is."""
    place = look.get("place")
    if isinstance(place, Mapping):
        _put(layer, place)
    if isinstance(layer, Image):
        with tolerant():
            _color(layer, look["colormap"])
    for name in (*COMMON, *_of_kind(layer)):
        set_if_other(layer, name, look)


def set_if_other(thing: Any, name: str, values: Mapping[str, Any]) -> None:
    """Set an attribute where it is said to be another; every change draws anew."""
    if name not in values:
        return
    with tolerant():
        if plain(getattr(thing, name)) != values[name]:
            setattr(thing, name, _hashable(values[name]))


@contextmanager
def tolerant() -> Iterator[None]:
    """Pass over what a viewer of this version does not take: a look is worth no failure."""
    with suppress(ValueError, TypeError, KeyError, AttributeError, IndexError, RuntimeError):
        yield


def plain(value: Any) -> Any:
    """Write a value as JSON has it: enumerations as words, tuples and arrays as lists."""
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, np.generic):
        return value.item()
    return value


def _of_kind(layer: Layer) -> tuple[str, ...]:
    if isinstance(layer, Labels):
        return OF_LABELS
    return OF_IMAGES if isinstance(layer, Image) else ()


def _hashable(value: Any) -> Any:
    """Write lists as tuples, which is how napari's models compare them."""
    return tuple(_hashable(part) for part in value) if isinstance(value, list) else value


def _as_array(value: Any) -> Any:
    """Take the matrix out of an affine transform."""
    return np.asarray(getattr(value, "affine_matrix", value), float)


def _put(layer: Layer, place: Mapping[str, Any]) -> None:
    for name in PLACEMENT:
        with tolerant():
            wanted, here = np.asarray(place[name], float), _as_array(getattr(layer, name))
            sound = wanted.shape == here.shape and np.isfinite(wanted).all()
            if sound and not np.allclose(wanted, here, rtol=1e-12, atol=1e-12):
                setattr(layer, name, wanted)


def _colormap_text(colormap: Colormap) -> dict[str, Any]:
    """Name a color scale; one that napari does not know by name is told color by color."""
    text: dict[str, Any] = {"name": colormap.name}
    if colormap.name not in AVAILABLE_COLORMAPS:
        text["colors"] = plain(np.asarray(colormap.colors, float))
        text["controls"] = plain(np.asarray(colormap.controls, float))
        text["interpolation"] = plain(colormap.interpolation)
    return text


def _color(layer: Image, text: Mapping[str, Any]) -> None:
    name = str(text["name"])
    if name in AVAILABLE_COLORMAPS:
        if layer.colormap.name != name:
            layer.colormap = name
    elif _colormap_text(layer.colormap) != text:
        layer.colormap = Colormap(
            np.asarray(text["colors"], float),
            name=name,
            controls=np.asarray(text["controls"], float),
            interpolation=text["interpolation"],
        )
