"""The last phases of a fit with a network that answers alone: fit on everything, then judge.

Nothing is chosen on held-out groups, neither the number of epochs nor a share, so the score that
they give is not optimistic. They are also what the temperature is found on.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from napari_ims_tumor.annotation.split import Fold
from napari_ims_tumor.job import Job
from napari_ims_tumor.model.calibration import MIN_GROUPS
from napari_ims_tumor.model.config import FitConfig, NetworkConfig
from napari_ims_tumor.model.device import resolve_device
from napari_ims_tumor.model.fit_run import EpochReport, FitRun
from napari_ims_tumor.model.fitted_model import EpochRecord, FittedModel
from napari_ims_tumor.model.honest_folds import pixel_folds
from napari_ims_tumor.model.judging import calibrated, uncalibrated
from napari_ims_tumor.model.linear_phase import LinearAnswer, learned_from, score_facts
from napari_ims_tumor.model.presets import epochs_of, inputs_of
from napari_ims_tumor.model.samples import LabelledSpectra
from napari_ims_tumor.model.scores import balanced_accuracy
from napari_ims_tumor.model.training import Trainer, TrainingSet
from napari_ims_tumor.model.weight_shapes import network_facts
from napari_ims_tumor.msi.arrays import Float32Array, IntArray

DIVISIONS: Final = 3
"""A third of the groups is held out at a time, and as few thirds as the temperature needs."""
ENDED: Final = "ended before the network was complete: the linear model is used"
NOT_A_NUMBER: Final = "the loss was not a number: the linear model is used"
UNJUDGED: Final = "ended before held-out groups could judge the network: it is uncalibrated"


@dataclass(eq=False)
class _Task:
    """What the fits of this phase share: the one on everything, then one per held-out part."""

    answer: LinearAnswer
    config: FitConfig
    run: FitRun
    shape: NetworkConfig
    folds: tuple[Fold, ...]
    begun: float = field(default_factory=time.monotonic)

    @property
    def epochs(self) -> int:
        """Of each fit."""
        return epochs_of(self.config)

    def seconds_left(self, done: int) -> float | None:
        """Time for the epochs to come in all fits, at the pace so far."""
        left = self.epochs * (1 + len(self.folds)) - done
        return (time.monotonic() - self.begun) / done * left if done else None

    def inputs(self, fold: Fold | None, rows: IntArray) -> Float32Array:
        """What the network is shown of some spectra, normalized as a fold's training side says."""
        normalization = self.answer.normalization(fold, None)
        network, room = self.shape.network, self.answer.spectra.room

        def shown(roots: Float32Array) -> Float32Array:
            return inputs_of(network, normalization, roots)

        return room.changed(self.answer.roots, shown, rows)

    def trainer(self, fold: Fold | None) -> Trainer:
        """A new network, for a fold's training side or for everything."""
        rows = np.arange(len(self.answer.spectra)) if fold is None else fold.training
        data = TrainingSet(self.inputs(fold, rows), self.answer.classes(fold), self.shape.classes)
        device = str(resolve_device(self.config.device))
        return Trainer(self.shape, data, self.config.seed, device)


def plain_phase(
    answer: LinearAnswer, config: FitConfig, run: FitRun
) -> Job[EpochReport, FittedModel]:
    """Fit the network on all labels for its number of epochs, then judge and calibrate it.

    Returns
    -------
    FittedModel
        The linear answer where the network did not come to its end: nothing says that half a
        network is better.
    """
    spectra = answer.spectra
    shape = NetworkConfig.for_axis(config.network, len(spectra.axis), len(spectra.class_names))
    task = _Task(answer, config, run, shape, _judging_folds(spectra))
    history: list[EpochRecord] = []
    trainer = yield from _trained(task, 0, history)
    if trainer is None:
        return answer.model.with_note(run.note, ENDED if run.over else NOT_A_NUMBER)
    model = _model(task, trainer, history)
    if not task.folds:
        return model.with_note(run.note)
    yield from run.tell(EpochReport("Network on all labels", preview=model))
    judged = yield from _judged(task, model)
    return judged.with_note(run.note)


def _judging_folds(spectra: LabelledSpectra) -> tuple[Fold, ...]:
    """As few held-out parts as hold every class and enough groups for a temperature."""
    folds = pixel_folds(spectra, DIVISIONS).folds
    for n in range(1, len(folds)):
        rows = _held_out(folds[:n])
        classes, groups = np.unique(spectra.classes[rows]), np.unique(spectra.groups[rows])
        if classes.size == np.unique(spectra.classes).size and groups.size >= MIN_GROUPS:
            return folds[:n]
    return folds


def _held_out(folds: tuple[Fold, ...]) -> IntArray:
    rows: IntArray = np.concatenate([fold.held_out for fold in folds])
    return rows


def _trained(
    task: _Task, number: int, history: list[EpochRecord]
) -> Job[EpochReport, Trainer | None]:
    """Run all epochs of one fit: number 0 on everything, n on fold n; ``None`` if cut short."""
    run, epochs = task.run, task.epochs
    report = EpochReport(_phase(task, number), epochs=epochs)
    fold = task.folds[number - 1] if number else None
    if fold is not None and task.answer.spectra.regions is not None:
        # Which pixels of a region are meant must not be known from groups that are held out.
        learned = yield from run.drive(learned_from(task.answer, fold, None), report)
        if learned is None:
            return None
        taken = {**task.answer.taken, fold: learned.classes}
        task.answer = replace(task.answer, taken=taken)
    trainer = task.trainer(fold)
    for epoch in range(epochs):
        left = task.seconds_left(number * epochs + epoch)
        loss = yield from run.drive(trainer.epoch(), replace(report, seconds_left=left))
        run.note = "; ".join(trainer.notes) or run.note
        if loss is None:
            return None
        history.append(EpochRecord(epoch + 1, round(loss, 6)))
        report = replace(report, epoch=epoch + 1, loss=loss)
        yield from run.tell(
            replace(report, seconds_left=task.seconds_left(number * epochs + epoch + 1))
        )
        if run.over and epoch + 1 < epochs:
            return None
    return trainer


def _phase(task: _Task, number: int) -> str:
    if not number:
        return "Network on all labels"
    of = f", part {number} of {len(task.folds)}" if len(task.folds) > 1 else ""
    return f"Network on held-out groups{of}"


def _judged(task: _Task, model: FittedModel) -> Job[EpochReport, FittedModel]:
    """Fit anew without each held-out part, and ask that part."""
    unjudged = model.with_note(UNJUDGED)
    parts: list[Float32Array] = []
    for number, fold in enumerate(task.folds, start=1):
        trainer = None if task.run.over else (yield from _trained(task, number, []))
        if trainer is None:
            return unjudged
        report = EpochReport(_phase(task, number))
        inputs = task.inputs(fold, fold.held_out)
        part = yield from task.run.drive(trainer.logits(inputs), report)
        if part is None:
            return unjudged
        parts.append(part)
    judged, report = _with_score(task, model, np.concatenate(parts))
    yield from task.run.tell(report)
    return judged


def _with_score(
    task: _Task, model: FittedModel, logits: Float32Array
) -> tuple[FittedModel, EpochReport]:
    """The model that knows its score and temperature, and the report of both."""
    rows, spectra = _held_out(task.folds), task.answer.spectra
    classes, groups = spectra.classes[rows], spectra.groups[rows]
    score = balanced_accuracy(logits, classes)
    linear = balanced_accuracy(task.answer.held_out.logits[rows], classes)
    card = {**model.card, **score_facts(score, linear)}
    judged = calibrated(replace(model, card=card), logits, classes, groups)
    judged = task.answer.with_neighbors(judged, rows, logits)
    phase = _phase(task, len(task.folds))
    return judged, EpochReport(phase, held_out_score=score, linear_score=linear, preview=judged)


def _model(task: _Task, trainer: Trainer, history: list[EpochRecord]) -> FittedModel:
    """The network with all of the answer; the linear model stays in the file to compare with."""
    linear = uncalibrated(task.answer.model)
    facts = {**network_facts(task.shape), "epochs": task.epochs}
    unjudged = score_facts(None, None)
    return replace(
        linear,
        weights={**linear.weights, **trainer.weights()},
        network=task.shape,
        blend=1.0,
        history=tuple(history),
        card={**linear.card, **unjudged, **facts},
    )
