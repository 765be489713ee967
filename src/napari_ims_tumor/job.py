"""Long work is a generator: it yields small reports and returns a result.

The command line loops over a job with a progress bar, the window drives it in a worker, a test runs
it inline: the same code three times. A job is stopped by *sending* it :data:`STOP` between two
reports; it then ends with the best result so far, or raises :class:`JobStopped` where half a result
would be worth nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, TypeAlias, TypeVar

from napari_ims_tumor.errors import ImsTumorError


class StopSignal(Enum):
    """The one thing that may be sent into a running job."""

    STOP = "stop"


STOP: Final = StopSignal.STOP
Stop: TypeAlias = Literal[StopSignal.STOP] | None

Report = TypeVar("Report")
Result = TypeVar("Result")

Job: TypeAlias = Generator[Report, Stop, Result]


class JobStopped(ImsTumorError):
    """The job was stopped before it had anything worth keeping."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is.

    Attributes
    ----------
    phase
        What is happening, in the user's words: ``"Reading spectra"``.
    done, total
        Steps; ``total`` is 0 while the length is unknown.
    """

    phase: str
    done: int = 0
    total: int = 0

    @property
    def fraction(self) -> float:
        """Share done, 0 to 1; 0 while the length is unknown."""
        return self.done / self.total if self.total else 0.0


def run_inline(
    job: Job[Report, Result],
    on_report: Callable[[Report], object] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Result:
    """Drive a job to its end in this thread.

    Parameters
    ----------
    job
        The generator.
    on_report
        Called with every report.
    should_stop
        Asked after every report; ``True`` sends :data:`STOP` into the job.

    Returns
    -------
    Result
        What the job returned.
    """
    answer: Stop = None
    try:
        while True:
            report = job.send(answer) if answer is not None else next(job)
            if on_report is not None:
                on_report(report)
            answer = STOP if should_stop is not None and should_stop() else None
    except StopIteration as end:
        result: Result = end.value
        return result


def outcome_of(steps: Generator[object, None, Result]) -> Result:
    """Run steps that nobody needs to hear of, and cannot stop, to their end."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result
