"""Section *Predict*: the overlay, how strong it is, and how far it may be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QPushButton, QWidget

from napari_ims_tumor.annotation.label_classes import TUMOR_SCHEME
from napari_ims_tumor.session.slide_state import SlideState
from napari_ims_tumor.viewer.slide_tag import first_of
from napari_ims_tumor.widgets.forms import form_for
from napari_ims_tumor.widgets.section import Section, show_text, text_line
from napari_ims_tumor.widgets.theme import Palette
from napari_ims_tumor.widgets.wiring import Wiring

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_ims_tumor.viewer.slide_tag import Role

UNCALIBRATED = (
    "Uncalibrated: too few separate strokes to check the probabilities against. "
    "Read them as an order, not as percentages."
)
STALE = "Out of date: strokes were painted since this model was fitted."
SLIDER = {"widget_type": "FloatSlider", "min": 0.0, "max": 1.0, "step": 0.01}


@dataclass(frozen=True)
class OverlayForm:
    """How a prediction is looked at.

    Attributes
    ----------
    opacity
        How strongly the overlay covers the tissue.
    show_classes
        Show one class per pixel beside the probability.
    threshold
        A pixel counts as tumor from this probability on.
    """

    opacity: Annotated[float, SLIDER] = 0.7
    show_classes: bool = False
    threshold: Annotated[float, SLIDER] = 0.5


class PredictPanel(Section):
    """Asks for a prediction and steers its two layers."""

    def __init__(self, wiring: Wiring, parent: QWidget | None = None) -> None:
        super().__init__("4  Predict", "predict", parent)
        self._session = wiring.session
        self._binding = wiring.binding
        self._make()
        self._connect(wiring)
        self.refresh()

    def _make(self) -> None:
        self.predict = QPushButton("Predict this slide")
        self.predict.setObjectName("predict_start")
        self.reason = text_line("predict_reason")
        self.scale = _color_scale()
        self.form = form_for(OverlayForm, {"show_classes": {"label": "classes"}})
        self.form["show_classes"].native.setText("one per pixel")
        self.stale = text_line("predict_stale")
        self.uncalibrated = text_line("predict_uncalibrated")
        self.add(self.predict, self.reason, self.stale, self.uncalibrated)
        self.add(self.scale, self.form)

    def _connect(self, wiring: Wiring) -> None:
        session = wiring.session
        for signal in (
            session.active_changed, session.annotation_changed, session.fitted,
            session.predicted,
        ):  # fmt: skip
            wiring.on(signal, self._changed)
        self.predict.clicked.connect(session.classifier.predict)
        self.form["opacity"].changed.connect(self._set_opacity)
        self.form["show_classes"].changed.connect(self._show_classes)
        self.form["threshold"].changed.connect(self._set_threshold)

    def paint_with(self, colors: Palette) -> None:
        """Take the theme's colors."""
        for label in (self.stale, self.uncalibrated):
            label.setStyleSheet(f"color: {colors.warning};")

    def refresh(self) -> None:
        """Show whether there is a prediction, and what is to be said about it."""
        reason = self._session.classifier.why_not_predict()
        self.predict.setEnabled(reason is None)
        self.predict.setToolTip(reason or "Predict every pixel of this slide with the model")
        show_text(self.reason, reason or "")
        slide = self._session.active
        prediction = slide.prediction if slide else None
        self.scale.setVisible(prediction is not None)
        self.form.setVisible(prediction is not None)
        stale = slide is not None and prediction is not None and slide.prediction_is_stale
        show_text(self.stale, STALE if stale else "")
        uncalibrated = prediction is not None and not prediction.calibrated
        show_text(self.uncalibrated, UNCALIBRATED if uncalibrated else "")

    def _changed(self, _: object) -> None:
        self.refresh()

    # ---- the two layers ---------------------------------------------------------------------

    def _set_opacity(self, opacity: float) -> None:
        for role in ("tumor", "class"):
            layer = self._layer(role)
            if layer is not None:
                layer.opacity = opacity

    def _show_classes(self, shown: bool) -> None:
        layer = self._layer("class")
        if layer is not None:
            layer.visible = shown

    def _set_threshold(self, threshold: float) -> None:
        if self._binding is not None:
            self._binding.set_threshold(threshold)

    def _layer(self, role: Role) -> Layer | None:
        slide: SlideState | None = self._session.active
        if self._binding is None or slide is None:
            return None
        return first_of(self._binding.viewer.layers, slide.dataset, role)


def _color_scale() -> QLabel:
    """Draw what the overlay's colors mean: healthy, unsure, tumor."""
    color = {label.role: label.color for label in TUMOR_SCHEME.classes}
    scale = QLabel("0  healthy            unsure            tumor  1")
    scale.setObjectName("predict_scale")
    scale.setAlignment(Qt.AlignmentFlag.AlignCenter)
    scale.setToolTip("Colors of the tumor probability, from 0 to 1")
    scale.setStyleSheet(
        "QLabel { color: white; border-radius: 3px; padding: 2px; background: "
        f"qlineargradient(x1:0, y1:0, x2:1, y2:0, stop:0 {color['healthy']}, "
        f"stop:0.5 #6b6b6b, stop:1 {color['tumor']}); }}"
    )
    return scale
