"""The first two phases of a fit: the linear answer, and what held-out groups say of it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace

import numpy as np

from napari_ims_tumor.annotation.split import Fold, Validation, grouped_folds
from napari_ims_tumor.job import Job
from napari_ims_tumor.model.config import FitConfig, NetworkConfig
from napari_ims_tumor.model.familiar_phase import with_familiarity
from napari_ims_tumor.model.fit_run import EpochReport, FitRun
from napari_ims_tumor.model.fitted_model import CardValue, FittedModel, linear_weights
from napari_ims_tumor.model.judging import calibrated
from napari_ims_tumor.model.linear_path import LinearPath, fit_linear
from napari_ims_tumor.model.normalization import InputNormalization, root_of_shares
from napari_ims_tumor.model.preparation import SPECTRA_LOOKED_AT, Preparation
from napari_ims_tumor.model.samples import LabelledSpectra
from napari_ims_tumor.model.scores import balanced_accuracy
from napari_ims_tumor.msi.arrays import Float32Array, IntArray
from napari_ims_tumor.msi.matrix_room import pieces


@dataclass(frozen=True, eq=False)
class HeldOutLogits:
    """Logits of spectra whose groups the model had not seen.

    Attributes
    ----------
    logits
        Shape (n, K); rows that were never held out are NaN.
    """

    logits: Float32Array

    @property
    def rows(self) -> IntArray:
        """Which spectra were held out."""
        return np.flatnonzero(np.isfinite(self.logits).all(axis=1)).astype(np.int64)


@dataclass(frozen=True, eq=False)
class LinearAnswer:
    """The linear model with everything the next phases need.

    Attributes
    ----------
    model
        Ready to use.
    spectra, roots
        The labelled spectra, and their rooted shares (n, bins).
    validation
        The folds.
    held_out
        The linear model's logits on held-out groups.
    score
        Its balanced accuracy there.
    """

    model: FittedModel
    spectra: LabelledSpectra
    roots: Float32Array
    validation: Validation
    held_out: HeldOutLogits
    score: float | None

    def normalization(self, fold: Fold | None, base: FittedModel | None) -> InputNormalization:
        """Learned from a fold's training side (``None``: from everything), or the base's."""
        if base is not None:
            return base.normalization
        if fold is None:
            return self.model.normalization
        return InputNormalization.learn(self.roots, fold.training, self.model.preparation)

    def inputs(self, normalization: InputNormalization, rows: IntArray) -> Float32Array:
        """What a classifier is shown of some of the spectra."""
        return self.spectra.room.changed(self.roots, normalization.apply, rows)


def linear_phase(
    spectra: LabelledSpectra, config: FitConfig, base: FittedModel | None, run: FitRun
) -> Job[EpochReport, LinearAnswer]:
    """Fit the linear model, show it, then judge and calibrate it on held-out groups."""
    begun = EpochReport("Linear model")
    yield from run.tell(begun)
    preparation = base.preparation if base else _preparation(spectra, config)
    roots = yield from run.drive(_roots(spectra, preparation.width), begun, to_end=True)
    assert roots is not None  # noqa: S101 - driven to its end
    normalization = base.normalization if base else None
    normalization = normalization or InputNormalization.learn(roots, None, preparation)
    start = _start(spectra, base)
    inputs = spectra.room.changed(roots, normalization.apply)
    linear = yield from run.drive(
        fit_linear(inputs, spectra.classes, start, run.is_over), begun, True
    )
    del inputs
    assert linear is not None  # noqa: S101 - driven to its end
    model = _linear_model(spectra, config, normalization, linear)
    yield from run.tell(replace(begun, preview=model))
    validation = grouped_folds(spectra.classes, spectra.groups, 5, spectra.group_kind)
    unjudged = np.full((len(spectra), len(start.bias)), np.nan, np.float32)
    answer = LinearAnswer(model, spectra, roots, validation, HeldOutLogits(unjudged), None)
    return (yield from _judged(answer, base, run))


def _judged(
    answer: LinearAnswer, base: FittedModel | None, run: FitRun
) -> Job[EpochReport, LinearAnswer]:
    """Hold out every fold once; give the model its score and temperature."""
    report = EpochReport("Linear model on held-out groups", epochs=len(answer.validation.folds))
    logits = answer.held_out.logits.copy()
    for number, fold in enumerate(answer.validation.folds):
        part = yield from run.drive(_fold_logits(answer, fold, base), replace(report, epoch=number))
        if part is None:
            return answer
        logits[fold.held_out] = part
    scored = _with_score(answer, HeldOutLogits(logits))
    model = yield from with_familiarity(scored, base, run)
    judged = replace(scored, model=model)
    run.note = str(judged.model.card.get("note", ""))
    done = replace(report, epoch=report.epochs, held_out_score=judged.score)
    yield from run.tell(replace(done, linear_score=judged.score, preview=judged.model))
    return judged


def _with_score(answer: LinearAnswer, held_out: HeldOutLogits) -> LinearAnswer:
    if not answer.validation.folds:
        note = f"{answer.validation.why_not}; probabilities are uncalibrated"
        card = {**answer.model.card, "note": note}
        return replace(answer, model=replace(answer.model, card=card))
    spectra = answer.spectra
    score = balanced_accuracy(held_out.logits, spectra.classes)
    card = {**answer.model.card, **score_facts(score, score)}
    model = replace(answer.model, card=card)
    model = calibrated(model, held_out.logits, spectra.classes, spectra.groups)
    return replace(answer, model=model, held_out=held_out, score=score)


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
) -> Generator[float, None, Float32Array]:
    normalization = answer.normalization(fold, base)
    inputs = answer.inputs(normalization, fold.training)
    classes = answer.spectra.classes[fold.training]
    start = _start(answer.spectra, base)
    linear = yield from fit_linear(inputs, classes, start)
    del inputs
    return linear.logits(answer.inputs(normalization, fold.held_out))


def _preparation(spectra: LabelledSpectra, config: FitConfig) -> Preparation:
    """What suits the axis and the labelled spectra; their labels say nothing here."""
    rows = np.unique(np.linspace(0, len(spectra) - 1, SPECTRA_LOOKED_AT).astype(np.int64))
    roots = root_of_shares(spectra.values[rows])
    return Preparation.for_spectra(spectra.axis, roots).limited_to(config)


def _roots(spectra: LabelledSpectra, width: int) -> Generator[None, None, Float32Array]:
    values = spectra.values
    roots = spectra.room.matrix(*values.shape)
    for part in pieces(*values.shape):
        roots[part] = root_of_shares(values[part], width)
        yield
    return roots


def _start(spectra: LabelledSpectra, base: FittedModel | None) -> LinearPath:
    if base is not None:
        return base.linear
    return LinearPath.zeros(len(spectra.class_names), len(spectra.axis))


def _linear_model(
    spectra: LabelledSpectra,
    config: FitConfig,
    normalization: InputNormalization,
    linear: LinearPath,
) -> FittedModel:
    classes = len(spectra.class_names)
    facts: dict[str, CardValue] = {f"n {name}": n for name, n in spectra.counts.items()}
    facts |= normalization.preparation.facts()
    groups = int(np.unique(spectra.groups).size)
    return FittedModel(
        weights=linear_weights(normalization, linear),
        network=NetworkConfig.for_axis("linear", len(spectra.axis), classes),
        axis=spectra.axis,
        class_names=spectra.class_names,
        annotation_revision=spectra.annotation_revision,
        preparation=normalization.preparation,
        card={**facts, "groups": groups, "group kind": spectra.group_kind, "seed": config.seed},
    )
