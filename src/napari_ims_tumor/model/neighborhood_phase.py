"""Part of a fit: whether neighbors help on held-out groups, and how sure an answer then is."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from napari_ims_tumor.model.abstention import AnswerCurve
from napari_ims_tumor.model.calibration import (
    calibrated_log_loss,
    fit_temperature,
    softmax,
)
from napari_ims_tumor.model.fitted_model import CardValue, FittedModel
from napari_ims_tumor.model.judging import answer_facts
from napari_ims_tumor.model.neighborhood import Neighborhood
from napari_ims_tumor.model.samples import LabelledSpectra
from napari_ims_tumor.model.scores import balanced_accuracy
from napari_ims_tumor.model.trust import Trust
from napari_ims_tumor.msi.arrays import Float32Array, IntArray

CARD_ENTRY: Final = "neighbors"
SCORE: Final = "held-out balanced accuracy, with neighbors"
HELP: Final = "asked: on held-out groups they did not harm"
UNJUDGED: Final = "asked, but no held-out group could tell whether they help"
HARM: Final = "not asked: on held-out groups they did harm"


def with_neighbors_judged(
    model: FittedModel,
    near: Neighborhood,
    spectra: LabelledSpectra,
    held_out: tuple[IntArray, Float32Array],
) -> FittedModel:
    """The model with a temperature for answers that neighbors take part in, if they shall.

    Parameters
    ----------
    model
        Calibrated for answers of single pixels, or not calibrated.
    near
        The neighborhoods of the labelled spectra, within the held-out sides of the folds: those
        whom a model was fitted to must not speak for those who judge it.
    spectra
        The labelled spectra.
    held_out
        Rows that were held out, and the model's logits there, (m, K).
    """
    rows, logits = held_out
    classes, groups = spectra.classes[rows], spectra.groups[rows]
    if model.temperature is None:
        return _with(model, 1.0, UNJUDGED)
    together = _answers(model, near, len(spectra), held_out)
    if calibrated_log_loss(together, classes) > calibrated_log_loss(logits, classes):
        return _with(model, None, HARM)
    temperature = fit_temperature(together, classes, groups)
    if temperature is None:
        return _with(model, 1.0, UNJUDGED)
    answers = AnswerCurve.of(softmax(together / temperature), classes)
    score = balanced_accuracy(together, classes)
    facts: dict[str, CardValue] = {SCORE: None if score is None else round(score, 4)}
    found = _with(model, temperature, HELP, {**answer_facts(answers), **facts})
    return replace(found, trust=Trust(model.trust.familiarity, answers))


def _answers(
    model: FittedModel, near: Neighborhood, n: int, held_out: tuple[IntArray, Float32Array]
) -> Float32Array:
    """Logits of the held-out spectra together with those of their neighbors that are held out."""
    rows, logits = held_out
    alone = np.full((n, logits.shape[1]), 1 / logits.shape[1])
    alone[rows] = softmax(logits / (model.temperature or 1.0))
    part = np.full(n, -1, np.int64)
    part[rows] = 0
    return near.within(part).answer(alone)[rows]


def _with(
    model: FittedModel,
    temperature: float | None,
    words: str,
    facts: dict[str, CardValue] | None = None,
) -> FittedModel:
    kept = {name: value for name, value in model.card.items() if name != SCORE}
    card = {**kept, CARD_ENTRY: words, **(facts or {})}
    return replace(model, neighbor_temperature=temperature, card=card)
