"""What held-out groups say of CNNs after each epoch: which one, which share, and when to end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_ims_tumor.annotation.split import Fold
from napari_ims_tumor.model.calibration import calibrated_log_loss, is_better_beyond_chance
from napari_ims_tumor.model.fitted_model import EpochRecord, FittedModel
from napari_ims_tumor.model.linear_answer import LinearAnswer
from napari_ims_tumor.model.scores import balanced_accuracy
from napari_ims_tumor.model.training import Trainer
from napari_ims_tumor.msi.arrays import Float32Array, IntArray

if TYPE_CHECKING:
    from napari_ims_tumor.model.unfinished import Unfinished

BLENDS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
LEAST_GAIN: Final = 0.01
"""Share by which held-out loss must fall to count: fewer epochs, fewer choices made by chance."""
NOTHING_LEFT: Final = 0.02
"""Held-out loss in nats from which on further epochs could only polish: 98 % for the true class."""


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
class Check:
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
    features: Float32Array | None = None
    """What lies before the head, of every spectrum, where only the head is tuned."""
    shown: dict[Fold, Float32Array] = field(default_factory=dict)
    """What the CNN of a fold is shown of the spectra that it holds out, once it was asked."""
    mark: str = ""
    saved: Unfinished | None = None
    """Where it was after its last whole epoch."""

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


def choose(check: Check, epoch: int, cnn: Float32Array) -> float | None:
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


def is_worth_it(check: Check) -> bool:
    """Whether the chosen share of the CNN beats the linear model by more than chance would."""
    best, spectra, rows = check.best, check.answer.spectra, check.rows
    if best.logits is None or best.blend == 0:
        return False
    linear = check.answer.held_out.logits[rows]
    return is_better_beyond_chance(best.logits, linear, spectra.classes[rows], spectra.groups[rows])


def is_enough(check: Check, patience: int, most: int) -> bool:
    """Whether further epochs would bring nothing, or are more than were asked for."""
    done = len(check.history)
    waited = done - check.best.epoch >= patience
    return waited or done >= most or check.best.loss < NOTHING_LEFT
