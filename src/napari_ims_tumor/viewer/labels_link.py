"""One labels layer tied to one slide: strokes go to the session, labels come back from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from napari_ims_tumor.errors import LabelsError
from napari_ims_tumor.session.session import Session
from napari_ims_tumor.session.slide_state import SlideState
from napari_ims_tumor.viewer.layer_list import PLACEMENT, align

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels

Debounce: TypeAlias = Callable[[Callable[[], object]], Callable[[], object]]
"""Turns a function into one that may be called often and runs once after a pause, in the thread
that owns the viewer."""

# A stroke emits one paint; undo and redo only set_data; a replaced array only data. Writing into
# the array emits nothing at all.
_CONTENT_EVENTS: Final = ("paint", "set_data", "data", "labels_update")


def at_once(action: Callable[[], object]) -> Callable[[], object]:
    """Debounce by not waiting: for scripts and tests, which have no event loop."""
    return action


class LabelsLink:
    """Keeps a labels layer and a slide's annotation the same.

    Attributes
    ----------
    layer
        The napari layer; it may be renamed freely.
    key
        The slide's key in the session.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        session: Session,
        layer: Labels,
        slide: SlideState,
        debounced: Debounce = at_once,
    ) -> None:
        self.layer, self.key = layer, slide.key
        self._viewer, self._session, self._slide = viewer, session, slide
        self._is_busy = self._is_closed = False
        self._content_settled = debounced(self.take)
        self._place_settled = debounced(self._realign)
        for name in _CONTENT_EVENTS:
            getattr(layer.events, name).connect(self._content_changed)
        for name in PLACEMENT:
            getattr(layer.events, name).connect(self._place_changed)

    def take(self) -> None:
        """Hand what is painted now to the session; what is no annotation is put back."""
        slide = None if self._is_closed else self._session.current(self._slide)
        if slide is None or self._is_busy:
            return
        self._is_busy = True
        try:
            self._session.annotate(np.asarray(self.layer.data), slide)
        except LabelsError as error:
            self._put(slide)
            self._session.failed.emit(f"{error}. The last good labels are back.")
        finally:
            self._is_busy = False

    def show(self, slide: SlideState) -> None:
        """Bring the layer up to the session's annotation."""
        if not self._is_busy:
            self._is_busy = True
            try:
                self._put(slide)
            finally:
                self._is_busy = False

    def close(self) -> None:
        """Let the layer go; nothing of it is heard any more."""
        self._is_closed = True
        for name in _CONTENT_EVENTS:
            getattr(self.layer.events, name).disconnect(self._content_changed)
        for name in PLACEMENT:
            getattr(self.layer.events, name).disconnect(self._place_changed)

    def _put(self, slide: SlideState) -> None:
        labels = slide.annotation.labels
        if not np.array_equal(self.layer.data, labels):
            self.layer.data = labels.copy()

    def _content_changed(self, _: object = None) -> None:
        if not self._is_busy:
            self._content_settled()

    def _place_changed(self, _: object = None) -> None:
        if not self._is_busy:
            self._place_settled()

    def _realign(self) -> None:
        """Put a moved layer back: its strokes would name other pixels than those seen below."""
        if self._is_closed or self._is_busy:
            return
        self._is_busy = True
        try:
            moved = align(self._viewer, self.layer, self._slide.dataset)
        finally:
            self._is_busy = False
        if moved:
            self._session.noticed.emit(
                f"{self.layer.name} must lie exactly over {self._slide.name}, so it was put back."
            )
