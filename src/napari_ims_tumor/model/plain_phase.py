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
from napari_ims_tumor.model.linear_answer import LinearAnswer
from napari_ims_tumor.model.linear_phase import learned_from, score_facts
from napari_ims_tumor.model.normalization import InputNormalization
from napari_ims_tumor.model.presets import epochs_of, inputs_of, sees_shares
from napari_ims_tumor.model.samples import LabelledSpectra
from napari_ims_tumor.model.scores import balanced_accuracy
from napari_ims_tumor.model.together import at_once, together
from napari_ims_tumor.model.training import Trainer
from napari_ims_tumor.model.training_set import TrainingSet
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
        normalization = self._normalization(fold)
        network, room = self.shape.network, self.answer.spectra.room

        def shown(roots: Float32Array) -> Float32Array:
            return inputs_of(network, normalization, roots)

        return room.changed(self.answer.roots, shown, rows)

    def trainer(self, fold: Fold | None) -> Trainer:
        """A new network, for a fold's training side or for everything."""
        rows = np.arange(len(self.answer.spectra)) if fold is None else fold.training
        known = None if sees_shares(self.shape.network) else self._normalization(fold)
        told, n = self.answer.classes(fold), self.shape.classes
        data = TrainingSet(self.inputs(fold, rows), told, n, normalization=known)
        config = self.config
        return Trainer(self.shape, data, config.seed, config.computing, config.augment)

    def _normalization(self, fold: Fold | None) -> InputNormalization:
        return self.answer.normalization(fold, None)


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
    numbers, device = range(1 + len(task.folds)), str(resolve_device(config.device))
    workers = at_once(len(numbers), device)
    trainers = yield from _trained(task, numbers[:workers], history)
    if trainers is None:
        return answer.model.with_note(run.note, ENDED if run.over else NOT_A_NUMBER)
    model = _model(task, trainers[0], history)
    if not task.folds:
        return model.with_note(run.note)
    yield from run.tell(EpochReport("Network on all labels", preview=model))
    judged = yield from _judged(task, model, trainers[1:], workers)
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
    task: _Task, numbers: range, history: list[EpochRecord]
) -> Job[EpochReport, list[Trainer] | None]:
    """Run all epochs of some fits at once: 0 on everything, n on fold n; ``None`` if cut short."""
    run, epochs = task.run, task.epochs
    report = EpochReport(_phase(task, numbers), epochs=epochs)
    trainers: list[Trainer] = []
    for number in numbers:
        fold = task.folds[number - 1] if number else None
        if not (yield from _is_told(task, fold, report)):
            return None
        trainers.append(task.trainer(fold))
    done = numbers[0] * epochs
    for epoch in range(epochs):
        left = task.seconds_left(done)
        jobs = [trainer.epoch() for trainer in trainers]
        steps = together(jobs, at_once(len(jobs), str(trainers[0].device)))
        losses = yield from run.drive(steps, replace(report, seconds_left=left))
        run.note = "; ".join(note for t in trainers for note in t.notes) or run.note
        if losses is None or losses[0] is None or None in losses:
            return None
        done += len(trainers)
        history.append(EpochRecord(epoch + 1, round(losses[0], 6)))
        report = replace(report, epoch=epoch + 1, loss=losses[0])
        yield from run.tell(replace(report, seconds_left=task.seconds_left(done)))
        if run.over and epoch + 1 < epochs:
            return None
    return trainers


def _is_told(task: _Task, fold: Fold | None, report: EpochReport) -> Job[EpochReport, bool]:
    """Find which labels are meant, of a region or of all, without the groups that are held out."""
    in_doubt = task.answer.suspect or task.answer.spectra.regions is not None
    if fold is None or not in_doubt:
        return True
    learned = yield from task.run.drive(learned_from(task.answer, fold, None), report)
    if learned is None:
        return False
    taken = {**task.answer.taken, fold: learned.classes}
    task.answer = replace(task.answer, taken=taken)
    return True


def _phase(task: _Task, numbers: range) -> str:
    if not numbers[0]:
        return "Network on all labels" + (" and on held-out groups" if len(numbers) > 1 else "")
    parts = f"{numbers[0]}" + (f" to {numbers[-1]}" if len(numbers) > 1 else "")
    return "Network on held-out groups" + (
        f", part {parts} of {len(task.folds)}" if len(task.folds) > len(numbers) else ""
    )


def _judged(
    task: _Task, model: FittedModel, trainers: list[Trainer], workers: int
) -> Job[EpochReport, FittedModel]:
    """Fit anew without each held-out part, as far as that is not done yet, and ask that part."""
    unjudged = model.with_note(UNJUDGED)
    parts: list[Float32Array] = []
    while True:
        for trainer in trainers:
            fold = task.folds[len(parts)]
            inputs = task.inputs(fold, fold.held_out)
            report = EpochReport("Network on held-out groups")
            part = yield from task.run.drive(trainer.logits(inputs), report)
            if part is None:
                return unjudged
            parts.append(part)
        first, last = len(parts) + 1, len(task.folds)
        if first > last:
            break
        numbers = range(first, min(first + workers, last + 1))
        more = None if task.run.over else (yield from _trained(task, numbers, []))
        if more is None:
            return unjudged
        trainers = more
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
    phase = "Network on held-out groups"
    return judged, EpochReport(phase, held_out_score=score, linear_score=linear, preview=judged)


def _model(task: _Task, trainer: Trainer, history: list[EpochRecord]) -> FittedModel:
    """The network with all of the answer; the linear model stays in the file to compare with."""
    linear = uncalibrated(task.answer.model)
    facts = {**network_facts(task.shape), "epochs": task.epochs, **trainer.facts}
    unjudged = score_facts(None, None)
    return replace(
        linear,
        weights={**linear.weights, **trainer.weights()},
        network=task.shape,
        blend=1.0,
        history=tuple(history),
        card={**linear.card, **unjudged, **facts},
    )
