"""Slides as groups of layers: opened by the session or dropped into the viewer, and let go."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_ims_tumor.session.session import Session
from napari_ims_tumor.session.slide_state import SlideState
from napari_ims_tumor.viewer.canvas_overlays import fit_view, scale_bar
from napari_ims_tumor.viewer.layer_list import insert_layer, remove_slide, show_only
from napari_ims_tumor.viewer.layers import slide_layers
from napari_ims_tumor.viewer.mass_readout import readout_of
from napari_ims_tumor.viewer.slide_tag import SlideTag, first_of, layers_of, tag_of

if TYPE_CHECKING:
    from uuid import UUID

    from napari.components import ViewerModel
    from napari.layers import Layer


class SlideLayers:
    """Keeps the session's slides and the viewer's groups of layers the same set.

    Attributes
    ----------
    is_busy
        Whether layers are being added or removed from here: their events are no news then.
    """

    def __init__(self, viewer: ViewerModel, session: Session) -> None:
        self._viewer, self._session = viewer, session
        self._hidden: dict[Layer, bool] = {}
        self._selected: dict[UUID, Layer] = {}
        self.is_busy = False

    def meet(self, tag: SlideTag) -> bool:
        """Take in the slide of a layer that a reader has added.

        Returns
        -------
        bool
            False where the same file is open already: that layer is not wanted.
        """
        slides = self._session.slides
        if any(slide.dataset is tag.dataset for slide in slides):
            return True
        source = tag.dataset.source
        if source is not None and any(_is_from(slide, tag) for slide in slides):
            return False
        # The reader adds the slide's other layers itself, one after the other.
        with self.busy():
            self._session.adopt(tag.dataset, tag.overview)
        self._show_scale(tag.dataset.pixels.pixel_size_um is not None)
        return True

    def show(self, slide: SlideState) -> None:
        """Add a slide's layers as soon as its overview is known."""
        known = layers_of(self._viewer.layers, slide.dataset)
        if slide.overview is None or known or self.is_busy:
            return
        with self.busy():
            for made in slide_layers(slide.dataset, slide.overview):
                insert_layer(self._viewer, made)
            tic = first_of(self._viewer.layers, slide.dataset, "tic")
            self._viewer.layers.selection.active = tic
        self._show_scale(slide.dataset.pixels.pixel_size_um is not None)
        readout_of(self._viewer).refresh()
        self._fit_view(slide)

    def retell(self, slide: SlideState) -> None:
        """Write a slide's warnings into the metadata of its layers anew."""
        for layer in layers_of(self._viewer.layers, slide.dataset):
            layer.metadata["warnings"] = slide.dataset.warnings

    def activate(self, slide: SlideState | None) -> None:
        """Show the active slide and hide the others."""
        readout = readout_of(self._viewer)
        before = readout.dataset
        if slide is not None:
            show_only(self._viewer, slide.dataset, self._hidden)
            self._select_in(slide)
            if before is not None and before is not slide.dataset:
                self._fit_view(slide)
        readout.turn_to(None if slide is None else slide.dataset)

    def remove(self, slide: SlideState) -> None:
        """Take the layers of a closed slide away."""
        active, layers = self._session.active, self._viewer.layers
        with self.busy():
            # First, so that no brush of a layer that goes is drawn any more.
            if active is not None:
                self._select_in(active)
            elif tag_of(layers.selection.active) is not None:
                layers.selection.active = None
            self._selected.pop(slide.key, None)
            with readout_of(self._viewer).held(slide.dataset):
                remove_slide(self._viewer, slide.dataset)
        self._forget_hidden()

    def lost(self, layer: Layer) -> None:
        """Close a slide whose last layer was deleted."""
        tag = tag_of(layer)
        self._forget_hidden()
        if tag is None or self.is_busy or layers_of(self._viewer.layers, tag.dataset):
            return
        for slide in self._session.slides:
            if slide.dataset is tag.dataset:
                self._session.close_slide(slide)

    def returns(self, layer: Layer) -> bool | None:
        """Whether a layer is seen once its slide is active again; ``None`` while its slide is."""
        return self._hidden.get(layer)

    def let_return(self, layer: Layer, seen: object) -> None:
        """Decide what :meth:`returns` says of a layer."""
        self._hidden.pop(layer, None)
        if isinstance(seen, bool):
            self._hidden[layer] = seen

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Mark what happens to layers inside as this package's own doing."""
        was, self.is_busy = self.is_busy, True
        try:
            yield
        finally:
            self.is_busy = was

    def _select_in(self, slide: SlideState) -> None:
        """Select a layer of this slide instead of another slide's: the one it was left with.

        Keys and brushes go to the selected layer, seen or not: Ctrl+Z would take back a stroke on a
        slide that nobody looks at.
        """
        layers = self._viewer.layers
        selected = layers.selection.active
        tag = tag_of(selected)
        if selected is None or tag is None or tag.dataset is slide.dataset:
            return
        left = next((s for s in self._session.slides if s.dataset is tag.dataset), None)
        if left is not None:
            self._selected[left.key] = selected
        before = self._selected.get(slide.key)
        tic = first_of(layers, slide.dataset, "tic")
        layers.selection.active = before if before in layers else tic

    def _fit_view(self, slide: SlideState) -> None:
        """Bring a slide into view: another one may have been far larger or smaller."""
        layers = layers_of(self._viewer.layers, slide.dataset)
        if layers:
            fit_view(self._viewer, layers[0])

    def _forget_hidden(self) -> None:
        self._hidden = {la: seen for la, seen in self._hidden.items() if la in self._viewer.layers}

    def _show_scale(self, is_known: bool) -> None:
        if is_known and len(self._session.slides) == 1:
            scale_bar(self._viewer).visible = True


def _is_from(slide: SlideState, tag: SlideTag) -> bool:
    ours, theirs = slide.dataset.source, tag.dataset.source
    if ours is None or theirs is None:
        return False
    return ours.resolve().with_suffix("") == theirs.resolve().with_suffix("")
