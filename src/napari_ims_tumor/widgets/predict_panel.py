"""Section *Predict*: the overlay, how strong it is, and how far it may be trusted."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args

from qtpy.QtGui import QColor
from qtpy.QtWidgets import QComboBox, QPushButton, QWidget

from napari_ims_tumor.annotation.label_classes import TUMOR_SCHEME
from napari_ims_tumor.msi.binning import reaches_over
from napari_ims_tumor.session.slide_state import SlideState
from napari_ims_tumor.viewer.colors import (
    disagreement_colormap,
    uncertainty_colormap,
    unfamiliarity_colormap,
)
from napari_ims_tumor.viewer.slide_tag import Role
from napari_ims_tumor.viewer.withheld import Withholding, withheld_words
from napari_ims_tumor.widgets.color_scale import ColorScale, Scale
from napari_ims_tumor.widgets.forms import form_for
from napari_ims_tumor.widgets.section import Section, show_text, text_line
from napari_ims_tumor.widgets.theme import Palette
from napari_ims_tumor.widgets.wiring import Wiring

if TYPE_CHECKING:
    from napari.utils.colormaps import Colormap

    from napari_ims_tumor.model.prediction import Prediction

UNCALIBRATED = (
    "Uncalibrated: no strokes that the model had not seen have checked the probabilities. "
    "Read them as an order, not as percentages."
)
STALE = "Out of date: strokes were painted since this model was fitted."


HIDDEN: Final = "hidden"
"""What the list of overlays says while none is seen: an ion image was asked for since."""
SHOWN: Final[dict[str, str]] = {
    "tumor": "tumor probability",
    "alone": "each pixel alone",
    "class": "one class per pixel",
    "uncertainty": "uncertainty",
    "disagreement": "linear versus network",
    "unfamiliarity": "unfamiliarity",
    HIDDEN: "nothing",
}
LEGENDS: Final[dict[str, tuple[str, str, str]]] = {
    "tumor": ("0  healthy", "unsure", "tumor  1"),
    "alone": ("0  healthy", "unsure", "tumor  1"),
    "uncertainty": ("0  sure", "", "no idea  1"),
    "disagreement": ("0  the same", "", "opposite  1"),
    "unfamiliarity": ("0  like labels", "1", "unlike  2"),
}
"""What is written on the color scale: at its low end, in the middle and at its high end."""
COLORMAPS: Final[dict[str, Callable[[], Colormap]]] = {
    "uncertainty": uncertainty_colormap,
    "disagreement": disagreement_colormap,
    "unfamiliarity": unfamiliarity_colormap,
}
UNSURE_COLOR: Final = "#a3955a"
MEANINGS: Final[dict[str, str]] = {
    "tumor": "",
    "alone": "What each pixel says by its own spectrum, before its measured neighbors are asked.",
    "class": "",
    "uncertainty": (
        "How evenly the classes share a pixel (entropy). Paint your next stroke where it is bright."
    ),
    "disagreement": (
        "How far the linear model alone is from this answer. Paint your next stroke where it is "
        "bright."
    ),
    "unfamiliarity": (
        "How unlike the labelled spectra a pixel is. Above 1 its answer is no finding: glass, "
        "matrix, or tissue that nobody has labelled."
    ),
    HIDDEN: "",
}
Answered = Literal["every pixel", "90 % right", "95 % right", "98 % right", "99 % right"]
ACCURACIES: Final[Mapping[float | None, Answered]] = dict(
    zip((None, 0.9, 0.95, 0.98, 0.99), get_args(Answered), strict=True)
)
"""Share of the answers to be right → how that is called; ``None`` asks for nothing."""
WITHHELD_IN: Final[tuple[Role, ...]] = ("tumor", "alone", "class")
"""Where answers that are not to be shown are gray."""
TRUSTED_BY: Final[tuple[Role, ...]] = ("alone", "disagreement", "unfamiliarity")
"""What not every prediction has."""
SLIDER = {"widget_type": "FloatSlider", "min": 0.0, "max": 1.0, "step": 0.01}


@dataclass(frozen=True)
class OverlayForm:
    """How a prediction is looked at.

    Attributes
    ----------
    show
        What is laid over the tissue. An ion image takes its place, until it is chosen again.
    opacity
        How strongly the overlay covers the tissue.
    threshold
        A pixel counts as tumor from this probability on, in the view of one class per pixel and in
        what is exported.
    answer
        Gray where the model is not sure enough, so that of the other answers this many are right
        on held-out groups.
    hide_unfamiliar
        Gray where a spectrum is unlike anything that was labelled: its answer is no finding.
    """

    show: Literal[
        "tumor", "alone", "class", "uncertainty", "disagreement", "unfamiliarity", "hidden"
    ] = "tumor"
    opacity: Annotated[float, SLIDER] = 0.7
    threshold: Annotated[float, SLIDER] = 0.5
    answer: Answered = "every pixel"
    hide_unfamiliar: bool = True


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
        self.scale = ColorScale()
        self.scale.setObjectName("predict_scale")
        self.meaning = text_line("predict_meaning")
        choices = [(words, role) for role, words in SHOWN.items()]
        options: dict[str, dict[str, Any]] = {
            "show": {"choices": choices}, "hide_unfamiliar": {"label": "hide"},
        }  # fmt: skip
        self.form = form_for(OverlayForm, options)
        hide: Any = self.form["hide_unfamiliar"]
        hide.native.setText("unfamiliar pixels")
        for name in ("show", "answer"):
            # A narrow dock must not be wider than itself: the words of a list may be cut instead.
            combo: Any = self.form[name]
            shrink = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            combo.native.setSizeAdjustPolicy(shrink)
            combo.native.setMinimumContentsLength(8)
        self.next = QPushButton("Go to the most uncertain place")
        self.next.setObjectName("predict_next")
        self.next.setToolTip(
            "Bring the largest uncertain region without a stroke into the middle of the view"
        )
        self.stale = text_line("predict_stale")
        self.uncalibrated = text_line("predict_uncalibrated")
        self.add(self.predict, self.reason, self.stale, self.uncalibrated)
        self.withheld = text_line("predict_withheld")
        self.add(self.scale, self.meaning, self.withheld, self.form, self.next)

    def _connect(self, wiring: Wiring) -> None:
        session = wiring.session
        for signal in (
            session.active_changed, session.annotation_changed, session.fitted,
            session.predicted, session.session_opened,
        ):  # fmt: skip
            wiring.on(signal, self._changed)
        if self._binding is not None:
            wiring.on(self._binding.overlays.seen_changed, self._seen_changed)
        self.predict.clicked.connect(session.classifier.predict)
        self.form["opacity"].changed.connect(self._set_opacity)
        self.form["show"].changed.connect(self._look_as)
        self.next.clicked.connect(self._go_to_next)
        self.form["threshold"].changed.connect(self._set_threshold)
        for field in ("answer", "hide_unfamiliar"):
            self.form[field].changed.connect(self._withhold)

    def paint_with(self, colors: Palette) -> None:
        """Take the theme's colors."""
        for label in (self.stale, self.uncalibrated):
            label.setStyleSheet(f"color: {colors.warning};")

    def refresh(self) -> None:
        """Show whether there is a prediction, and what is to be said about it."""
        reason = self._session.classifier.why_not_predict() or self._why_not_here()
        self.predict.setEnabled(reason is None)
        self.predict.setToolTip(reason or "Predict every pixel of this slide with the model")
        show_text(self.reason, reason or "")
        slide = self._session.active
        prediction = slide.prediction if slide else None
        self.form.setVisible(prediction is not None)
        self.next.setVisible(prediction is not None)
        self._refresh_choice(slide)
        stale = slide is not None and prediction is not None and slide.prediction_is_stale
        show_text(self.stale, STALE if stale else "")
        uncalibrated = prediction is not None and not prediction.calibrated
        show_text(self.uncalibrated, UNCALIBRATED if uncalibrated else "")

    def _why_not_here(self) -> str | None:
        """Say why the model has no answer for this slide: one that lacks some of its m/z."""
        slide, model = self._session.active, self._session.classifier.model
        if slide is None or model is None or reaches_over(slide.dataset, model.axis):
            return None
        (low, high), axis = slide.dataset.mass_range, model.axis
        if not math.isfinite(low):
            return f"{slide.name} holds no peak: every spectrum is empty."
        return (
            f"The model needs m/z {axis.low:.2f} to {axis.high:.2f}, and this slide goes from "
            f"{low:.2f} to {high:.2f}: fit a model on it, or open another."
        )

    def _refresh_choice(self, slide: SlideState | None) -> None:
        """Show as what the prediction is seen, and what its colors mean."""
        prediction = slide.prediction if slide else None
        combo: Any = self.form["show"]
        if slide is not None and self._binding is not None:
            seen = self._binding.overlays.looked_at(slide) or (HIDDEN if prediction else None)
            with combo.changed.blocked():
                combo.value = seen or combo.value
            self._refresh_opacity(slide)
        for trust in TRUSTED_BY:
            missing = getattr(prediction, f"why_no_{trust}") if prediction else None
            item = combo.native.model().item(list(SHOWN).index(trust))
            item.setEnabled(missing is None)
            item.setToolTip(missing or "")
        role: str = combo.value
        if role in LEGENDS:
            self.scale.show_scale(_color_scale(role))
        most = 2 if role == "unfamiliarity" else 1
        self.scale.setToolTip(f"Colors of the {SHOWN[role]}, from 0 to {most}")
        self.scale.setVisible(prediction is not None and role in LEGENDS)
        show_text(self.meaning, MEANINGS[role] if prediction else "")
        self._refresh_withheld(None if role == HIDDEN else prediction)

    def _refresh_opacity(self, slide: SlideState) -> None:
        slider: Any = self.form["opacity"]
        if self._binding is not None:
            with slider.changed.blocked():
                slider.value = self._binding.overlays.opacity_of(slide)

    def _refresh_withheld(self, prediction: Prediction | None) -> None:
        """Say which answers are not shown, or why that cannot be told; show how it was restored."""
        how = Withholding() if self._binding is None else self._binding.overlays.withholding
        answer = ACCURACIES.get(how.accuracy, "every pixel")
        for field, value in (("answer", answer), ("hide_unfamiliar", how.unfamiliar)):
            known: Any = self.form[field]
            with known.changed.blocked():
                known.value = value
        grayed = self.form["show"].value in WITHHELD_IN
        self._refresh_accuracies(prediction)
        said = withheld_words(prediction, how, grayed) if prediction else ""
        missing = prediction.why_no_unfamiliarity if prediction else None
        show_text(self.withheld, "\n".join(part for part in (said, missing) if part))

    def _refresh_accuracies(self, prediction: Prediction | None) -> None:
        """Offer only shares of right answers that the model can keep; the reason as a tooltip."""
        items = self.form["answer"].native.model()
        for row, accuracy in enumerate(ACCURACIES):
            missing = None
            if prediction is not None and accuracy is not None:
                missing = prediction.why_no_abstention(accuracy)
            items.item(row).setEnabled(missing is None)
            items.item(row).setToolTip(missing or "")

    def _changed(self, _: object) -> None:
        self.refresh()

    def _seen_changed(self) -> None:
        """Say what is seen now: an ion image hides the overlay, and a layer list has eyes."""
        slide = self._session.active
        if slide is None or slide.prediction is None or self._binding is None:
            return
        if (self._binding.overlays.looked_at(slide) or HIDDEN) != self.form["show"].value:
            self._refresh_choice(slide)
        self._refresh_opacity(slide)

    # ---- the two layers ---------------------------------------------------------------------

    def _set_opacity(self, opacity: float) -> None:
        if self._binding is not None:
            self._binding.overlays.set_opacity(opacity)

    def _look_as(self, role: Role | Literal["hidden"]) -> None:
        if self._binding is not None:
            self._binding.look_as(None if role == "hidden" else role)
        self._refresh_choice(self._session.active)

    def _go_to_next(self) -> None:
        if self._binding is not None:
            self._binding.flush()
            self._binding.go_to_most_uncertain()

    def _set_threshold(self, threshold: float) -> None:
        if self._binding is not None:
            self._binding.set_threshold(threshold)

    def _withhold(self, _: object) -> None:
        if self._binding is not None:
            words = self.form["answer"].value
            accuracy = next(share for share, said in ACCURACIES.items() if said == words)
            how = Withholding(bool(self.form["hide_unfamiliar"].value), accuracy)
            self._binding.overlays.withhold(how)
        self._refresh_choice(self._session.active)


def _color_scale(role: str) -> Scale:
    """What an overlay's colors mean."""
    low, middle, high = LEGENDS[role]
    if role in COLORMAPS:
        # Opaque, as the tissue is not below it.
        colors = [QColor.fromRgbF(*map(float, c[:3])) for c in COLORMAPS[role]().colors]
        return Scale(colors, low, middle, high, marked=role == "unfamiliarity")
    by_role = {label.role: label.color for label in TUMOR_SCHEME.classes}
    ends = by_role["healthy"], UNSURE_COLOR, by_role["tumor"]
    return Scale([QColor(color) for color in ends], low, middle, high)
