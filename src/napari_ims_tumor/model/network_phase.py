"""The last two phases of a fit: CNNs on held-out folds, then the CNN on everything."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

import numpy as np

from napari_ims_tumor.annotation.split import Fold
from napari_ims_tumor.job import Job
from napari_ims_tumor.model.calibration import (
    calibrated_log_loss,
    is_better_beyond_chance,
)
from napari_ims_tumor.model.config import FitConfig, NetworkConfig
from napari_ims_tumor.model.device import resolve_device
from napari_ims_tumor.model.fit_run import EpochReport, FitRun
from napari_ims_tumor.model.fitted_model import CardValue, EpochRecord, FittedModel
from napari_ims_tumor.model.judging import calibrated
from napari_ims_tumor.model.linear_phase import LinearAnswer, score_facts
from napari_ims_tumor.model.presets import epochs_of
from napari_ims_tumor.model.scores import balanced_accuracy
from napari_ims_tumor.model.together import at_once, together
from napari_ims_tumor.model.training import Trainer, TrainingSet
from napari_ims_tumor.model.weight_shapes import network_facts
from napari_ims_tumor.msi.arrays import Float32Array, IntArray

_Judged: TypeAlias = tuple[float, Float32Array]
"""Mean loss of an epoch, and the logits of the held-out spectra after it."""

BLENDS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
PATIENCE: Final = 3
PATIENCE_FROM_BASE: Final = 1
"""A base is close already: if an epoch on held-out groups does not help, the next will not."""
LEAST_GAIN: Final = 0.01
"""Share by which held-out loss must fall to count: fewer epochs, fewer choices made by chance."""
NOTHING_LEFT: Final = 0.02
"""Held-out loss in nats from which on further epochs could only polish: 98 % for the true class."""
CHECK_FOLDS: Final = 3
NO_BETTER: Final = "the CNN was no better than the linear model on held-out groups: linear is used"
STOPPED: Final = "ended before the CNN was better than the linear model: linear is used"
NOT_A_NUMBER: Final = "the loss was not a number: the last good weights are kept"
MANY_NUMBERS: Final = 10_000_000
"""Above this many intensities one held-out fold is judged instead of three."""


@dataclass(frozen=True, eq=False)
class Choice:
    """What held-out groups preferred so far: after which epoch, with which share of the CNN."""

    loss: float
    epoch: int = 0
    blend: float = 0.0
    score: float | None = None
    logits: Float32Array | None = None
    weights: dict[str, Float32Array] = field(default_factory=dict)


@dataclass(eq=False)
class _Check:
    """The CNNs of the held-out folds, and the best choice they have led to."""

    answer: LinearAnswer
    folds: tuple[Fold, ...]
    trainers: tuple[Trainer, ...]
    base: FittedModel | None
    best: Choice
    history: list[EpochRecord]
    ahead: Trainer | None = None
    """The CNN on all labels, fitted at the same time where a core is free for it: whatever epoch is
    chosen, it is there already."""

    @property
    def all_trainers(self) -> tuple[Trainer, ...]:
        """Of the folds, and of everything."""
        return self.trainers if self.ahead is None else (*self.trainers, self.ahead)

    @property
    def rows(self) -> IntArray:
        """Spectra that these folds hold out."""
        return np.concatenate([fold.held_out for fold in self.folds])

    @property
    def linear_score(self) -> float | None:
        """The linear model's score on the very same spectra, to compare with."""
        rows = self.rows
        logits = self.answer.held_out.logits[rows]
        return balanced_accuracy(logits, self.answer.spectra.classes[rows])


def network_phase(
    answer: LinearAnswer, config: FitConfig, base: FittedModel | None, run: FitRun
) -> Job[EpochReport, FittedModel]:
    """Fit the CNN beside the linear answer; returns whatever held-out groups preferred.

    Without held-out groups nothing could show that the CNN does no harm: the linear answer stands
    (beside the base's CNN, when fine-tuning).
    """
    shape = NetworkConfig.for_axis("default", len(answer.spectra.axis), _n_classes(answer))
    if base is not None and base.network.network == "default":
        shape = base.network
    if not answer.validation.folds:
        return _unjudged(answer, base)
    check = _begin(answer, config, base, shape)
    from_base = base is not None and base.has_cnn
    patience = PATIENCE_FROM_BASE if from_base else PATIENCE
    for epoch in range(0 if from_base else 1, epochs_of(config) + 1):
        finished = yield from _check_epoch(check, epoch, config, run)
        waited = epoch - check.best.epoch >= patience
        if not finished or waited or check.best.loss < NOTHING_LEFT:
            break
    if not _is_worth_it(check):
        if run.over:
            return answer.model.with_note(run.note, STOPPED)
        yield from run.tell(replace(_report(check, "Network on held-out groups"), note=NO_BETTER))
        return answer.model.with_note(run.note, NO_BETTER)
    stopgap = _model(check, shape, check.best.weights).with_note(run.note)
    if not run.over:
        yield from run.tell(_report(check, "Network on held-out groups", stopgap))
    if run.over or check.ahead is not None:
        return stopgap
    weights = yield from _refit(check, config, base, run)
    if weights is None:
        return stopgap
    return _model(check, shape, weights).with_note(run.note)


def _begin(
    answer: LinearAnswer, config: FitConfig, base: FittedModel | None, shape: NetworkConfig
) -> _Check:
    several = answer.spectra.values.size <= MANY_NUMBERS
    folds = answer.validation.folds[: CHECK_FOLDS if several else 1]
    trainers = tuple(_trainer(answer, fold, config, base, shape) for fold in folds)
    rows = np.concatenate([fold.held_out for fold in folds])
    loss = calibrated_log_loss(answer.held_out.logits[rows], answer.spectra.classes[rows])
    free = at_once(len(folds) + 1, str(trainers[0].device)) > len(folds)
    ahead = _trainer(answer, None, config, base, shape) if free else None
    return _Check(answer, folds, trainers, base, Choice(loss), [], ahead)


def _trainer(
    answer: LinearAnswer,
    fold: Fold | None,
    config: FitConfig,
    base: FittedModel | None,
    shape: NetworkConfig,
) -> Trainer:
    rows = np.arange(len(answer.spectra)) if fold is None else fold.training
    inputs = answer.inputs(answer.normalization(fold, base), rows)
    data = TrainingSet(inputs, answer.classes(fold), _n_classes(answer))
    device = str(resolve_device(config.device))
    trainer = Trainer(shape, data, config.seed, device)
    if base is not None and base.network.network == "default":
        trainer.start_from(base.weights, config.tune)
    return trainer


def _check_epoch(
    check: _Check, epoch: int, config: FitConfig, run: FitRun
) -> Job[EpochReport, bool]:
    """One epoch of every fold's CNN, then the choice; ``False`` when the fit must end here."""
    begun = time.monotonic()
    report = replace(_report(check, "Network on held-out groups"), epochs=epochs_of(config))
    pairs = zip(check.folds, check.trainers, strict=True)
    jobs = [_fold_epoch(check, fold, trainer, epoch) for fold, trainer in pairs]
    if check.ahead is not None:
        jobs.append(_ahead_epoch(check.ahead, epoch))
    workers = at_once(len(jobs), str(check.trainers[0].device))
    found = yield from run.drive(together(jobs, workers), report)
    run.note = "; ".join(note for t in check.all_trainers for note in t.notes) or run.note
    judged = [one for one in found or [] if one is not None]
    if found is None or len(judged) < len(jobs):
        run.note = run.note if run.over else NOT_A_NUMBER
        return False
    losses = [loss for loss, _ in judged[: len(check.folds)]]
    parts = [part for _, part in judged[: len(check.folds)]]
    score = _choose(check, epoch, np.concatenate(parts))
    if epoch:
        check.history.append(EpochRecord(epoch, round(float(np.mean(losses)), 6), score))
    left = (time.monotonic() - begun) * (report.epochs - epoch + 2)
    told = replace(_report(check, report.phase), epochs=report.epochs, seconds_left=left)
    yield from run.tell(told)
    return not run.over


def _fold_epoch(
    check: _Check, fold: Fold, trainer: Trainer, epoch: int
) -> Generator[None, None, _Judged | None]:
    """One epoch of a fold's CNN, then its answer; ``None`` when the loss was not a number."""
    # Epoch 0 judges a base model's CNN as it is.
    loss = 0.0 if epoch == 0 else (yield from trainer.epoch())
    if loss is None:
        return None
    normalization = check.answer.normalization(fold, check.base)
    inputs = check.answer.inputs(normalization, fold.held_out)
    return loss, (yield from trainer.logits(inputs))


def _ahead_epoch(trainer: Trainer, epoch: int) -> Generator[None, None, _Judged | None]:
    """The same epoch of the CNN on everything, on a core that would lie idle."""
    loss = 0.0 if epoch == 0 else (yield from trainer.epoch())
    return None if loss is None else (loss, np.zeros((0, 0), np.float32))


def _choose(check: _Check, epoch: int, cnn: Float32Array) -> float | None:
    """Keep the epoch and blend with the least held-out loss; returns this epoch's score."""
    classes = check.answer.spectra.classes[check.rows]
    linear = check.answer.held_out.logits[check.rows]
    mixed = {blend: (1 - blend) * linear + blend * cnn for blend in BLENDS}
    losses = {blend: calibrated_log_loss(logits, classes) for blend, logits in mixed.items()}
    blend = min(losses, key=lambda b: losses[b])
    score = balanced_accuracy(mixed[blend], classes)
    if losses[blend] < (1 - LEAST_GAIN) * check.best.loss:
        weights = (check.ahead or check.trainers[0]).weights()
        copies = {name: np.array(values) for name, values in weights.items()}
        check.best = Choice(losses[blend], epoch, blend, score, mixed[blend], copies)
    return None if score is None else round(score, 4)


def _is_worth_it(check: _Check) -> bool:
    """Whether the chosen share of the CNN beats the linear model by more than chance would."""
    best, spectra, rows = check.best, check.answer.spectra, check.rows
    if best.logits is None or best.blend == 0:
        return False
    linear = check.answer.held_out.logits[rows]
    return is_better_beyond_chance(best.logits, linear, spectra.classes[rows], spectra.groups[rows])


def _refit(
    check: _Check, config: FitConfig, base: FittedModel | None, run: FitRun
) -> Job[EpochReport, dict[str, Float32Array] | None]:
    """The CNN on every labelled spectrum, for as many epochs as were best; ``None`` if stopped."""
    trainer = _trainer(check.answer, None, config, base, check.trainers[0].config)
    report = replace(_report(check, "Network on all labels"), epochs=check.best.epoch)
    begun = time.monotonic()
    for epoch in range(check.best.epoch):
        left = (time.monotonic() - begun) / epoch * (check.best.epoch - epoch) if epoch else None
        now = replace(report, epoch=epoch, seconds_left=left)
        loss = yield from run.drive(trainer.epoch(), now)
        run.note = "; ".join(trainer.notes) or run.note
        if loss is None:
            run.note = run.note if run.over else NOT_A_NUMBER
            return None
    return trainer.weights()


def _report(check: _Check, phase: str, preview: FittedModel | None = None) -> EpochReport:
    last = check.history[-1] if check.history else None
    return EpochReport(
        phase,
        epoch=last.epoch if last else 0,
        epochs=last.epoch if last else 0,
        loss=last.loss if last else None,
        held_out_score=last.held_out_score if last else None,
        # On the spectra of these folds alone: it says something beside the network's score only.
        linear_score=check.linear_score if last else None,
        is_optimistic=bool(check.history),
        preview=preview,
    )


def _model(check: _Check, shape: NetworkConfig, weights: dict[str, Float32Array]) -> FittedModel:
    linear, best, spectra = check.answer.model, check.best, check.answer.spectra
    assert best.logits is not None  # noqa: S101 - only called when the CNN was chosen
    rows = check.rows
    scores = score_facts(best.score, check.linear_score)
    card: dict[str, CardValue] = {**linear.card, **scores}
    model = replace(
        linear,
        weights={**linear.weights, **weights},
        network=shape,
        blend=best.blend,
        history=tuple(check.history),
        card={**card, **network_facts(shape), "epochs": best.epoch, "share of the CNN": best.blend},
    )
    model = calibrated(model, best.logits, spectra.classes[rows], spectra.groups[rows])
    return check.answer.with_neighbors(model, rows, best.logits)


def _unjudged(answer: LinearAnswer, base: FittedModel | None) -> FittedModel:
    if base is None or not base.has_cnn:
        return answer.model.with_note("the linear model is used: nothing could judge a CNN")
    return replace(
        answer.model,
        weights={**base.weights, **answer.model.weights},
        network=base.network,
        blend=base.blend,
    )


def _n_classes(answer: LinearAnswer) -> int:
    return len(answer.spectra.class_names)
