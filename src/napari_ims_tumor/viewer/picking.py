"""From a place in napari's world to a pixel of a slide, and the click that asks for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from napari_ims_tumor.msi.pixel_grid import PixelGrid

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

CLICK_SLACK: Final = 4.0
"""Screen pixels the pointer may move between press and release and still be a click."""

PAN_ZOOM: Final = "pan_zoom"
LEFT_BUTTON: Final = 1

ClickCallback: TypeAlias = Callable[[Any, Any], Generator[None, None, None]]


class Pixel(NamedTuple):
    """A pixel of a slide's images; it may lie outside the grid."""

    row: int
    column: int
    plane: int = 0


def pixel_at(layer: Layer, pixels: PixelGrid, world: Sequence[float]) -> Pixel:
    """Find the pixel of a slide under a place in the world.

    A pixel's center has its whole number, so pixel 0 reaches from −0.5 to just below 0.5.

    Parameters
    ----------
    layer
        Any layer of the slide: its own scale, translation and affine count, so a rescaled layer
        still gives the pixel that is seen.
    pixels
        The slide's grid.
    world
        A position with at least as many numbers as the layer has axes; the last ones count.

    Returns
    -------
    Pixel
        Row, column and plane; not checked against the grid.
    """
    data = layer.world_to_data(world)[-len(pixels.image_shape) :]
    plane, row, column = (0, *(math.floor(value + 0.5) for value in data))[-3:]
    return Pixel(row, column, plane)


def world_at(layer: Layer, pixels: PixelGrid, pixel: Pixel) -> tuple[float, ...]:
    """Find the world position of a pixel's center: the inverse of :func:`pixel_at`.

    Returns
    -------
    tuple of float
        One number per axis of the layer; 0 along a stack's channel axis.
    """
    inside = (pixel.plane, pixel.row, pixel.column)[-len(pixels.image_shape) :]
    channel = (0,) * (layer.ndim - len(inside))
    return tuple(float(value) for value in layer.data_to_world((*channel, *inside)))


def click_callback(clicked: Callable[[tuple[float, ...]], object]) -> ClickCallback:
    """Make a mouse callback for a viewer that tells clicks in pan/zoom mode from drags.

    Parameters
    ----------
    clicked
        Called with the world position of each plain left click on a 2-D view.
    """

    def pressed(viewer: ViewerModel, event: Any) -> Generator[None, None, None]:
        if not is_picking(viewer, event):
            return
        start, world = tuple(event.pos), tuple(float(value) for value in event.position)
        farthest = 0.0
        yield
        while event.type == "mouse_move":
            # Dragging pans the camera, so the world under the pointer stays: only the place on
            # the screen tells that it moved.
            farthest = max(farthest, math.dist(start, event.pos))
            yield
        if max(farthest, math.dist(start, event.pos)) <= CLICK_SLACK:
            clicked(world)

    return pressed


def is_picking(viewer: ViewerModel, event: Any) -> bool:
    """Whether a mouse press asks for a spectrum and nothing else."""
    if event.button != LEFT_BUTTON or event.modifiers or viewer.dims.ndisplay != 2:
        return False
    active = viewer.layers.selection.active
    return active is None or str(active.mode) == PAN_ZOOM
