"""Who drives a job: this thread (scripts, tests) or a worker (the window)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, Literal, Protocol, TypeVar

from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.job import Job, JobStopped, Progress, run_inline

Report = TypeVar("Report")
Result = TypeVar("Result")

Lane = Literal[
    "open", "survey", "ion", "pin", "measure", "peaks", "average", "fit", "predict", "explain",
    "peaks alone", "file", "autosave", "device", "warm-up", "index", "verify",
    "spectra",
]  # fmt: skip
"""One job runs per lane; a job that comes to a busy lane stops the old one and takes its place."""

PATIENT_LANES: Final[frozenset[Lane]] = frozenset({"file", "pin"})
"""Lanes whose jobs wait for each other and are never dropped: somebody counts on each of them."""

BACKGROUND_LANES: Final[frozenset[Lane]] = frozenset({"index", "verify", "spectra"})
"""Lanes whose jobs nobody asked for: they get the time that is left over, and can be stopped."""

_log = logging.getLogger(__name__)


def ignore(_: object) -> None:
    """Take note of nothing."""


@dataclass(frozen=True)
class JobListener(Generic[Report, Result]):
    """What to do with what a job says; always called in the thread that owns the session."""

    on_result: Callable[[Result], object]
    on_error: Callable[[str], object]
    on_report: Callable[[Report], object] = ignore
    on_end: Callable[[], object] = lambda: None


class JobRunner(Protocol):
    """Drives jobs, one per lane."""

    def start(
        self, lane: Lane, job: Job[Report, Result], listener: JobListener[Report, Result]
    ) -> None:
        """Begin a job; one that still runs on the lane is stopped and its result dropped.

        On one of the :data:`PATIENT_LANES` the new job waits for its turn instead.
        """

    def stop(self, lane: Lane) -> None:
        """Ask the lane's job to end with its best result so far."""

    def is_busy(self, lane: Lane) -> bool:
        """Whether a job runs on the lane."""

    def close(self) -> None:
        """End all jobs, dropping their results; nothing runs any more when this returns.

        Jobs of the :data:`PATIENT_LANES` are not ended but waited for.
        """


class InlineRunner:
    """Runs each job to its end before ``start`` returns."""

    def __init__(self) -> None:
        self._busy: set[Lane] = set()
        self._stopping: set[Lane] = set()

    def start(
        self, lane: Lane, job: Job[Report, Result], listener: JobListener[Report, Result]
    ) -> None:
        """Run a job to its end."""
        self._busy.add(lane)
        self._stopping.discard(lane)
        result: Result | None = None
        message: str | None = None
        try:
            result = run_inline(job, listener.on_report, lambda: lane in self._stopping)
        except Exception as error:  # noqa: BLE001 - the runner is where a job's errors end
            message = explain(error)
        finally:
            self._busy.discard(lane)
        # The job has ended before anybody hears of its result: the next one may start from there.
        listener.on_end()
        if message is None:
            listener.on_result(result)  # type: ignore[arg-type]
        elif message:
            listener.on_error(message)

    def stop(self, lane: Lane) -> None:
        """Send STOP with the lane's next report."""
        self._stopping.add(lane)

    def is_busy(self, lane: Lane) -> bool:
        """Whether a job runs on the lane."""
        return lane in self._busy

    def close(self) -> None:
        """Stop what runs."""
        self._stopping |= self._busy


def explain(error: BaseException) -> str:
    """Turn what a job raised into the sentence the user reads; empty for a stopped job."""
    if isinstance(error, JobStopped):
        return ""
    if isinstance(error, ImsTumorError):
        return str(error)
    _log.error("a job failed unexpectedly", exc_info=error)
    if isinstance(error, MemoryError):
        return "There is not enough memory for this. Close other programs or slides and try again."
    if isinstance(error, OSError):
        return f"A file could not be used: {error}."
    return (
        f"Something unexpected happened ({type(error).__name__}: {error}). Nothing was changed; "
        "the log holds the details for a bug report."
    )


def one_step(phase: str, work: Callable[[], Result]) -> Job[Progress, Result]:
    """Wrap a short piece of work as a job."""
    yield Progress(phase)
    return work()
