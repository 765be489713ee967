"""Keeps the view flat while a large stack of ion images is seen.

napari's 3-D button, rolled axes and the like ask for every ion image at once. They are taken back
with one message; hidden stacks do not matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

from napari_ims_tumor.viewer.lazy_stack import LazyIonStack

if TYPE_CHECKING:
    from napari.components import ViewerModel


class FlatView:
    """Watches what a viewer displays, from now on and without keeping it alive."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = ref(viewer)
        self._good = tuple(viewer.dims.order)
        # After everybody has heard of the change, so that everybody hears last of the return.
        for event in (viewer.dims.events.ndisplay, viewer.dims.events.order):
            event.connect(self._return, position="last")
        viewer.layers.events.inserted.connect(self._layer_added, position="last")
        for layer in viewer.layers:
            layer.events.visible.connect(self._return, position="last")

    def _layer_added(self, event: Any) -> None:
        event.value.events.visible.connect(self._return, position="last")
        self._return()

    def _return(self, _: object = None) -> None:
        """Go back to the last view that shows one image of each stack."""
        viewer = self._viewer()
        if viewer is None:
            return
        stack = _spread_out(viewer)
        if stack is None:
            self._good = tuple(viewer.dims.order)
            return
        # Said already where napari has asked for the images before; in its async mode it has not.
        stack.refuse_whole()
        viewer.dims.ndisplay = 2
        natural = tuple(range(viewer.dims.ndim))
        for order in (self._good, natural):
            if _spread_out(viewer) is not None and sorted(order) == list(natural):
                viewer.dims.order = order


def _spread_out(viewer: ViewerModel) -> LazyIonStack | None:
    """Find a visible stack, too large to be made, whose channels lie along an axis on screen."""
    dims = viewer.dims
    displayed = dims.order[-dims.ndisplay :]
    for layer in viewer.layers:
        data = layer.data
        if (
            isinstance(data, LazyIonStack)
            and data.is_large
            and layer.visible
            and dims.ndim - layer.ndim in displayed
        ):
            return data
    return None
