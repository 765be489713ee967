"""Predictions, put over the tissue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final
from uuid import UUID

from psygnal import Signal

from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.session.session import Session
from napari_ims_tumor.session.slide_state import SlideState
from napari_ims_tumor.viewer.layer_list import COLORED_ROLES, show_alone, update_layer
from napari_ims_tumor.viewer.layers import (
    OVERLAY_OPACITY,
    OVERLAY_WORDS,
    LayerTuple,
    alone_layer,
    class_layer,
    disagreement_layer,
    overlay_name,
    tumor_layer,
    uncertainty_layer,
    unfamiliarity_layer,
)
from napari_ims_tumor.viewer.slide_tag import first_of, layers_of, tag_of
from napari_ims_tumor.viewer.withheld import Withholding

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_ims_tumor.viewer.slide_tag import Role

ON_DEMAND: Final[Mapping[Role, Callable[[SlideState], LayerTuple]]] = {
    "uncertainty": uncertainty_layer,
    "disagreement": disagreement_layer,
    "unfamiliarity": unfamiliarity_layer,
}
"""Layers that are made when they are first looked at: adding a layer costs the window time."""

SO_FAR: Final = " (so far)"
"""In the names of layers while a prediction is being made."""
NOT_ALL: Final = "the prediction did not come to its end; what was shown before is shown again."


class Overlays:
    """Keeps the prediction layers of every slide up to date.

    Attributes
    ----------
    threshold
        Tumor from this probability on, in the class layer.
    abstain
        Pixels closer to the threshold than this get no class.
    withholding
        Which answers are not shown.
    opacity
        Of overlays, on every slide.
    """

    seen_changed = Signal()
    """An overlay or an ion image was shown, hidden or made clearer, by whomever."""

    def __init__(self, viewer: ViewerModel, session: Session) -> None:
        self._viewer, self._session = viewer, session
        self.threshold, self.abstain = 0.5, 0.0
        self.withholding = Withholding()
        self.opacity = OVERLAY_OPACITY
        self._half: dict[UUID, SlideState] = {}
        self._on_demand = {**ON_DEMAND, "alone": self._alone_layer}

    def show_prediction(self, slide: SlideState) -> None:
        """Show the newest prediction of a slide; a model without a tumor class is refused.

        It is looked at as the one before was; the first one as a tumor probability.
        """
        self._half.pop(slide.key, None)
        self._show(slide)

    def show_preview(self, half: SlideState) -> None:
        """Show what is predicted of a slide so far; where nothing is, nothing is shown."""
        self._half[half.key] = half
        self._show(half)
        for role in OVERLAY_WORDS:
            layer = self._layer(half, role)
            if layer is not None:
                layer.name = f"{overlay_name(half, role)}{SO_FAR}"

    def end_preview(self) -> None:
        """Show again what slides had before; nothing where that was nothing."""
        for half in list(self._half.values()):
            slide = self._session.current(half)
            if slide is None:
                del self._half[half.key]
                continue
            self.show_prediction(slide)
            self._session.noticed.emit(f"{slide.name}: {NOT_ALL}")
            for role in OVERLAY_WORDS if slide.prediction is None else ():
                layer = self._layer(slide, role)
                if layer is not None:
                    self._viewer.layers.remove(layer)

    def hide(self, slide: SlideState) -> None:
        """Look at the tissue without a prediction over it."""
        for layer in layers_of(self._viewer.layers, slide.dataset, *OVERLAY_WORDS):
            layer.visible = False

    def watch(self, layer: Layer) -> None:
        """Hear when an overlay or an ion image is shown or hidden."""
        tag = tag_of(layer)
        if tag is not None and tag.role in COLORED_ROLES:
            layer.events.visible.connect(self._seen_changed)
            layer.events.opacity.connect(self._seen_changed)
            self.seen_changed.emit()

    def lost(self, layer: Layer) -> None:
        """Notice that one was deleted."""
        tag = tag_of(layer)
        if tag is not None and tag.role in COLORED_ROLES:
            self.seen_changed.emit()

    def _seen_changed(self, _: object) -> None:
        self.seen_changed.emit()

    def is_half(self, slide: SlideState) -> bool:
        """Whether what is shown of a slide is not all of it yet."""
        return slide.key in self._half

    def look_as(self, slide: SlideState, role: Role) -> None:
        """Look at a slide's prediction as one of :data:`OVERLAY_WORDS`; alone, over the tissue."""
        try:
            layer = self.layer_for(slide, role)
        except ImsTumorError as error:
            self._session.failed.emit(str(error))
            return
        if layer is not None:
            show_alone(self._viewer, layer)

    def layer_for(self, slide: SlideState, role: Role) -> Layer | None:
        """Return a layer of a slide's prediction, made where it is one made on demand."""
        layer = self._layer(slide, role)
        slide = self._half.get(slide.key, slide)
        if layer is None and role in ("tumor", "class"):
            # Somebody has deleted it from the layer list.
            self._show(slide)
            return self._layer(slide, role)
        if layer is None and role in self._on_demand and slide.prediction is not None:
            layer = update_layer(self._viewer, self._on_demand[role](slide))
            layer.opacity = self._opacity_on(slide)
        return layer

    def looked_at(self, slide: SlideState) -> Role | None:
        """As what a slide's prediction is seen: the topmost visible layer of it."""
        seen = (role for role in OVERLAY_WORDS if (la := self._layer(slide, role)) and la.visible)
        return max(seen, key=list(OVERLAY_WORDS).index, default=None)

    def mark(self, slide: SlideState) -> None:
        """Say in the layers' names whether strokes changed since the prediction's model."""
        for role in OVERLAY_WORDS:
            layer = self._layer(slide, role)
            if layer is not None and slide.prediction is not None:
                layer.name = overlay_name(slide, role)
                layer.metadata["stale"] = slide.prediction_is_stale

    def set_threshold(self, threshold: float, abstain: float) -> None:
        """Draw the class layers with another threshold."""
        self.threshold, self.abstain = threshold, abstain
        self._redraw("class", self._class_layer)

    def set_opacity(self, opacity: float) -> None:
        """Show the overlays of every slide, and those to come, so strongly."""
        self.opacity = opacity
        for slide in self._session.slides:
            for layer in layers_of(self._viewer.layers, slide.dataset, *OVERLAY_WORDS):
                layer.opacity = opacity

    def opacity_of(self, slide: SlideState) -> float:
        """How strongly the overlay is shown that is looked at."""
        layer = self._layer(slide, self.looked_at(slide) or "tumor")
        return self.opacity if layer is None else float(layer.opacity)

    def withhold(self, how: Withholding) -> None:
        """Draw probabilities and classes without the answers that are not to be shown."""
        self.withholding = how
        self._redraw("class", self._class_layer)
        self._redraw("tumor", lambda slide: tumor_layer(slide, how))
        self._redraw("alone", self._alone_layer)

    def _show(self, slide: SlideState) -> None:
        if slide.prediction is None:
            return
        try:
            made = (tumor_layer(slide, self.withholding), self._class_layer(slide))
        except ImsTumorError as error:
            self._session.failed.emit(str(error))
            return
        looked_at, opacity = self.looked_at(slide), self._opacity_on(slide)
        for data, kwargs, kind in made:
            # Of a layer that is there already its own opacity stays.
            update_layer(self._viewer, (data, {**kwargs, "opacity": opacity}, kind))
        self._renew_those_on_demand(slide)
        shown = self._layer(slide, looked_at or "tumor") or self._layer(slide, "tumor")
        if shown is not None:
            show_alone(self._viewer, shown)

    def _redraw(self, role: Role, make: Callable[[SlideState], LayerTuple]) -> None:
        for whole in self._session.slides:
            slide = self._half.get(whole.key, whole)
            layer = self._layer(slide, role)
            if layer is not None and slide.prediction is not None:
                layer.data = make(slide)[0]

    def _alone_layer(self, slide: SlideState) -> LayerTuple:
        return alone_layer(slide, self.withholding)

    def _class_layer(self, slide: SlideState) -> LayerTuple:
        return class_layer(slide, self.threshold, self.abstain, self.withholding)

    def _renew_those_on_demand(self, slide: SlideState) -> None:
        """Bring the layers up to a new prediction; one without a disagreement loses that layer."""
        for role, make in self._on_demand.items():
            layer = self._layer(slide, role)
            if layer is None:
                continue
            try:
                update_layer(self._viewer, make(slide))
            except ImsTumorError:
                self._viewer.layers.remove(layer)

    def _opacity_on(self, slide: SlideState) -> float:
        """As strong as what is there already, which may have been set in napari's own controls."""
        tumor = self._layer(slide, "tumor")
        return self.opacity if tumor is None else float(tumor.opacity)

    def _layer(self, slide: SlideState, role: Role) -> Layer | None:
        return first_of(self._viewer.layers, slide.dataset, role)
