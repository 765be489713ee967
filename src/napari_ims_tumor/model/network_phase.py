"""The last two phases of a fit: CNNs on held-out folds, then the CNN on everything."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import replace
from typing import Final, TypeAlias

import numpy as np

from napari_ims_tumor.annotation.split import Fold
from napari_ims_tumor.job import Job
from napari_ims_tumor.model.calibration import calibrated_log_loss
from napari_ims_tumor.model.config import FitConfig, NetworkConfig
from napari_ims_tumor.model.epoch_budget import EpochBudget
from napari_ims_tumor.model.epoch_choice import Check, Choice, choose, is_enough, is_worth_it
from napari_ims_tumor.model.fit_run import EpochReport, FitRun
from napari_ims_tumor.model.fitted_model import CardValue, EpochRecord, FittedModel
from napari_ims_tumor.model.head_features import head_features
from napari_ims_tumor.model.judging import calibrated
from napari_ims_tumor.model.linear_answer import LinearAnswer
from napari_ims_tumor.model.linear_phase import score_facts
from napari_ims_tumor.model.presets import epochs_of
from napari_ims_tumor.model.together import at_once, together
from napari_ims_tumor.model.training import Trainer
from napari_ims_tumor.model.training_set import TrainingSet
from napari_ims_tumor.model.unfinished import Unfinished, kept, mark_of, take_up
from napari_ims_tumor.model.weight_shapes import network_facts
from napari_ims_tumor.msi.arrays import Float32Array

_Judged: TypeAlias = tuple[float, Float32Array]
"""Mean loss of an epoch, and the logits of the held-out spectra after it."""

PATIENCE: Final = 3
PATIENCE_FROM_BASE: Final = 1
"""A base is close already: if an epoch on held-out groups does not help, the next will not."""
CHECK_FOLDS: Final = 3
NO_BETTER: Final = "the CNN was no better than the linear model on held-out groups: linear is used"
STOPPED: Final = "by then the CNN was no better than the linear model: linear is used"
NONE_JUDGED: Final = "no CNN was judged by then: linear is used"
NOT_ALL: Final = "the CNN has not seen a part of the groups yet, which judged it"
NOT_A_NUMBER: Final = "the loss was not a number: the last good weights are kept"
MANY_NUMBERS: Final = 10_000_000
"""Above this many intensities one held-out fold is judged instead of three."""


def network_phase(
    answer: LinearAnswer,
    config: FitConfig,
    base: FittedModel | None,
    run: FitRun,
    earlier: Unfinished | None = None,
) -> Job[EpochReport, FittedModel]:
    """Fit the CNN beside the linear answer; returns whatever held-out groups preferred.

    Without held-out groups nothing could show that the CNN does no harm: the linear answer stands
    (beside the base's CNN, when fine-tuning). ``earlier`` is where the fit was ended before.
    """
    if not answer.validation.folds:
        return _unjudged(answer, base)
    features = yield from head_features(answer, config, base, run)
    check = _begin(answer, config, base, earlier, features)
    budget = EpochBudget(check, config, run)
    if earlier is not None:
        yield from _told_again(check, config, run)
    yield from _epochs(check, budget, config, run)
    model, said = yield from _chosen(check, budget, config, run)
    model = model.with_note(run.note, budget.words, said)
    is_ended = bool(budget.ended) or (run.over and said == NOT_ALL)
    return replace(model, unfinished=check.saved) if is_ended else model


def _chosen(
    check: Check, budget: EpochBudget, config: FitConfig, run: FitRun
) -> Job[EpochReport, tuple[FittedModel, str]]:
    """The linear model or the CNN on all labels, and what is to be said of that."""
    if not is_worth_it(check):
        why = STOPPED if budget.ended else NO_BETTER
        why = why if check.saved else NONE_JUDGED
        if not run.over:
            yield from run.tell(replace(_report(check, "Network on held-out groups"), note=why))
        return check.answer.model, why
    shape = check.trainers[0].config
    stopgap = _model(check, shape, check.best.weights)
    if not run.over:
        preview = stopgap.with_note(run.note, budget.words)
        yield from run.tell(_report(check, "Network on held-out groups", preview))
    if check.ahead is not None:
        return stopgap, ""
    weights = None if run.over else (yield from _refit(check, config, run))
    return (stopgap, NOT_ALL) if weights is None else (_model(check, shape, weights), "")


def _told_again(check: Check, config: FitConfig, run: FitRun) -> Job[EpochReport, None]:
    """Report the epochs of a fit that goes on, so that its curves are whole."""
    for record in check.history:
        told = _report_of(check, record, "Network on held-out groups")
        yield from run.tell(replace(told, epochs=epochs_of(config)))


def _epochs(
    check: Check, budget: EpochBudget, config: FitConfig, run: FitRun
) -> Job[EpochReport, None]:
    """Epoch after epoch, until no further one would help or a limit is reached."""
    from_base = check.base is not None and check.base.has_cnn
    patience, most = PATIENCE_FROM_BASE if from_base else PATIENCE, epochs_of(config)
    if check.saved is not None and is_enough(check, patience, most):
        return
    report = replace(_report(check, "Network on held-out groups"), epochs=most)
    workers = at_once(len(check.all_trainers), str(check.trainers[0].device))
    yield from run.drive(budget.measure(workers), report)
    first = len(check.history) if check.saved is None and from_base else len(check.history) + 1
    for epoch in range(first, most + 1):
        finished = yield from _check_epoch(check, epoch, config, run)
        if is_enough(check, budget.patience(patience), most):
            break
        budget.ended = budget.why_end
        if not finished or budget.ended:
            break
        budget.after(epoch)


def _begin(
    answer: LinearAnswer,
    config: FitConfig,
    base: FittedModel | None,
    earlier: Unfinished | None,
    features: Float32Array | None = None,
) -> Check:
    several = answer.spectra.values.size <= MANY_NUMBERS
    folds = answer.validation.folds[: CHECK_FOLDS if several else 1]
    trainers = tuple(_trainer(answer, fold, config, base, features) for fold in folds)
    rows = np.concatenate([fold.held_out for fold in folds])
    loss = calibrated_log_loss(answer.held_out.logits[rows], answer.spectra.classes[rows])
    is_free = at_once(len(folds) + 1, str(trainers[0].device)) > len(folds)
    # Nothing is left for it once a limit is reached.
    is_limited = config.time_limit_s is not None or config.steps is not None
    is_ahead = is_free or is_limited
    if earlier is not None:
        is_ahead = earlier.is_ahead
    ahead = _trainer(answer, None, config, base, features) if is_ahead else None
    check = Check(answer, folds, trainers, base, Choice(loss), [], ahead, features)
    check.mark = mark_of(answer.spectra, config, base)
    if earlier is not None:
        take_up(check, earlier)
    return check


def _trainer(
    answer: LinearAnswer,
    fold: Fold | None,
    config: FitConfig,
    base: FittedModel | None,
    features: Float32Array | None,
) -> Trainer:
    shape = NetworkConfig.for_axis("default", len(answer.spectra.axis), _n_classes(answer))
    if base is not None and base.network.network == "default":
        shape = base.network
    rows = np.arange(len(answer.spectra)) if fold is None else fold.training
    classes = answer.classes(fold)
    if features is None:
        known = answer.normalization(fold, base)
        inputs = answer.inputs(known, rows)
        data = TrainingSet(inputs, classes, _n_classes(answer), normalization=known)
    else:
        data = TrainingSet(features, classes, _n_classes(answer), rows, before_head=True)
    trainer = Trainer(shape, data, config.seed, config.computing, config.augment)
    if base is not None and base.network.network == "default":
        trainer.start_from(base.weights, config.tune)
    return trainer


def _check_epoch(
    check: Check, epoch: int, config: FitConfig, run: FitRun
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
    score = choose(check, epoch, np.concatenate(parts))
    if epoch:
        check.history.append(EpochRecord(epoch, round(float(np.mean(losses)), 6), score))
    check.saved = kept(check)
    left = (time.monotonic() - begun) * (report.epochs - epoch + 2)
    told = replace(_report(check, report.phase), epochs=report.epochs, seconds_left=left)
    yield from run.tell(told)
    return not run.over


def _fold_epoch(
    check: Check, fold: Fold, trainer: Trainer, epoch: int
) -> Generator[None, None, _Judged | None]:
    """One epoch of a fold's CNN, then its answer; ``None`` when the loss was not a number."""
    # Epoch 0 judges a base model's CNN as it is.
    loss = 0.0 if epoch == 0 else (yield from trainer.epoch())
    if loss is None:
        return None
    if fold not in check.shown:
        check.shown[fold] = _shown(check, fold)
    return loss, (yield from trainer.logits(check.shown[fold]))


def _shown(check: Check, fold: Fold) -> Float32Array:
    """What a fold's CNN is asked about: the same in every epoch."""
    if check.features is not None:
        features: Float32Array = check.features[fold.held_out]
        return features
    normalization = check.answer.normalization(fold, check.base)
    return check.answer.inputs(normalization, fold.held_out)


def _ahead_epoch(trainer: Trainer, epoch: int) -> Generator[None, None, _Judged | None]:
    """The same epoch of the CNN on everything, on a core that would lie idle."""
    loss = 0.0 if epoch == 0 else (yield from trainer.epoch())
    return None if loss is None else (loss, np.zeros((0, 0), np.float32))


def _refit(
    check: Check, config: FitConfig, run: FitRun
) -> Job[EpochReport, dict[str, Float32Array] | None]:
    """The CNN on every labelled spectrum, for as many epochs as were best; ``None`` if stopped."""
    trainer = _trainer(check.answer, None, config, check.base, check.features)
    trainer.most_steps = check.trainers[0].most_steps
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


def _report(check: Check, phase: str, preview: FittedModel | None = None) -> EpochReport:
    last = check.history[-1] if check.history else None
    return replace(_report_of(check, last, phase), preview=preview)


def _report_of(check: Check, last: EpochRecord | None, phase: str) -> EpochReport:
    return EpochReport(
        phase,
        epoch=last.epoch if last else 0,
        epochs=last.epoch if last else 0,
        loss=last.loss if last else None,
        held_out_score=last.held_out_score if last else None,
        # On the spectra of these folds alone: it says something beside the network's score only.
        linear_score=check.linear_score if last else None,
        is_optimistic=bool(check.history),
    )


def _model(check: Check, shape: NetworkConfig, weights: dict[str, Float32Array]) -> FittedModel:
    linear, best, spectra = check.answer.model, check.best, check.answer.spectra
    assert best.logits is not None  # noqa: S101 - only called when the CNN was chosen
    rows = check.rows
    scores = score_facts(best.score, check.linear_score)
    card: dict[str, CardValue] = {**linear.card, **scores}
    found: dict[str, CardValue] = {"epochs": best.epoch, "share of the CNN": best.blend}
    found |= check.trainers[0].facts
    model = replace(
        linear,
        weights={**linear.weights, **weights},
        network=shape,
        blend=best.blend,
        history=tuple(check.history),
        card={**card, **network_facts(shape), **found},
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
