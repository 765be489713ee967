"""Part of a fit: how much neighbors help on held-out groups, and how sure an answer then is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from napari_ims_tumor.model.abstention import AnswerCurve
from napari_ims_tumor.model.calibration import (
    calibrated_log_loss,
    fit_temperature,
    softmax,
)
from napari_ims_tumor.model.fitted_model import (
    FORMER_LIKENESS,
    FORMER_STRENGTH,
    CardValue,
    FittedModel,
)
from napari_ims_tumor.model.judging import answer_facts
from napari_ims_tumor.model.neighborhood import (
    LEAST,
    LIKENESS,
    STRENGTHS,
    USUAL_STRENGTH,
    Neighborhood,
)
from napari_ims_tumor.model.samples import LabelledSpectra
from napari_ims_tumor.model.scores import balanced_accuracy
from napari_ims_tumor.model.trust import Trust
from napari_ims_tumor.msi.arrays import Float32Array, IntArray

CARD_ENTRY: Final = "neighbors"
STRENGTH_ENTRY: Final = "strength of neighbors"
SCORE: Final = "held-out balanced accuracy, with neighbors"
HELP: Final = "asked: on held-out groups they did not harm"
UNJUDGED: Final = "asked, but no held-out group could tell whether they help"
HARM: Final = "not asked: on held-out groups they did harm"
NEAR_BORDERS: Final = 100
"""Held-out pixels near a border from which on they decide: of fewer, one or two would."""
MOST_NEAR_BORDERS: Final = 0.5
"""The largest strength where they decide: they cannot tell well enough that a larger one, which on
simulated slides costs such pixels on average, does not."""


@dataclass(frozen=True, eq=False)
class _Judges:
    """Who judges whether neighbors help: pixels whose groups the model had not seen.

    Attributes
    ----------
    alone
        Shape (m, K): calibrated probabilities of the judges.
    classes, groups
        Shape (m,).
    near
        The neighborhoods of the judges among each other.
    """

    alone: Float32Array
    classes: IntArray
    groups: IntArray
    near: Neighborhood


def with_neighbors_judged(
    model: FittedModel,
    near: Neighborhood,
    spectra: LabelledSpectra,
    held_out: tuple[IntArray, Float32Array],
) -> FittedModel:
    """The model with a strength of neighbors and a temperature, if they shall take part.

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
    if model.temperature is None:
        return _with(model, 1.0, USUAL_STRENGTH, {CARD_ENTRY: UNJUDGED})
    rows, logits = held_out
    judges = _Judges(
        softmax(logits / model.temperature),
        spectra.classes[rows],
        spectra.groups[rows],
        near.among(rows),
    )
    strength = _best_strength(judges)
    if strength is None:
        return _with(model, None, FORMER_STRENGTH, {CARD_ENTRY: HARM})
    together = judges.near.answer(judges.alone, strength)
    temperature = fit_temperature(together, judges.classes, judges.groups)
    if temperature is None:
        return _with(model, 1.0, USUAL_STRENGTH, {CARD_ENTRY: UNJUDGED})
    answers = AnswerCurve.of(softmax(together / temperature), judges.classes)
    score = balanced_accuracy(together, judges.classes)
    facts: dict[str, CardValue] = {SCORE: None if score is None else round(score, 4)}
    facts |= {CARD_ENTRY: HELP, STRENGTH_ENTRY: strength}
    found = _with(model, temperature, strength, {**answer_facts(answers), **facts})
    return replace(found, trust=Trust(model.trust.familiarity, answers))


def _best_strength(judges: _Judges) -> float | None:
    """The strength of the least log loss that does no harm near borders; ``None`` if each does.

    Log loss alone would take too much where labels reach up to borders: most pixels lie inside of
    coherent tissue, and those near a border are looked at most closely. Where hardly a label lies
    near a border nothing can tell; the bound on all strengths is what is left.
    """
    near = judges.near.near_border(judges.classes)
    can_tell = int(near.sum()) >= NEAR_BORDERS
    alone = np.log(np.maximum(judges.alone, LEAST))
    least_right = balanced_accuracy(alone[near], judges.classes[near]) if can_tell else None
    least, best = calibrated_log_loss(alone, judges.classes), None
    for strength in STRENGTHS:
        if can_tell and strength > MOST_NEAR_BORDERS:
            break
        together = judges.near.answer(judges.alone, strength)
        right = balanced_accuracy(together[near], judges.classes[near]) if can_tell else None
        if right is not None and least_right is not None and right < least_right:
            continue
        loss = calibrated_log_loss(together, judges.classes)
        if loss <= least:
            least, best = loss, strength
    return best


def _with(
    model: FittedModel, temperature: float | None, strength: float, facts: dict[str, CardValue]
) -> FittedModel:
    kept = {k: v for k, v in model.card.items() if k not in (SCORE, STRENGTH_ENTRY)}
    changed = replace(
        model,
        neighbor_temperature=temperature,
        neighbor_strength=strength,
        neighbor_likeness=FORMER_LIKENESS if temperature is None else LIKENESS,
    )
    return replace(changed, card={**kept, **facts})
