"""The pixels of the active slide that are meant by the selected layer: shapes, or a label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from napari.layers import Labels, Shapes

from napari_ims_tumor.msi.arrays import BoolArray, Float64Array
from napari_ims_tumor.session.averages import REGION
from napari_ims_tumor.session.session import Session
from napari_ims_tumor.viewer.slide_tag import first_of

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_ims_tumor.viewer.labels_link import Debounce

_AROUND: Final = 64
"""Corners of the polygon that stands for an ellipse."""
_CLOSED: Final = ("rectangle", "polygon", "ellipse")


class Regions:
    """Tells a session which pixels are the region, as long as somebody looks at it.

    Parameters
    ----------
    debounced
        How to wait until a shape is drawn.
    """

    def __init__(self, viewer: ViewerModel, session: Session, debounced: Debounce) -> None:
        self._viewer, self._session = viewer, session
        self._later = debounced(self._renew_if_wanted)
        self._followed: Layer | None = None
        viewer.layers.selection.events.active.connect(self._selected)
        self._selected()

    def renew(self) -> None:
        """Find the region of the selected layer."""
        self._session.averages.choose_region(self.current())

    def _renew_if_wanted(self) -> None:
        if REGION in self._session.averages.wanted:
            self.renew()

    def current(self) -> BoolArray | None:
        """Mask of the region, shape of the active slide's images; ``None`` for none."""
        slide, layer = self._session.active, self._viewer.layers.selection.active
        frame = None if slide is None else first_of(self._viewer.layers, slide.dataset, "tic")
        if slide is None or frame is None:
            return None
        shape = slide.dataset.pixels.image_shape
        if isinstance(layer, Labels):
            values = np.asarray(layer.data)
            label = layer.selected_label
            return values == label if values.shape == shape and label else None
        return _inside(layer, frame, shape) if isinstance(layer, Shapes) else None

    def close(self) -> None:
        """Follow no layer any more."""
        self._viewer.layers.selection.events.active.disconnect(self._selected)
        self._follow(None)

    def _selected(self, _: object = None) -> None:
        layer = self._viewer.layers.selection.active
        self._follow(layer if isinstance(layer, (Shapes, Labels)) else None)
        self._later()

    def _follow(self, layer: Layer | None) -> None:
        for emitter in _events(self._followed):
            emitter.disconnect(self._changed)
        self._followed = layer
        for emitter in _events(layer):
            emitter.connect(self._changed)

    def _changed(self, _: object = None) -> None:
        self._later()


def _events(layer: Layer | None) -> tuple[Any, ...]:
    if isinstance(layer, Labels):
        return layer.events.paint, layer.events.set_data, layer.events.selected_label
    return () if layer is None else (layer.events.set_data, layer.events.highlight)


def _inside(layer: Shapes, frame: Layer, shape: tuple[int, ...]) -> BoolArray | None:
    """Mark the pixels whose centers lie in the selected shapes, or in all where none is."""
    from skimage.draw import polygon

    chosen = sorted(layer.selected_data) or range(len(layer.data))
    mask = np.zeros(shape, bool)
    for number in chosen:
        if layer.shape_type[number] not in _CLOSED:
            continue
        corners = _outline(np.asarray(layer.data[number], float), layer.shape_type[number])
        places = np.array([_in_frame(layer, frame, corner) for corner in corners])
        rows, columns = polygon(places[:, -2], places[:, -1], shape[-2:])
        # On a stack of sections a shape lies on the one it was drawn on.
        plane = (int(np.clip(round(places[0, 0]), 0, shape[0] - 1)),) if len(shape) == 3 else ()
        mask[(*plane, rows, columns)] = True
    return mask if mask.any() else None


def _in_frame(layer: Shapes, frame: Layer, corner: Float64Array) -> Float64Array:
    world = np.asarray(layer.data_to_world(corner), float)
    missing = frame.ndim - world.size
    world = np.concatenate([np.zeros(max(missing, 0)), world])[-frame.ndim :]
    return np.asarray(frame.world_to_data(world), float)


def _outline(corners: Float64Array, kind: str) -> Float64Array:
    """Corners of a shape's outline; napari keeps an ellipse as the box around it."""
    if kind != "ellipse":
        return corners
    middle = corners.mean(axis=0)
    across, down = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    angle = np.linspace(0, 2 * np.pi, _AROUND, endpoint=False)[:, None]
    return np.asarray(middle + np.cos(angle) * across + np.sin(angle) * down, np.float64)
