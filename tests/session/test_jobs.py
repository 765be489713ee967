"""A job's end is always heard, whatever it ended with."""

from __future__ import annotations

import pytest

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.job import STOP, Job, JobStopped, Progress, run_inline
from napari_ims_tumor.session.jobs import InlineRunner, JobListener, explain, one_step


def counting(n: int) -> Job[Progress, int]:
    """Count to n; a stop returns how far it came."""
    for i in range(n):
        if (yield Progress("Counting", i, n)) is STOP:
            return i
    return n


def listen() -> tuple[JobListener, list]:
    heard: list = []
    listener = JobListener(
        lambda result: heard.append(("result", result)),
        lambda message: heard.append(("error", message)),
        lambda report: heard.append(("report", report.done)),
        lambda: heard.append(("end", None)),
    )
    return listener, heard


def test_reports_then_end_then_result() -> None:
    listener, heard = listen()
    InlineRunner().start("fit", counting(2), listener)
    assert heard == [("report", 0), ("report", 1), ("end", None), ("result", 2)]


def test_a_stop_keeps_the_best_so_far() -> None:
    seen: list[int] = []
    assert run_inline(counting(100), lambda r: seen.append(r.done), lambda: len(seen) == 4) == 3


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (SlideError("slide.ibd is missing"), "slide.ibd is missing"),
        (RuntimeError("out of memory"), "Something unexpected happened (RuntimeError"),
        (MemoryError(), "not enough memory"),
        (PermissionError(13, "Permission denied"), "Permission denied"),
    ],
)
def test_every_error_becomes_one_sentence(error: Exception, words: str) -> None:
    def broken() -> Job[Progress, None]:
        yield Progress("Breaking")
        raise error

    listener, heard = listen()
    InlineRunner().start("fit", broken(), listener)
    assert heard[-1][0] == "error"
    assert words in heard[-1][1]
    assert ("end", None) in heard


def test_a_stopped_job_is_no_error() -> None:
    def stopped() -> Job[Progress, None]:
        yield Progress("Stopping")
        raise JobStopped("stopped")

    listener, heard = listen()
    InlineRunner().start("open", stopped(), listener)
    assert [kind for kind, _ in heard] == ["report", "end"]
    assert explain(JobStopped("x")) == ""


def test_the_lane_is_free_when_the_end_is_heard() -> None:
    runner = InlineRunner()
    free: list[bool] = []
    listener = JobListener(
        ignore_all, ignore_all, on_end=lambda: free.append(runner.is_busy("ion"))
    )
    runner.start("ion", one_step("Working", lambda: 1), listener)
    assert free == [False]


def ignore_all(_: object) -> None:
    return None
