"""What held-out groups say of a model's probabilities: temperature, calibration error, curve."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from napari_ims_tumor.model.abstention import AnswerCurve
from napari_ims_tumor.model.calibration import fit_temperature, softmax
from napari_ims_tumor.model.config import USUAL_ACCURACY
from napari_ims_tumor.model.fitted_model import (
    FORMER_LIKENESS,
    FORMER_STRENGTH,
    CardValue,
    FittedModel,
)
from napari_ims_tumor.model.scores import expected_calibration_error
from napari_ims_tumor.model.trust import Trust
from napari_ims_tumor.msi.arrays import Float32Array, FloatArray, IntArray

_OF_ANSWERS: Final = (
    "held-out calibration error", "confidence for", "pixels answered", "right answers by",
    "neighbors", "strength of neighbors", "held-out balanced accuracy, with neighbors",
)  # fmt: skip


def calibrated(
    model: FittedModel, logits: FloatArray, classes: IntArray, groups: IntArray
) -> FittedModel:
    """The model with a temperature, and with how often it is right where it is how sure.

    Parameters
    ----------
    logits
        Shape (n, K): of pixels whose groups the model had not seen.
    classes, groups
        Shape (n,).

    Returns
    -------
    FittedModel
        Uncalibrated with fewer than four groups or one class.
    """
    temperature = fit_temperature(logits, classes, groups)
    if temperature is None:
        return uncalibrated(model)
    probabilities = softmax(logits / temperature)
    answers = AnswerCurve.of(probabilities, classes)
    facts: dict[str, CardValue] = {
        "held-out calibration error": _rounded(expected_calibration_error(probabilities, classes)),
        "held-out calibration error, uncalibrated": _rounded(
            expected_calibration_error(softmax(logits), classes)
        ),
        **answer_facts(answers),
    }
    trust = Trust(model.trust.familiarity, answers)
    card = {**uncalibrated(model).card, **facts}
    return replace(model, temperature=temperature, trust=trust, card=card)


def uncalibrated(model: FittedModel) -> FittedModel:
    """The model without anything that was said of the probabilities of another."""
    card = {name: value for name, value in model.card.items() if not name.startswith(_OF_ANSWERS)}
    trust = Trust(model.trust.familiarity)
    alone = replace(
        model,
        neighbor_temperature=None,
        neighbor_strength=FORMER_STRENGTH,
        neighbor_likeness=FORMER_LIKENESS,
    )
    return replace(alone, temperature=None, trust=trust, card=card)


def unfamiliarity_of(model: FittedModel, values: FloatArray) -> Float32Array:
    """How unlike the model's labels (n, bins) raw spectra are: above 1 unfamiliar; (n,).

    NaN where the model cannot tell.
    """
    known = model.trust.familiarity
    if known is None:
        return np.full(len(values), np.nan, np.float32)
    return known.score(model.normalization.apply(model.normalization.roots(values)))


def answer_facts(answers: AnswerCurve) -> dict[str, CardValue]:
    """What a card says of answers and abstentions."""
    sure = answers.confidence_for(USUAL_ACCURACY)
    told = "never" if sure is None else f"{sure:.2f}"
    facts: dict[str, CardValue] = {f"confidence for {USUAL_ACCURACY:.0%} right": told}
    if sure is not None:
        facts["pixels answered there"] = f"{100 * answers.coverage_at(sure):.0f} %"
    return {**facts, "right answers by share answered": _curve_words(answers)}


def _curve_words(answers: AnswerCurve) -> str:
    """The curve in a line: what share of answers is right where that share is answered."""
    said, last = [], ""
    for wanted in (1.0, 0.9, 0.8, 0.7, 0.6, 0.5):
        reached = answers.points[answers.points[:, 1] <= wanted + 1e-6]
        if len(reached):
            words = f"{100 * reached[0, 1]:.0f} %: {reached[0, 2]:.3f}"
            said += [words] if words != last else []
            last = words
    return ", ".join(said)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
