"""The first two phases of a fit: the linear answer, and what held-out groups say of it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Final

import numpy as np

from napari_ims_tumor.annotation.split import Fold, fold_of_each
from napari_ims_tumor.job import Job
from napari_ims_tumor.model.alike_neighbors import find_neighborhood
from napari_ims_tumor.model.calibration import MIN_GROUPS, softmax
from napari_ims_tumor.model.config import FitConfig, NetworkConfig
from napari_ims_tumor.model.device import resolve_device
from napari_ims_tumor.model.familiar_phase import with_familiarity
from napari_ims_tumor.model.fit_run import EpochReport, FitRun
from napari_ims_tumor.model.fitted_model import CardValue, FittedModel, linear_weights
from napari_ims_tumor.model.honest_folds import (
    honest_folds,
    is_judged_by_region,
    pixel_folds,
    region_score,
    why_by_region,
)
from napari_ims_tumor.model.judging import calibrated
from napari_ims_tumor.model.label_doubt import wrong_share
from napari_ims_tumor.model.labelled_roots import labelled_roots, suited_preparation
from napari_ims_tumor.model.linear_answer import HeldOutLogits, LinearAnswer
from napari_ims_tumor.model.linear_path import LinearPath
from napari_ims_tumor.model.neighborhood import Neighborhood
from napari_ims_tumor.model.normalization import InputNormalization
from napari_ims_tumor.model.samples import LabelledSpectra
from napari_ims_tumor.model.scores import balanced_accuracy
from napari_ims_tumor.model.warming_up import warmed_up
from napari_ims_tumor.model.weak_labels import Learned, ToldLabels, fit_told
from napari_ims_tumor.msi.arrays import Float32Array, Float64Array, IntArray

LEFT_OUT: Final = "labels that seem wrong"
SUSPECT: Final = (
    "in most groups, models that had not seen them contradict labels of pixels they are surest of: "
    "some labels are wrong, or the classes overlap"
)
NO_TIME: Final = f"{SUSPECT}; there was no time to leave out those that seem wrong"
DOUBT_COSTS: Final = 6
"""Times the linear phase: each of its fits is made with five more, for what seems wrong in it."""


def linear_phase(
    spectra: LabelledSpectra,
    config: FitConfig,
    base: FittedModel | None,
    run: FitRun,
    doubted: bool | None = None,
) -> Job[EpochReport, LinearAnswer]:
    """Fit the linear model, show it, then judge and calibrate it on held-out groups.

    ``doubted`` says of a fit that goes on whether it had begun without labels that seem wrong.
    """
    begun = EpochReport("Linear model")
    yield from run.tell(begun)
    preparation = base.preparation if base else suited_preparation(spectra, config)
    roots = yield from run.drive(labelled_roots(spectra, preparation.width), begun, to_end=True)
    assert roots is not None  # noqa: S101 - driven to its end
    normalization = base.normalization if base else None
    normalization = normalization or InputNormalization.learn(roots, None, preparation)
    start = _start(spectra, base)
    inputs = spectra.room.changed(roots, normalization.apply)
    told = _told(spectra, config.region_share)
    learned = yield from run.drive(fit_told(inputs, told, start, run.is_over), begun, to_end=True)
    assert learned is not None  # noqa: S101 - driven to its end
    del inputs
    model = _linear_model(spectra, config, normalization, learned)
    yield from run.tell(replace(begun, preview=model))
    if config.network != "linear" and not run.over:
        # Not before: imports hold Python up, and somebody waits for the first answer.
        warmed_up(resolve_device(config.device))
    unjudged = HeldOutLogits(np.full((len(spectra), len(start.bias)), np.nan, np.float32))
    answer = LinearAnswer(
        model, spectra, roots, honest_folds(spectra, 5), unjudged, None,
        {None: learned.classes}, config.region_share,
    )  # fmt: skip
    judged = yield from _judged(answer, base, run)
    if run.over or not (doubted or _is_suspect(judged)):
        return judged
    found, said = None, NO_TIME if config.doubt_labels else SUSPECT
    has_time = config.doubt_labels and run.can_wait(DOUBT_COSTS * run.seconds)
    if has_time if doubted is None else doubted:
        found = yield from _doubting(answer, config, base, run)
    return found or replace(judged, model=judged.model.with_note(said))


def _is_suspect(judged: LinearAnswer) -> bool:
    """Whether held-out groups say that labels made by hand are wrong here and there."""
    spectra, rows = judged.spectra, judged.held_out.rows
    if judged.model.temperature is None or spectra.regions is not None:
        return False
    probabilities = softmax(judged.held_out.logits[rows] / judged.model.temperature)
    share = wrong_share(probabilities, spectra.classes[rows], spectra.groups[rows])
    return share is not None


def _doubting(
    answer: LinearAnswer, config: FitConfig, base: FittedModel | None, run: FitRun
) -> Job[EpochReport, LinearAnswer | None]:
    """Fit and judge again without the labels that seem wrong; ``None`` if there was no time."""
    report = EpochReport("Linear model without labels that seem wrong")
    inputs = answer.inputs(answer.model.normalization, np.arange(len(answer.spectra)))
    told = _told(answer.spectra, answer.region_share, suspect=True)
    start = _start(answer.spectra, base)
    learned = yield from run.drive(fit_told(inputs, told, start, run.is_over), report)
    del inputs
    if learned is None or learned.classes.ndim == 1:
        return None
    model = _linear_model(answer.spectra, config, answer.model.normalization, learned)
    left_out = int((learned.classes.sum(axis=1) == 0).sum())
    said = f"{left_out} of {len(answer.spectra)} labels seem wrong and were not learned from"
    model = replace(model, card={**model.card, LEFT_OUT: left_out}).with_note(said)
    again = replace(answer, model=model, taken={None: learned.classes}, suspect=True)
    found = yield from _judged(again, base, run)
    return None if run.over else found


def _judged(
    answer: LinearAnswer, base: FittedModel | None, run: FitRun
) -> Job[EpochReport, LinearAnswer]:
    """Hold out every fold once; give the model its score and temperature."""
    report = EpochReport("Linear model on held-out groups", epochs=len(answer.validation.folds))
    logits, taken = answer.held_out.logits.copy(), dict(answer.taken)
    for number, fold in enumerate(answer.validation.folds, 1):
        begun, now = run.seconds, replace(report, epoch=number - 1)
        part = yield from run.drive(_fold_logits(answer, fold, base), now)
        if part is None:
            return answer
        logits[fold.held_out], taken[fold] = part
        if not run.can_wait(run.seconds - begun):
            answer = _with_fewer_folds(answer, number)
            if number == len(answer.validation.folds):
                break
    scored = _with_score(answer, HeldOutLogits(logits))
    model = yield from with_familiarity(scored, base, run)
    judged = replace(scored, model=model, taken=taken)
    if is_judged_by_region(answer.spectra):
        judged = replace(judged, validation=pixel_folds(answer.spectra, 5))
    near = yield from run.drive(_neighborhood(answer), report, to_end=True)
    judged = replace(judged, near=near)
    rows = judged.held_out.rows
    judged = replace(judged, model=judged.with_neighbors(model, rows, logits[rows]))
    run.note = str(judged.model.card.get("note", ""))
    done = replace(report, epoch=report.epochs, held_out_score=judged.score)
    yield from run.tell(replace(done, linear_score=judged.score, preview=judged.model))
    return judged


def _with_fewer_folds(answer: LinearAnswer, n: int) -> LinearAnswer:
    """Only the first folds, where these can judge and calibrate as well, and a note of that."""
    folds = answer.validation.folds
    rows = np.concatenate([fold.held_out for fold in folds[:n]])
    classes, groups = (
        np.unique(of[rows]) for of in (answer.spectra.classes, answer.spectra.groups)
    )
    is_enough = classes.size == len(answer.spectra.class_names) and groups.size >= MIN_GROUPS
    if n == len(folds) or not is_enough or is_judged_by_region(answer.spectra):
        return answer
    said = f"to keep within its time limit, {n} of {len(folds)} parts of the groups judged it"
    fewer = replace(answer.validation, folds=folds[:n])
    return replace(answer, validation=fewer, model=answer.model.with_note(said))


def _neighborhood(answer: LinearAnswer) -> Generator[None, None, Neighborhood | None]:
    spectra = answer.spectra
    if spectra.places is None:
        return None

    def inputs_of(rows: IntArray) -> Float32Array:
        return answer.inputs(answer.model.normalization, rows)

    near = yield from find_neighborhood(inputs_of, len(spectra.axis), spectra.neighbors)
    return near.within(fold_of_each(answer.validation.folds, len(spectra)))


def _with_score(answer: LinearAnswer, held_out: HeldOutLogits) -> LinearAnswer:
    if not answer.validation.folds:
        note = f"{answer.validation.why_not}; probabilities are uncalibrated"
        card = {**answer.model.card, "note": note}
        return replace(answer, model=replace(answer.model, card=card))
    spectra = answer.spectra
    if is_judged_by_region(spectra):
        return _with_region_score(answer, held_out)
    rows = held_out.rows
    logits, classes = held_out.logits[rows], spectra.classes[rows]
    score = balanced_accuracy(logits, classes)
    card = {**answer.model.card, **score_facts(score, score)}
    model = replace(answer.model, card=card)
    model = calibrated(model, logits, classes, spectra.groups[rows])
    return replace(answer, model=model, held_out=held_out, score=score)


def _with_region_score(answer: LinearAnswer, held_out: HeldOutLogits) -> LinearAnswer:
    """Score whole regions, and say so; they can neither calibrate nor judge a CNN."""
    why = why_by_region(answer.spectra)
    found = region_score(answer.spectra, held_out.logits, answer.region_share)
    facts: dict[str, CardValue] = {}
    said = why
    if found is not None:
        score = round(found.balanced_accuracy, 4)
        facts = {"held-out balanced accuracy by region": score, "regions judged": found.regions}
        said = f"{why}: scored by region, balanced accuracy {score:.3f} of {found.regions} regions"
    card = {**answer.model.card, **facts, "note": f"{said}; probabilities are uncalibrated"}
    return replace(answer, model=replace(answer.model, card=card))


def score_facts(score: float | None, linear_score: float | None) -> dict[str, CardValue]:
    """Scores as they stand in a model's card."""
    return {
        "held-out balanced accuracy": None if score is None else round(score, 4),
        "held-out balanced accuracy, linear": (
            None if linear_score is None else round(linear_score, 4)
        ),
    }


def _fold_logits(
    answer: LinearAnswer, fold: Fold, base: FittedModel | None
) -> Generator[float, None, tuple[Float32Array, IntArray | Float64Array]]:
    """Logits of the held-out side, and what the training side was taken for."""
    normalization = answer.normalization(fold, base)
    learned = yield from learned_from(answer, fold, base)
    logits = learned.linear.logits(answer.inputs(normalization, fold.held_out))
    return logits, learned.classes


def learned_from(
    answer: LinearAnswer, fold: Fold, base: FittedModel | None
) -> Generator[float, None, Learned]:
    """Fit the linear model to a fold's training side alone."""
    inputs = answer.inputs(answer.normalization(fold, base), fold.training)
    told = _told(answer.spectra, answer.region_share, answer.suspect).take(fold.training)
    learned = yield from fit_told(inputs, told, _start(answer.spectra, base))
    return learned


def _told(spectra: LabelledSpectra, region_share: float, suspect: bool = False) -> ToldLabels:
    return ToldLabels(spectra.classes, spectra.groups, spectra.regions, region_share, suspect)


def _start(spectra: LabelledSpectra, base: FittedModel | None) -> LinearPath:
    if base is not None:
        return base.linear
    return LinearPath.zeros(len(spectra.class_names), len(spectra.axis))


def _linear_model(
    spectra: LabelledSpectra,
    config: FitConfig,
    normalization: InputNormalization,
    learned: Learned,
) -> FittedModel:
    classes = len(spectra.class_names)
    facts: dict[str, CardValue] = {f"n {name}": n for name, n in spectra.counts.items()}
    facts |= normalization.preparation.facts()
    facts |= _region_facts(spectra, learned)
    groups = int(np.unique(spectra.groups).size)
    return FittedModel(
        weights=linear_weights(normalization, learned.linear),
        network=NetworkConfig.for_axis("linear", len(spectra.axis), classes),
        axis=spectra.axis,
        class_names=spectra.class_names,
        annotation_revision=spectra.annotation_revision,
        preparation=normalization.preparation,
        card={**facts, "groups": groups, "group kind": spectra.group_kind, "seed": config.seed},
    )


def _region_facts(spectra: LabelledSpectra, learned: Learned) -> dict[str, CardValue]:
    """What a card says of regions that were labelled roughly; nothing without any."""
    if spectra.regions is None:
        return {}
    facts: dict[str, CardValue] = {
        "whole regions": int(np.unique(spectra.regions[spectra.regions >= 0]).size),
        "labelled by hand": int(spectra.by_hand.sum()),
    }
    for value, share in learned.shares.items():
        name = spectra.class_names[value]
        facts[f"share of {name} regions taken as {name}"] = round(share, 3)
    return facts
