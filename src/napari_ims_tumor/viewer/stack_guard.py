"""What napari itself can do to a stack of ion images, and must not: redirected or refused.

The button *New labels* would make a cube of labels, *Split Stack* a layer of each of thousands of
images. Both take what they need of the selected layer and ask nobody, so they are replaced on the
viewers that show a stack. Where a later napari names them otherwise they do what they do today.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

import numpy as np
from napari.layers import Labels
from napari.layers.utils import stack_utils
from napari.utils.notifications import show_info

from napari_ims_tumor.errors import QueryError
from napari_ims_tumor.viewer.bound import binding_of
from napari_ims_tumor.viewer.flat_view import FlatView
from napari_ims_tumor.viewer.layer_list import align
from napari_ims_tumor.viewer.lazy_stack import LazyIonStack
from napari_ims_tumor.viewer.notifications import speak_plainly

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

_guards: WeakKeyDictionary[ViewerModel, FlatView] = WeakKeyDictionary()


def guard(viewer: ViewerModel) -> None:
    """Have a viewer treat stacks of ion images as what they are; once is enough."""
    if viewer not in _guards:
        _guards[viewer] = FlatView(viewer)
        speak_plainly()
        _redirect_new_labels(viewer)
        _refuse_splitting()


def _redirect_new_labels(viewer: ViewerModel) -> None:
    usual: Callable[[], None] | None = getattr(viewer, "_new_labels", None)
    if usual is None:
        return
    watched, usual_function = ref(viewer), type(viewer)._new_labels

    def new_labels(*_: object) -> None:
        viewer = watched()
        stack = None if viewer is None else _selected_stack(viewer)
        if viewer is not None and stack is not None:
            add_flat_labels(viewer, stack)
        elif viewer is not None:
            usual_function(viewer)

    # The menu asks the viewer; the button has kept the function that it was made with.
    viewer.__dict__["_new_labels"] = new_labels
    with suppress(AttributeError, RuntimeError, TypeError):
        button: Any = viewer.window._qt_viewer.layerButtons.newLabelsButton
        button.clicked.disconnect()
        button.clicked.connect(new_labels)


def _selected_stack(viewer: ViewerModel) -> Layer | None:
    selected = viewer.layers.selection
    return next((la for la in selected if isinstance(la.data, LazyIonStack)), None)


def add_flat_labels(viewer: ViewerModel, stack: Layer) -> None:
    """Give the slide of a stack labels of its own shape: one image, not one for each ion."""
    binding = binding_of(viewer)
    if binding is not None:
        with binding.slides.busy():
            binding.annotating.replace_cube()
        return
    dataset = stack.data.dataset
    labels = Labels(np.zeros(dataset.pixels.image_shape, np.uint8), name=f"labels · {dataset.name}")
    align(viewer, labels, dataset)
    labels.units, labels.axis_labels = stack.units[1:], stack.axis_labels[1:]
    viewer.add_layer(labels)
    show_info(
        f"One labels layer serves all ion images of {dataset.name}. The dock IMS Tumor fits a "
        "model to it."
    )


def _refuse_splitting() -> None:
    """Stop *Split Stack* before it makes the first of thousands of images."""
    usual = stack_utils.stack_to_images
    if hasattr(usual, "__wrapped__"):
        return

    @wraps(usual)
    def stack_to_images(stack: Any, *args: Any, **kwargs: Any) -> Any:
        data = stack.data
        if isinstance(data, LazyIonStack) and data.is_large:
            raise QueryError(
                f"{stack.name} would be split into {len(data):,} layers ({data.sizes}). Click the "
                "peaks that you want to keep: each becomes a layer of its own."
            )
        return usual(stack, *args, **kwargs)

    stack_utils.stack_to_images = stack_to_images
