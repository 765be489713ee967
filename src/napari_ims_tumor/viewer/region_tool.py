"""A click that says of a whole region what it roughly is: of a piece of tissue, or of a core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from napari.layers import Labels

from napari_ims_tumor.annotation.regions import ROUGHLY
from napari_ims_tumor.annotation.whole_regions import region_at, with_region
from napari_ims_tumor.msi.arrays import BoolArray
from napari_ims_tumor.session.session import Session
from napari_ims_tumor.session.slide_state import SlideState
from napari_ims_tumor.viewer.annotating import Annotating
from napari_ims_tumor.viewer.picking import PAN_ZOOM, Pixel
from napari_ims_tumor.viewer.slide_tag import first_of, tag_of

if TYPE_CHECKING:
    from napari.components import ViewerModel

NO_TISSUE: Final = "Nothing was measured there: click on tissue."


class RegionTool:
    """Labels the region under a click, in the labels layer, so that napari can undo it.

    Attributes
    ----------
    is_chosen
        Whether brushes are for whole regions; else they paint strokes.
    """

    def __init__(self, viewer: ViewerModel, session: Session, annotating: Annotating) -> None:
        self._viewer, self._session, self._annotating = viewer, session, annotating
        self._value: int | None = None
        self.is_chosen = False

    @property
    def held(self) -> int | None:
        """Class value that a click gives a region, 0 to take it away; ``None`` for no tool."""
        slide = self._session.active
        layer = None if slide is None else first_of(self._viewer.layers, slide.dataset, "labels")
        # Whoever takes up one of napari's own tools has laid this one down.
        is_free = layer is not None and str(layer.mode) == PAN_ZOOM
        return self._value if self.is_chosen and is_free else None

    def choose(self, whole_regions: bool) -> None:
        """Label whole regions from now on, or paint strokes again."""
        self.is_chosen, self._value = whole_regions, None

    def take(self, value: int) -> Labels | None:
        """Take up a class, 0 the eraser; the layer stays in pan and zoom mode."""
        self._value = value
        layer = self._annotating.selected_layer()
        if layer is not None:
            layer.mode = PAN_ZOOM
            layer.selected_label = value + ROUGHLY if value else 0
        return layer

    def lay_down(self) -> None:
        """Hold no class: clicks show spectra again."""
        self._value = None

    def label(self, pixel: Pixel) -> None:
        """Say of the region around a pixel that it is roughly of the class that is held."""
        slide, value = self._session.active, self.held
        if slide is None or value is None:
            return
        inside = self._region(slide, pixel)
        if not inside.any():
            self._session.noticed.emit(NO_TISSUE)
            return
        layer = self._annotating.layer_for(slide)
        before = np.asarray(layer.data).astype(np.uint8)
        after = with_region(before, inside, value)
        changed = np.nonzero(after != before)
        layer.data_setitem(changed, after[changed])

    def _region(self, slide: SlideState, pixel: Pixel) -> BoolArray:
        """The core of a groups layer of the user's own, else the piece of tissue."""
        pixels = slide.dataset.pixels
        index = (pixel.plane, pixel.row, pixel.column)[-len(pixels.image_shape) :]
        shape = pixels.image_shape
        if not all(0 <= at < size for at, size in zip(index, shape, strict=True)):
            return np.zeros(shape, np.bool_)
        for layer in reversed(self._viewer.layers):
            mine = isinstance(layer, Labels) and layer.visible and tag_of(layer) is None
            if not mine or tuple(layer.data.shape) != shape:
                continue
            cores = np.asarray(layer.data)
            if cores[index] > 0:
                inside: BoolArray = (cores == cores[index]) & pixels.measured
                return inside
        return region_at(pixels.measured, index)
