"""The texts napari draws over the canvas, wherever its version keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from napari.utils.theme import get_theme

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

_FILLED: Final = 0.95
"""Share of the canvas that a layer fills after it was brought into view."""


def text_overlay(viewer: ViewerModel) -> Any:
    """Return the viewer's free text."""
    canvas = getattr(viewer, "canvas", None)
    # Before napari 0.9 the overlays were attributes of the viewer itself.
    return viewer.text_overlay if canvas is None else canvas.overlays.text


def write_over_canvas(viewer: ViewerModel, text: str) -> None:
    """Have napari write something over the canvas, or nothing."""
    overlay = text_overlay(viewer)
    overlay.text, overlay.position, overlay.visible = text, "top_left", bool(text)


def canvas_color(viewer: ViewerModel) -> tuple[int, int, int]:
    """Return red, green and blue, 0 to 255, of what lies behind the layers."""
    canvas = getattr(viewer, "canvas", None)
    if canvas is None:
        red, green, blue = get_theme(viewer.theme).canvas.as_rgb_tuple()[:3]
    else:
        red, green, blue = (round(255 * float(part)) for part in canvas.background_color[:3])
    return red, green, blue


def scale_bar(viewer: ViewerModel) -> Any:
    """Return the viewer's scale bar."""
    canvas = getattr(viewer, "canvas", None)
    return viewer.scale_bar if canvas is None else canvas.overlays.scale_bar


def hide_brush_box(viewer: ViewerModel) -> None:
    """Draw no background box behind the circle of a brush.

    napari 0.9 gives every overlay a box in the color of the canvas and never brings that of the
    circle up to date: it covers the pixel aimed at, and drawing it after the painted layer was
    removed crashes the graphics driver.
    """
    canvas = getattr(viewer, "canvas", None)
    circle: Any = getattr(getattr(canvas, "overlays", None), "_brush_circle", None)
    if hasattr(circle, "box"):
        circle.box = False


def axes_of(viewer: ViewerModel) -> Any:
    """Return the viewer's axes."""
    canvas = getattr(viewer, "canvas", None)
    return viewer.axes if canvas is None else canvas.overlays.axes


def grid_of(viewer: ViewerModel) -> Any:
    """Return how the viewer lays layers out beside each other."""
    canvas = getattr(viewer, "canvas", None)
    return viewer.grid if canvas is None else canvas.grid


def fit_view(viewer: ViewerModel, layer: Layer) -> None:
    """Bring one layer into view: others may be far larger, hidden or not."""
    fit = getattr(viewer, "fit_to_view", None)
    (viewer.reset_view if fit is None else fit)()
    n = viewer.dims.ndim
    if tuple(viewer.dims.displayed) == (n - 2, n - 1):
        # Not napari's own fit_to_view(layers=...): it fails for layers with fewer axes than the
        # viewer, and keeps the viewer alive for ever.
        _look_at(viewer, layer)


def center_on(viewer: ViewerModel, world: Sequence[float]) -> None:
    """Move the view, as it is zoomed, so that a place in the world is in its middle."""
    *_, row, column = world
    if viewer.dims.ndisplay == 2:
        camera_of(viewer).center = (0.0, float(row), float(column))


def camera_of(viewer: ViewerModel) -> Any:
    """Return the viewer's camera."""
    scene = getattr(viewer, "scene", None)
    return viewer.camera if scene is None else scene.camera


def _look_at(viewer: ViewerModel, layer: Layer) -> None:
    canvas, camera = getattr(viewer, "canvas", None), camera_of(viewer)
    size = np.asarray(viewer._canvas_size if canvas is None else canvas.size, float)
    low, high = layer.extent.world[:, -2:]
    camera.center = (0.0, *(float(middle) for middle in (low + high) / 2))
    # Half a pixel lies outside the outermost centers on each side.
    camera.zoom = _FILLED * float(np.min(size / (high - low + layer.scale[-2:])))
