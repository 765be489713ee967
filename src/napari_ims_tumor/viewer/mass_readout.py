"""The m/z slider: which window it stands at, written over the canvas at every step.

napari's slider shows a step number, whatever the axis is. A readout belongs to a viewer and not to
the dock, so that a slide opened without the dock is read just as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary, ref

import numpy as np

from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.ion_measure import IonQuery
from napari_ims_tumor.msi.mass_axis import MassWindow
from napari_ims_tumor.viewer.canvas_overlays import write_over_canvas
from napari_ims_tumor.viewer.channel_axis import ChannelAxis
from napari_ims_tumor.viewer.contrast import contrast_limits, contrast_range, draw_between
from napari_ims_tumor.viewer.layer_list import PLACEMENT, show_alone
from napari_ims_tumor.viewer.layers import query_text
from napari_ims_tumor.viewer.lazy_stack import LazyIonStack
from napari_ims_tumor.viewer.slide_tag import Role, layers_of, tag_of
from napari_ims_tumor.viewer.stack_guard import guard

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Layer

SINGLE_ROLES: Final[tuple[Role, ...]] = ("peak", "pin", "ion", "rgb")
"""Layers of one ion image each."""

_LAST: Final = 0
"""Under this, no dataset's id, is the m/z seen last of any slide."""

_readouts: WeakKeyDictionary[ViewerModel, MassReadout] = WeakKeyDictionary()


def readout_of(viewer: ViewerModel) -> MassReadout:
    """Return the viewer's one readout, made at the first call."""
    readout = _readouts.get(viewer)
    if readout is None:
        readout = _readouts[viewer] = MassReadout(viewer)
        guard(viewer)
    return readout


class MassReadout:
    """Follows the m/z slider of a viewer.

    Attributes
    ----------
    dataset
        The slide whose stack is read; ``None`` reads that of the selected layer, or the topmost.
    clip
        Whether hot spots are drawn as bright as the rest.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        # The readout lives as long as its viewer and must not be what keeps the viewer alive.
        self._viewer = ref(viewer)
        self.dataset: MsiDataset | None = None
        self.clip = True
        self._shown: tuple[LazyIonStack, int] | None = None
        self._is_outside = self._is_held = False
        self._left: dict[int, float] = {}
        self._limits: tuple[float, float] | None = None
        self._place: Callable[[str], object] | None = None
        self._axis: tuple[Layer, ChannelAxis] | None = None
        viewer.dims.events.current_step.connect(self.refresh)
        viewer.layers.events.inserted.connect(self._layer_added)
        viewer.layers.events.removed.connect(self._layer_removed)
        for layer in viewer.layers:
            self._watch(layer)
        viewer.layers.selection.events.active.connect(self.refresh)
        self.refresh()

    def refresh(self, _: object = None) -> None:
        """Bring text, contrast and visibility in line with where the slider stands."""
        viewer = self._viewer()
        if viewer is None or self._is_held:
            return
        layer = self._layer(viewer)
        if layer is None:
            if self._shown is not None:
                self._shown = None
                self._say("")
            return
        axis = self._channels(layer)
        here = (layer.data, axis.channel(viewer.dims.point))
        is_outside = not axis.holds(viewer.dims.point)
        if (here, is_outside) == (self._shown, self._is_outside):
            return
        was, self._shown, self._is_outside = self._shown, here, is_outside
        # Not where it only came back into the slide's range, as it does while layers are added.
        if was is not None and was[0] is layer.data and was != here:
            self._reveal(viewer, layer)
        self._fit_contrast(layer)
        self.write()

    def turn_to(self, dataset: MsiDataset | None) -> None:
        """Read another slide's stack from now on, at the m/z where its slider was left."""
        self._note()
        self.dataset = dataset
        self.come_back()

    def come_back(self) -> None:
        """Move the slider to where it was left on this slide, or to the m/z seen last.

        One slider serves all slides: where it stands means another m/z on each of them, or none.
        """
        viewer = self._viewer()
        layer = None if viewer is None else self._layer(viewer)
        mz = self._left.get(id(self.dataset), self._left.get(_LAST))
        if layer is None or mz is None:
            self.refresh()
            return
        self.follow(mz)
        self._fit_contrast(layer)

    @contextmanager
    def held(self, gone: MsiDataset) -> Iterator[None]:
        """Keep the slider's m/z while a slide's layers are taken away: its range changes."""
        self._note()
        self._left.pop(id(gone), None)
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False
        self.come_back()

    def _note(self) -> None:
        """Note at which m/z the slider stands; ids, as not every dataset can be a key."""
        window = self.window()
        if window is not None and self._shown is not None:
            self._left[id(self._shown[0].dataset)] = self._left[_LAST] = window.center

    def renew(self) -> None:
        """Bring text and contrast in line with another measure, or another way to draw."""
        viewer = self._viewer()
        layer = None if viewer is None else self._layer(viewer)
        if layer is not None:
            self._limits = None
            self._fit_contrast(layer)
        self.write()

    def window(self) -> MassWindow | None:
        """Return the m/z window the slider stands at; ``None`` without a stack."""
        return None if self._shown is None else self._shown[0].channels[self._shown[1]]

    @property
    def is_seen(self) -> bool:
        """Whether the stack is what is seen."""
        viewer = self._viewer()
        layer = None if viewer is None else self._layer(viewer)
        return layer is not None and bool(layer.visible)

    def is_at(self, mz: float) -> bool:
        """Whether the stack is seen at the channel nearest to an m/z."""
        shown = self._shown
        return self.is_seen and shown is not None and shown[0].nearest(mz) == shown[1]

    def go_to(self, mz: float) -> None:
        """Move the slider to the channel nearest to an m/z and show the stack."""
        viewer = self._viewer()
        layer = None if viewer is None else self._layer(viewer)
        if viewer is not None and layer is not None and math.isfinite(mz):
            self._move(viewer, layer, layer.data.nearest(mz))
            self._reveal(viewer, layer)

    def follow(self, mz: float) -> None:
        """Move the slider to the channel nearest to an m/z that is shown otherwise."""
        viewer = self._viewer()
        layer = None if viewer is None else self._layer(viewer)
        if viewer is not None and layer is not None and math.isfinite(mz):
            channel = layer.data.nearest(mz)
            # Known beforehand: a slider that somebody moved would show the stack.
            self._shown, self._is_outside = (layer.data, channel), False
            self._move(viewer, layer, channel)
            self.write()

    def _move(self, viewer: ViewerModel, layer: Image, channel: int) -> None:
        position = layer.data_to_world((channel, *(0,) * (layer.ndim - 1)))[0]
        viewer.dims.set_point(viewer.dims.ndim - layer.ndim, float(position))

    def _layer_added(self, event: Any) -> None:
        self._watch(event.value)
        if _is_stack(event.value) and event.value.data.dataset is self.dataset:
            self.come_back()
        self.refresh()
        self.write()

    def _layer_removed(self, _: object) -> None:
        self._axis = None
        self.refresh()

    def _watch(self, layer: Layer) -> None:
        layer.events.visible.connect(self._seen)
        if _is_stack(layer):
            for name in (*PLACEMENT, "data"):
                layer.events[name].connect(self._placed)

    def _placed(self, _: object) -> None:
        """Take note that a stack was put somewhere else, or has other channels."""
        self._axis = None

    def _channels(self, layer: Image) -> ChannelAxis:
        if self._axis is None or self._axis[0] is not layer:
            # Once: napari puts its transforms together anew at each question.
            self._axis = layer, ChannelAxis.of(layer)
        return self._axis[1]

    def _seen(self, event: Any) -> None:
        """Take note that a layer was shown or hidden; a stack that appears needs its contrast."""
        viewer = self._viewer()
        layer = None if viewer is None else self._layer(viewer)
        if layer is not None and event.source is layer:
            self._fit_contrast(layer)
        self.write()

    def write(self, _: object = None) -> None:
        """Write over the canvas which ion images are seen, or where the hidden slider stands."""
        viewer = self._viewer()
        layer = None if viewer is None else self._layer(viewer)
        if viewer is None or layer is None or self._shown is None:
            return
        text = _text(*self._shown)
        if not layer.visible:
            ions = layers_of(viewer.layers, layer.data.dataset, *SINGLE_ROLES)
            lines = [line for ion in ions if ion.visible and (line := _line(ion))]
            text = "\n".join(lines) or f"slider at {text}, hidden"
        elif self._is_outside:
            text = _outside(self._shown[0])
        self._say(text)

    def write_to(self, place: Callable[[str], object] | None) -> None:
        """Write somewhere else than with napari's own text; ``None`` is there again.

        Parameters
        ----------
        place
            Called with each new text; ``""`` where there is nothing to say.
        """
        self._say("")
        self._place = place
        self.write()

    def _say(self, text: str) -> None:
        viewer = self._viewer()
        if self._place is not None:
            self._place(text)
        elif viewer is not None:
            write_over_canvas(viewer, text)

    def _layer(self, viewer: ViewerModel) -> Image | None:
        stacks = [layer for layer in viewer.layers if _is_stack(layer)]
        tag = tag_of(viewer.layers.selection.active)
        wanted = self.dataset or (tag.dataset if tag else None)
        of_slide = [layer for layer in stacks if layer.data.dataset is wanted]
        if of_slide or self.dataset is not None:
            return of_slide[-1] if of_slide else None
        return stacks[-1] if stacks else None

    def _reveal(self, viewer: ViewerModel, layer: Image) -> None:
        """Show the stack: whoever moves its slider wants to see it."""
        show_alone(viewer, layer)

    def _fit_contrast(self, layer: Image) -> None:
        """Fit the contrast to the image on show, until the user sets it by hand."""
        if not layer.visible or self._shown is None or self._is_set_by_hand(layer):
            return
        image = layer.data.image(self._shown[1])
        self._limits = contrast_limits(image, self.clip)
        draw_between(layer, self._limits, contrast_range(image, self._limits))

    def _is_set_by_hand(self, layer: Image) -> bool:
        return self._limits is not None and not np.allclose(self._limits, layer.contrast_limits)


def _is_stack(layer: Layer) -> bool:
    tag = tag_of(layer)
    return tag is not None and tag.role == "stack" and isinstance(layer.data, LazyIonStack)


def _text(stack: LazyIonStack, channel: int) -> str:
    shown = query_text(IonQuery(stack.channels[channel], stack.measure))
    return f"{shown}   ({channel + 1:,} of {len(stack):,})"


def _outside(stack: LazyIonStack) -> str:
    low, high = stack.channels[0].center, stack.channels[-1].center
    return (
        f"The slider is outside {stack.dataset.name}, which goes from m/z {low:.2f} to {high:.2f}: "
        "another slide has more"
    )


def _line(layer: Layer) -> str:
    """Say which ion image a layer shows, and as which color among three."""
    tag = tag_of(layer)
    if tag is None or tag.query is None:
        return ""
    return f"{tag.channel}  {query_text(tag.query)}" if tag.channel else query_text(tag.query)
