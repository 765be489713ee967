"""Adding and arranging layers without disturbing what the user is doing with the others."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final

import numpy as np
from napari.layers import Layer

from napari_ims_tumor.msi.arrays import Float64Array
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.viewer.layers import LayerTuple
from napari_ims_tumor.viewer.slide_frame import SlideFrame
from napari_ims_tumor.viewer.slide_tag import (
    ROLES,
    Role,
    SlideTag,
    first_of,
    layers_of,
    tag_in,
    tag_of,
)

if TYPE_CHECKING:
    from napari.components import ViewerModel

PLACEMENT: Final = ("scale", "translate", "rotate", "shear", "affine")
IMAGE_ROLES: Final[tuple[Role, ...]] = ("tic", "peak", "pin", "ion", "rgb")
ION_ROLES: Final[tuple[Role, ...]] = ("stack", "peak", "pin", "ion", "rgb")
COLORED_ROLES: Final[tuple[Role, ...]] = (
    *ION_ROLES, "tumor", "alone", "class", "uncertainty", "disagreement", "unfamiliarity",
)  # fmt: skip


def insert_layer(viewer: ViewerModel, made: LayerTuple) -> Layer:
    """Add a layer at its role's height, leaving the selected layer selected.

    napari selects what is added; a preview that arrives while somebody paints must not take the
    brush away.
    """
    layer = Layer.create(*made)
    active = viewer.layers.selection.active
    tag = tag_of(layer)
    if tag is not None:
        align(viewer, layer, tag.dataset)
    place = len(viewer.layers) if tag is None else _place(viewer, tag)
    viewer.layers.insert(place, layer)
    if active is not None and active in viewer.layers:
        viewer.layers.selection.active = active
    return layer


def select_tic_when_added(viewer: ViewerModel, made: Sequence[LayerTuple]) -> None:
    """Have the TIC selected once napari has added a reader's layers of one slide.

    napari selects what it adds last, here a hidden peak: its controls would move nothing seen.
    """
    last = tag_in(made[-1][1]["metadata"])
    selection = viewer.layers.selection

    def selected(_: object) -> None:
        if last is not None and tag_of(selection.active) is last:
            selection.events.changed.disconnect(selected)
            selection.active = first_of(viewer.layers, last.dataset, "tic")

    # After the layer list on screen has heard of the peak: hearing of it later, it would select the
    # peak beside the TIC.
    selection.events.changed.connect(selected, position="last")


def align(viewer: ViewerModel, layer: Layer, dataset: MsiDataset) -> bool:
    """Lay a layer exactly over its slide, wherever the user has put that; whether it had to move.

    Only for layers with the axes of an image: the stack has one more.
    """
    if layer.ndim != len(dataset.pixels.image_shape):
        return False
    others = (la for la in layers_of(viewer.layers, dataset, *IMAGE_ROLES) if la is not layer)
    reference = next(others, None)
    if reference is None:
        return _place_in(layer, SlideFrame.of_image(dataset.pixels))
    if _is_same_place(layer, reference):
        return False
    for name in PLACEMENT:
        setattr(layer, name, getattr(reference, name))
    layer.units, layer.axis_labels = reference.units, reference.axis_labels
    return True


def show_only(viewer: ViewerModel, dataset: MsiDataset, hidden: dict[Layer, bool]) -> None:
    """Show one slide's layers and hide those of the others.

    Parameters
    ----------
    hidden
        Which layers this function has hidden, and whether each was visible: changed in place.
    """
    for layer in viewer.layers:
        tag = tag_of(layer)
        if tag is None:
            continue
        if tag.dataset is dataset:
            _set_visible(layer, hidden.pop(layer, layer.visible))
        elif layer not in hidden:
            hidden[layer] = layer.visible
            _set_visible(layer, False)


def show_alone(viewer: ViewerModel, *layers: Layer) -> None:
    """Show layers of colors of one slide, mostly one, and hide the slide's others.

    Two half-transparent color scales over each other give colors that mean nothing in either: what
    was asked for last is read alone, over the gray of the tissue. The user may still mix them.
    """
    tag = tag_of(layers[0])
    if tag is not None:
        for other in layers_of(viewer.layers, tag.dataset, *COLORED_ROLES):
            _set_visible(other, other in layers)
    for layer in layers:
        _set_visible(layer, True)


def remove_slide(viewer: ViewerModel, dataset: MsiDataset) -> None:
    """Take all layers of a slide out of the viewer."""
    # Together: napari collects garbage after each removal, a quarter of a second each time.
    together = getattr(viewer.layers, "batched_update", nullcontext)
    with together():
        for layer in layers_of(viewer.layers, dataset):
            viewer.layers.remove(layer)


def update_layer(viewer: ViewerModel, made: LayerTuple) -> Layer:
    """Show a new value in the slide's layer of the same role, or add that layer.

    What the user set by hand (visibility, opacity, colormap) stays.
    """
    data, kwargs, _ = made
    tag: SlideTag = kwargs["metadata"]["ims_tumor"]
    same = layers_of(viewer.layers, tag.dataset, tag.role)
    layer = next((la for la in same if (of := tag_of(la)) and of.channel == tag.channel), None)
    if layer is None:
        return insert_layer(viewer, made)
    layer.data = data
    layer.name = kwargs["name"]
    layer.metadata = {**layer.metadata, **kwargs["metadata"]}
    return layer


def _set_visible(layer: Layer, visible: bool) -> None:
    """Show or hide a layer; napari draws everything anew even where nothing changes."""
    if layer.visible != visible:
        layer.visible = visible


def _place(viewer: ViewerModel, tag: SlideTag) -> int:
    """Find the place of a role among its slide's layers; a new slide goes on top."""
    ranks = {
        i: ROLES.index(other.role)
        for i, layer in enumerate(viewer.layers)
        if (other := tag_of(layer)) and other.dataset is tag.dataset
    }
    rank = ROLES.index(tag.role)
    below = [i for i, other in ranks.items() if other <= rank]
    if below:
        return below[-1] + 1
    return min(ranks, default=len(viewer.layers))


def _is_same_place(layer: Layer, other: Layer) -> bool:
    return _is_close(_corners_in_world(layer), _corners_in_world(other))


def _place_in(layer: Layer, frame: SlideFrame) -> bool:
    """Place a layer in its slide's frame; whether it had to move."""
    size = layer.ndim
    expected = _corners(size) * frame.scale + frame.translate
    if _is_close(_corners_in_world(layer), expected):
        return False
    layer.scale, layer.translate = frame.scale, frame.translate
    layer.rotate, layer.shear = np.eye(size), np.zeros(size * (size - 1) // 2)
    layer.affine = np.eye(size + 1)
    return True


def _corners(size: int) -> Float64Array:
    """The origin and one step along each axis: two affine maps equal here are equal everywhere."""
    return np.vstack([np.zeros(size), np.eye(size)])


def _corners_in_world(layer: Layer) -> Float64Array:
    return np.array([layer.data_to_world(corner) for corner in _corners(layer.ndim)])


def _is_close(some: Float64Array, others: Float64Array) -> bool:
    return bool(np.allclose(some, others, rtol=1e-9, atol=1e-9))
