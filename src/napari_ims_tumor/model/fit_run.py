"""What a running fit reports, and whether it is over: stopped, or out of time."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from napari_ims_tumor.job import STOP, Job
from napari_ims_tumor.model.fitted_model import FittedModel

REPORT_EVERY_S: Final = 0.1

Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True, eq=False)
class EpochReport:
    """How far a fit is.

    Attributes
    ----------
    phase
        What is happening, in the user's words.
    epoch, epochs
        Epochs done and most to be done in this phase; 0 of 0 while there are none.
    loss
        Mean loss of the last epoch; ``None`` before.
    held_out_score, linear_score
        Balanced accuracy on held-out groups, of the model and of the linear model alone; ``None``
        where nothing can be held out.
    seconds_left
        At most this long; ``None`` while it cannot be told.
    device
        What computes.
    note
        A sentence for the user: why there is no score, that memory ran out.
    preview
        A model that can be shown already; the first is the linear one.
    is_optimistic
        Whether the groups that give the score also choose the epoch.
    """

    phase: str
    epoch: int = 0
    epochs: int = 0
    loss: float | None = None
    held_out_score: float | None = None
    linear_score: float | None = None
    seconds_left: float | None = None
    device: str = ""
    note: str = ""
    preview: FittedModel | None = None
    is_optimistic: bool = False

    @property
    def done(self) -> int:
        """Same as ``epoch``: for progress bars."""
        return self.epoch

    @property
    def total(self) -> int:
        """Same as ``epochs``: for progress bars."""
        return self.epochs

    @property
    def fraction(self) -> float:
        """Share of this phase done, 0 to 1."""
        return self.epoch / self.epochs if self.epochs else 0.0


class FitRun:
    """The clock of one fit, and its ear: hears STOP at every report.

    ``later`` is the share of a time limit that belongs to what comes after the linear model.
    """

    def __init__(self, time_limit_s: float | None, device: str, later: float = 0.0) -> None:
        self.device = device
        self._later_s = later * (time_limit_s or 0.0)
        self.note = ""
        self._start = self._last = time.monotonic()
        self._limit_s = time_limit_s
        self._deadline = None if time_limit_s is None else self._start + time_limit_s
        self._stopped = False

    @property
    def over(self) -> bool:
        """Whether the fit was stopped or its time is up."""
        late = self._deadline is not None and time.monotonic() >= self._deadline
        return self._stopped or late

    @property
    def ended(self) -> str:
        """Say what ended the fit; nothing while it is not over."""
        if self._stopped:
            return "stopped"
        return f"ended by its time limit of {self._limit_s:g} s" if self.over else ""

    @property
    def seconds(self) -> float:
        """Time since the start."""
        return time.monotonic() - self._start

    @property
    def seconds_left(self) -> float | None:
        """Time until the limit; ``None`` without one."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def can_wait(self, seconds: float) -> bool:
        """Whether what comes later can wait so long."""
        left = self.seconds_left
        return left is None or left - seconds >= self._later_s

    def is_over(self) -> bool:
        """:attr:`over`, as something to hand to a solver."""
        return self.over

    def tell(self, report: EpochReport) -> Job[EpochReport, None]:
        """Yield a report and take note of the answer."""
        note = report.note or self.note
        answer = yield replace(report, device=self.device, note=note)
        self._last = time.monotonic()
        self._stopped = self._stopped or answer is STOP

    def drive(
        self, steps: Generator[object, None, Outcome], report: EpochReport, to_end: bool = False
    ) -> Job[EpochReport, Outcome | None]:
        """Run steps, yielding ``report`` some ten times a second.

        Returns
        -------
        object or None
            What the steps returned; ``None`` when the fit was over before. With ``to_end`` the
            steps themselves see that (see :meth:`is_over`) and are run to their end.
        """
        while True:
            try:
                next(steps)
            except StopIteration as end:
                outcome: Outcome = end.value
                return outcome
            if time.monotonic() - self._last > REPORT_EVERY_S:
                yield from self.tell(report)
            if self.over and not to_end:
                steps.close()
                return None
