"""What limits of time and steps leave of each epoch, and what a model's card says of them."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from typing import Final

from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.model.epoch_choice import Check
from napari_ims_tumor.model.fit_run import FitRun
from napari_ims_tumor.model.presets import epochs_of
from napari_ims_tumor.model.together import together
from napari_ims_tumor.model.training import Trainer

PROBED: Final = (1, 3)
"""Steps that are timed: the first, which is slower, does not count."""
EPOCHS_LEFT: Final = 8
"""Into so many epochs what is left of a time limit is divided: fewer, and held-out groups would be
asked too seldom; more, and asking them would take most of the time."""


class EpochBudget:
    """Keeps the epochs of a check as short as its limits ask; leaves them alone without limits.

    An epoch that fits is never touched, so a limit that costs nothing changes nothing.
    """

    def __init__(self, check: Check, config: FitConfig, run: FitRun) -> None:
        self._check, self._config, self._run = check, config, run
        self._longest = max(check.all_trainers, key=lambda trainer: trainer.steps_of_all)
        self._first = self._longest.step
        self._whole = self._shortest = self._longest.steps_of_all
        self._step_seconds = 0.0
        self._since = run.seconds, self._longest.step
        self.ended = ""
        """What ended the check before its time; nothing where nothing did."""

    def measure(self, workers: int) -> Generator[None, None, None]:
        """Find out how long a step takes, and size the first epoch."""
        if self._run.seconds_left is not None:
            self._step_seconds = yield from seconds_of_a_step(self._check.all_trainers, workers)
        self._since = self._run.seconds, self._longest.step
        self._size(len(self._check.history))

    def after(self, epoch: int) -> None:
        """Size the next epoch by the time that this one took."""
        seconds, steps = self._since
        self._since = self._run.seconds, self._longest.step
        if self._longest.step > steps:
            self._step_seconds = (self._since[0] - seconds) / (self._longest.step - steps)
        self._size(epoch)

    @property
    def why_end(self) -> str:
        """Say why there shall be no further epoch; nothing where there may be one."""
        most, longest = self._config.steps, self._longest
        done = longest.step - self._first
        is_spent = most is not None and done + longest.steps_of_epoch > most
        return self._run.ended or (f"ended by its limit of {most} steps" if is_spent else "")

    def patience(self, epochs: int) -> int:
        """As many epochs as show no less than so many whole ones would."""
        return -(-epochs * self._whole // self._shortest)

    @property
    def words(self) -> str:
        """Say what the limits took away; nothing where they took nothing."""
        done, most = len(self._check.history), epochs_of(self._config)
        said = [f"{self.ended} after {done} of {most} epochs"] if self.ended else []
        if done and self._shortest < self._whole:
            limits = (self._config.time_limit_s, "{:g} s"), (self._config.steps, "{} steps")
            kept = " and ".join(words.format(n) for n, words in limits if n is not None)
            cut = f"{self._shortest} of {self._whole} steps"
            said.append(f"epochs were cut to {cut} to keep within {kept}")
        return "; ".join(said)

    def _size(self, epoch: int) -> None:
        most = min(filter(None, (self._by_time(epoch), self._by_steps())), default=None)
        for trainer in self._check.all_trainers:
            trainer.most_steps = most
        self._shortest = min(self._shortest, self._longest.steps_of_epoch)

    def _by_time(self, epoch: int) -> int | None:
        left = self._run.seconds_left
        if left is None:
            return None
        share = left / max(1, min(EPOCHS_LEFT, epochs_of(self._config) - epoch))
        # Fewer steps than that, and held-out groups would be asked before anything is learned.
        return max(self._longest.recipe.least_steps, int(share / max(self._step_seconds, 1e-9)))

    def _by_steps(self) -> int | None:
        """As few steps as make whole epochs of all that were asked for."""
        steps, least = self._config.steps, self._longest.recipe.least_steps
        if steps is None:
            return None
        return max(1, steps // min(epochs_of(self._config), max(1, steps // least)))


def seconds_of_a_step(trainers: Sequence[Trainer], workers: int) -> Generator[None, None, float]:
    """Time of one step of each CNN, taken on copies that are thrown away."""
    epochs = [trainer.copy().epoch() for trainer in trainers]
    begun = time.monotonic()
    for steps in PROBED:
        begun = time.monotonic()
        yield from together([_some(epoch, steps) for epoch in epochs], workers)
    return (time.monotonic() - begun) / PROBED[-1]


def _some(steps: Generator[None, None, object], n: int) -> Generator[None, None, None]:
    for _ in range(n):
        next(steps, None)
        yield
