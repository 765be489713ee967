"""What the session makes for looking at, put over the tissue: ion images and predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.session.session import Session
from napari_ims_tumor.session.slide_state import IonImage, SlideState
from napari_ims_tumor.viewer.contrast import contrast_limits, contrast_range
from napari_ims_tumor.viewer.layer_list import show_alone, update_layer
from napari_ims_tumor.viewer.layers import (
    class_layer,
    class_name,
    ion_layer,
    tumor_layer,
    tumor_name,
)
from napari_ims_tumor.viewer.slide_tag import first_of

if TYPE_CHECKING:
    from napari.components import ViewerModel


class Overlays:
    """Keeps the ion layer and the two prediction layers of every slide up to date.

    Attributes
    ----------
    threshold
        Tumor from this probability on, in the class layer.
    abstain
        Pixels closer to the threshold than this get no class.
    """

    def __init__(self, viewer: ViewerModel, session: Session) -> None:
        self._viewer, self._session = viewer, session
        self.threshold, self.abstain = 0.5, 0.0

    def show_ion(self, shown: IonImage) -> None:
        """Show an ion image in the slide's one ion layer."""
        layer = update_layer(self._viewer, ion_layer(shown))
        layer.contrast_limits_range = contrast_range(shown.image)
        layer.contrast_limits = contrast_limits(shown.image)
        show_alone(self._viewer, layer)

    def show_prediction(self, slide: SlideState) -> None:
        """Show the newest prediction of a slide; a model without a tumor class is refused."""
        if slide.prediction is None:
            return
        try:
            made = (class_layer(slide, self.threshold, self.abstain), tumor_layer(slide))
        except ImsTumorError as error:
            self._session.failed.emit(str(error))
            return
        classes, tumor = (update_layer(self._viewer, layer) for layer in made)
        show_alone(self._viewer, classes if classes.visible else tumor)

    def mark(self, slide: SlideState) -> None:
        """Say in the layers' names whether strokes changed since the prediction's model."""
        for role, name in (("tumor", tumor_name(slide)), ("class", class_name(slide))):
            layer = first_of(self._viewer.layers, slide.dataset, role)  # type: ignore[arg-type]
            if layer is not None and slide.prediction is not None:
                layer.name = name
                layer.metadata["stale"] = slide.prediction_is_stale

    def set_threshold(self, threshold: float, abstain: float) -> None:
        """Draw the class layers with another threshold."""
        self.threshold, self.abstain = threshold, abstain
        for slide in self._session.slides:
            layer = first_of(self._viewer.layers, slide.dataset, "class")
            if layer is not None and slide.prediction is not None:
                layer.data = class_layer(slide, threshold, abstain)[0]
