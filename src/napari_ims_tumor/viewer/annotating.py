"""Painting: the labels layers of all slides, made, met, lost and found again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from napari.layers import Labels

from napari_ims_tumor.annotation.label_classes import TUMOR
from napari_ims_tumor.errors import LabelsError
from napari_ims_tumor.session.session import Session
from napari_ims_tumor.session.slide_state import SlideState
from napari_ims_tumor.viewer.colors import class_colormap
from napari_ims_tumor.viewer.labels_link import Debounce, LabelsLink
from napari_ims_tumor.viewer.layer_list import align, insert_layer
from napari_ims_tumor.viewer.layers import LABELS_OPACITY, labels_layer
from napari_ims_tumor.viewer.slide_tag import SlideTag, first_of, tag_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from napari.components import ViewerModel
    from napari.layers import Layer

NO_SLIDE: Final = "Open a slide first."
_LARGEST_BRUSH: Final = 10
_BRUSHES_ACROSS: Final = 40


ERASE_KEY: Final = "E"


class Annotating:
    """Ties each slide to at most one labels layer, and never loses strokes over it.

    Attributes
    ----------
    on_erase
        What E does on a labels layer. Keys of the selected layer come before the viewer's, and
        napari's own E takes a brush, whatever the eraser of the moment is.
    """

    def __init__(self, viewer: ViewerModel, session: Session, debounced: Debounce) -> None:
        self._viewer, self._session, self._debounced = viewer, session, debounced
        self.on_erase: Callable[[], object] = self.take_eraser
        self._links: dict[UUID, LabelsLink] = {}
        self._lost: list[UUID] = []
        self._tell_lost = debounced(self._say_kept)

    def layer_for(self, slide: SlideState) -> Labels:
        """Return the slide's labels layer, made with its annotation where there is none."""
        link = self._links.get(slide.key)
        if link is not None:
            return link.layer
        # One that an earlier binding of this viewer has left is the slide's still.
        left = first_of(self._viewer.layers, slide.dataset, "labels")
        if isinstance(left, Labels) and left.data.shape == slide.annotation.labels.shape:
            self._link(left, slide).show(slide)
            return left
        layer = insert_layer(self._viewer, labels_layer(slide.dataset, slide.annotation))
        layer.brush_size = max(
            1, min(_LARGEST_BRUSH, min(slide.dataset.pixels.shape) // _BRUSHES_ACROSS)
        )
        self._link(layer, slide)
        return layer

    def new_layer(self) -> Labels | None:
        """Make (or find again) the active slide's labels layer and take up the tumor brush."""
        return self.take_brush(TUMOR)

    def take_brush(self, value: int) -> Labels | None:
        """Paint with a class on the active slide; ``None`` and a message without a slide."""
        layer = self.selected_layer()
        if layer is not None:
            layer.selected_label = value
            layer.mode = "paint"
        return layer

    def take_eraser(self) -> Labels | None:
        """Erase on the active slide."""
        layer = self.selected_layer()
        if layer is not None:
            layer.mode = "erase"
        return layer

    def selected_layer(self) -> Labels | None:
        """Show and select the active slide's labels layer; a message without a slide."""
        slide = self._session.active
        if slide is None:
            self._session.failed.emit(NO_SLIDE)
            return None
        layer = self.layer_for(slide)
        layer.visible = True
        self._viewer.layers.selection.active = layer
        return layer

    def use_layer(self, layer: Layer) -> None:
        """Make a layer of the user's own the active slide's labels; refused when it cannot be."""
        slide = self._session.active
        if slide is None:
            raise LabelsError(NO_SLIDE)
        shape = slide.dataset.pixels.image_shape
        if not isinstance(layer, Labels):
            raise LabelsError(f"{layer.name} is no labels layer: make one with the Annotate button")
        if tuple(layer.data.shape) != shape:
            raise LabelsError(
                f"{layer.name} of shape {tuple(layer.data.shape)} does not fit the slide "
                f"{slide.name} of shape {shape}: make one with the Annotate button"
            )
        self._unlink(slide.key)
        layer.metadata = {**layer.metadata, **SlideTag(slide.dataset, "labels").as_metadata()}
        layer.colormap = class_colormap(slide.annotation.scheme)
        layer.opacity = LABELS_OPACITY
        align(self._viewer, layer, slide.dataset)
        self._link(layer, slide).take()

    def meet(self, layer: Labels) -> bool:
        """Decide what a labels layer that somebody else has added is to be.

        One of the slide's shape becomes its labels layer, if it has none. Others are left alone.

        Returns
        -------
        bool
            False for one as large as the stack, which napari's own *New labels* makes on it: that
            layer is not wanted, nobody paints thousands of ion images one by one.
        """
        slide, tag = self._session.active, tag_of(layer)
        if tag is not None:
            # A duplicate of a labels layer is a note of the user's: it is not the slide's.
            layer.metadata = {k: v for k, v in layer.metadata.items() if v is not tag}
        elif slide is not None and self._is_cube(layer, slide):
            return False
        elif slide is not None and self._is_missing(layer, slide):
            self.use_layer(layer)
        return True

    def replace_cube(self) -> None:
        """Give the active slide a labels layer of its own shape and say why."""
        self.new_layer()
        slide = self._session.active
        if slide is not None:
            self._session.noticed.emit(f"One labels layer serves all ion images of {slide.name}.")

    def lost(self, layer: Layer) -> None:
        """Notice that a labels layer was deleted; its strokes stay in the session."""
        link = next((link for link in self._links.values() if link.layer is layer), None)
        if link is None:
            return
        link.take()
        self._unlink(link.key)
        # After a pause: a window that closes takes its layers away first, and then it is no news.
        self._lost.append(link.key)
        self._tell_lost()

    def show(self, slide: SlideState) -> None:
        """Show a slide's annotation; a layer is made once there is something to see."""
        link = self._links.get(slide.key)
        if link is not None:
            link.show(slide)
        elif slide.annotation.labels.any():
            self.layer_for(slide)

    def take_all(self) -> None:
        """Hand over what was painted a moment ago, without waiting."""
        for link in tuple(self._links.values()):
            link.take()

    def forget(self, slide: SlideState) -> None:
        """Let go of a closed slide's labels layer."""
        self._unlink(slide.key)

    def close(self) -> None:
        """Let go of all labels layers; they stay in the viewer."""
        self._lost.clear()
        for key in tuple(self._links):
            self._unlink(key)

    def _say_kept(self) -> None:
        lost, self._lost = set(self._lost) - set(self._links), []
        for slide in self._session.slides:
            painted = int((slide.annotation.labels > 0).sum())
            if slide.key in lost and painted:
                self._session.noticed.emit(
                    f"The {painted:,} painted pixels of {slide.name} are kept: the Annotate "
                    "button shows them again. To be rid of them, erase them."
                )

    def _is_cube(self, layer: Labels, slide: SlideState) -> bool:
        stack = first_of(self._viewer.layers, slide.dataset, "stack")
        return stack is not None and tuple(layer.data.shape) == tuple(stack.data.shape)

    def _is_missing(self, layer: Labels, slide: SlideState) -> bool:
        fits = tuple(layer.data.shape) == slide.dataset.pixels.image_shape
        return fits and slide.key not in self._links

    def _link(self, layer: Labels, slide: SlideState) -> LabelsLink:
        link = LabelsLink(self._viewer, self._session, layer, slide, self._debounced)
        self._links[slide.key] = link
        layer.bind_key(ERASE_KEY, self._erase, overwrite=True)
        return link

    def _erase(self, _: object) -> None:
        self.on_erase()

    def _unlink(self, key: UUID) -> None:
        link = self._links.pop(key, None)
        if link is not None:
            link.layer.bind_key(ERASE_KEY, None)
            link.close()
