from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QTimer

from napari_ims_tumor.errors import FitFailed
from napari_ims_tumor.job import STOP, Job, JobStopped, Progress, Stop
from napari_ims_tumor.session.jobs import JobListener
from napari_ims_tumor.widgets.workers import QtJobRunner

GUI = threading.main_thread()


@dataclass
class Heard:
    """Writes down everything a job said, and in which thread."""

    reports: list[Any] = field(default_factory=list)
    results: list[Any] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    ends: int = 0
    threads: set[threading.Thread] = field(default_factory=set)
    order: list[str] = field(default_factory=list)

    def listener(self) -> JobListener[Any, Any]:
        return JobListener(self.result, self.error, self.report, self.end)

    def _note(self, what: str) -> None:
        self.order.append(what)
        self.threads.add(threading.current_thread())

    def report(self, value: Any) -> None:
        self._note("report")
        self.reports.append(value)

    def result(self, value: Any) -> None:
        self._note("result")
        self.results.append(value)

    def error(self, message: str) -> None:
        self._note("error")
        self.errors.append(message)

    def end(self) -> None:
        self._note("end")
        self.ends += 1


@pytest.fixture
def runner(qtbot: QtBot) -> Iterator[QtJobRunner]:
    made = QtJobRunner()
    yield made
    made.close()
    assert not worker_threads()


def worker_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("ims-tumor ")]


def counting(n: int, pause: float = 0.0) -> Job[Progress, int]:
    for i in range(n):
        yield Progress("Counting", i, n)
        time.sleep(pause)
    return n


def until_stopped(log: list[str] | None = None) -> Generator[Progress, Stop, str]:
    try:
        for i in range(10_000):
            if (yield Progress("Working", i, 0)) is STOP:
                return f"best of {i}"
            time.sleep(0.005)
        return "all"
    finally:
        if log is not None:
            log.append("cleaned up")


def failing(error: BaseException) -> Job[Progress, int]:
    yield Progress("About to fail")
    raise error


def test_a_result_arrives_in_the_window_thread(runner: QtJobRunner, qtbot: QtBot) -> None:
    heard = Heard()
    runner.start("open", counting(3), heard.listener())
    assert runner.is_busy("open")
    assert not heard.order
    qtbot.waitUntil(lambda: heard.results == [3])
    assert heard.threads == {GUI}
    assert heard.order[-2:] == ["end", "result"]
    assert not runner.is_busy("open")


def test_a_job_runs_outside_the_window_thread(runner: QtJobRunner, qtbot: QtBot) -> None:
    def where() -> Job[Progress, threading.Thread]:
        yield Progress("Looking")
        return threading.current_thread()

    heard = Heard()
    runner.start("fit", where(), heard.listener())
    qtbot.waitUntil(lambda: bool(heard.results))
    assert heard.results[0] is not GUI


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("CUDA out of memory"), "CUDA out of memory"),
        (FitFailed("the loss is not a number"), "the loss is not a number"),
        (MemoryError(), "not enough memory"),
        (OSError("disk full"), "disk full"),
        (SystemExit(3), "SystemExit"),
    ],
)
def test_every_exception_becomes_one_message(
    runner: QtJobRunner, qtbot: QtBot, error: BaseException, words: str
) -> None:
    heard = Heard()
    runner.start("fit", failing(error), heard.listener())
    qtbot.waitUntil(lambda: bool(heard.errors))
    assert words in heard.errors[0]
    assert heard.ends == 1
    assert heard.threads == {GUI}
    assert not heard.results
    assert not runner.is_busy("fit")


def test_a_job_that_fails_before_its_first_report(runner: QtJobRunner, qtbot: QtBot) -> None:
    def job() -> Job[Progress, int]:
        raise RuntimeError("at once")
        yield Progress("never")

    heard = Heard()
    runner.start("open", job(), heard.listener())
    qtbot.waitUntil(lambda: bool(heard.errors))
    assert "at once" in heard.errors[0]


def test_a_stopped_job_without_result_is_no_error(runner: QtJobRunner, qtbot: QtBot) -> None:
    heard = Heard()
    runner.start("open", failing(JobStopped("stopped")), heard.listener())
    qtbot.waitUntil(lambda: heard.ends == 1)
    qtbot.wait(50)
    assert not heard.errors
    assert not heard.results


def test_stop_gives_the_best_result(runner: QtJobRunner, qtbot: QtBot) -> None:
    heard, log = Heard(), list[str]()
    runner.start("fit", until_stopped(log), heard.listener())
    qtbot.waitUntil(lambda: len(heard.reports) > 1)
    runner.stop("fit")
    qtbot.waitUntil(lambda: bool(heard.results), timeout=500)
    assert heard.results[0].startswith("best of ")
    assert log == ["cleaned up"]


def test_stop_of_an_idle_lane_does_nothing(runner: QtJobRunner) -> None:
    runner.stop("fit")
    assert not runner.is_busy("fit")


def test_a_new_job_supersedes_the_old_one(runner: QtJobRunner, qtbot: QtBot) -> None:
    old, new, log = Heard(), Heard(), list[str]()
    runner.start("ion", until_stopped(log), old.listener())
    qtbot.waitUntil(lambda: bool(old.reports))
    reports = len(old.reports)
    runner.start("ion", counting(2), new.listener())
    qtbot.waitUntil(lambda: new.results == [2])
    assert log == ["cleaned up"]
    assert old.ends == 1
    assert not old.results
    assert not old.errors
    assert len(old.reports) == reports


def test_of_many_waiting_jobs_the_latest_wins(runner: QtJobRunner, qtbot: QtBot) -> None:
    first, skipped, last = Heard(), [Heard() for _ in range(5)], Heard()
    runner.start("ion", until_stopped(), first.listener())
    for heard in skipped:
        runner.start("ion", counting(3), heard.listener())
    runner.start("ion", counting(7), last.listener())
    qtbot.waitUntil(lambda: last.results == [7])
    assert [h.ends for h in skipped] == [1] * 5
    assert not any(h.results or h.reports or h.errors for h in skipped)
    assert not first.results


def test_never_two_jobs_at_once_on_a_lane(runner: QtJobRunner, qtbot: QtBot) -> None:
    inside, most = 0, 0

    def job() -> Job[Progress, None]:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        try:
            for _ in range(5):
                yield Progress("In the lane")
                time.sleep(0.002)
        finally:
            inside -= 1

    last = Heard()
    for _ in range(20):
        runner.start("ion", job(), Heard().listener())
        qtbot.wait(3)
    runner.start("ion", job(), last.listener())
    qtbot.waitUntil(lambda: len(last.results) == 1)
    assert most == 1
    assert inside == 0


def test_lanes_do_not_wait_for_each_other(runner: QtJobRunner, qtbot: QtBot) -> None:
    fit, ion = Heard(), Heard()
    runner.start("fit", until_stopped(), fit.listener())
    runner.start("ion", counting(2), ion.listener())
    qtbot.waitUntil(lambda: ion.results == [2])
    assert runner.is_busy("fit")
    runner.stop("fit")
    qtbot.waitUntil(lambda: bool(fit.results))


def test_the_next_job_may_start_from_the_end_of_the_last(runner: QtJobRunner, qtbot: QtBot) -> None:
    seen: list[object] = []

    def ended() -> None:
        seen.append(runner.is_busy("fit"))

    def result(value: int) -> None:
        seen.append(value)
        if value < 3:
            runner.start("fit", counting(value + 1), JobListener(result, seen.append))

    runner.start("fit", counting(1), JobListener(result, seen.append, on_end=ended))
    qtbot.waitUntil(lambda: 3 in seen)
    assert seen == [False, 1, 2, 3]


def test_close_ends_everything_in_time(qtbot: QtBot) -> None:
    runner, heard, log = QtJobRunner(), Heard(), list[str]()
    runner.start("fit", until_stopped(log), heard.listener())
    runner.start("predict", until_stopped(log), heard.listener())
    runner.start("predict", counting(2), heard.listener())
    qtbot.wait(50)
    began = time.monotonic()
    runner.close()
    assert time.monotonic() - began < 0.5
    assert len(log) == 2
    assert not worker_threads()
    before = len(heard.order)
    qtbot.wait(100)
    assert len(heard.order) == before, "nobody may hear of a job after close"


def test_nothing_starts_after_close(qtbot: QtBot) -> None:
    runner, heard = QtJobRunner(), Heard()
    runner.close()
    runner.start("fit", counting(2), heard.listener())
    assert not worker_threads()
    runner.close()


def test_close_gives_up_on_a_job_that_hangs(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_ims_tumor.widgets.workers.CLOSE_TIMEOUT_S", 0.2)
    release = threading.Event()

    def hanging() -> Job[Progress, None]:
        yield Progress("Hanging")
        release.wait(20)
        yield Progress("Late")

    runner = QtJobRunner()
    runner.start("fit", hanging(), Heard().listener())
    qtbot.wait(50)
    began = time.monotonic()
    runner.close()
    assert time.monotonic() - began < 1.0
    runner.deleteLater()
    qtbot.wait(20)
    release.set()
    qtbot.waitUntil(lambda: not worker_threads())


@dataclass(frozen=True)
class Report:
    phase: str
    epoch: int
    preview: object = None
    note: str = ""


def test_a_flood_of_reports_is_thinned_but_no_preview_is_lost(
    runner: QtJobRunner, qtbot: QtBot
) -> None:
    def flood() -> Job[Report, str]:
        yield Report("linear", 0, preview="linear answer")
        began = time.monotonic()
        epoch = 0
        while time.monotonic() - began < 0.5:
            epoch += 1
            yield Report("network", epoch, preview=epoch if epoch % 1000 == 0 else None)
        yield Report("network", -1)
        return "done"

    heard = Heard()
    runner.start("fit", flood(), heard.listener())
    qtbot.waitUntil(lambda: heard.results == ["done"])
    made = max(r.epoch for r in heard.reports)
    previews = [r.preview for r in heard.reports if r.preview is not None]
    assert previews == ["linear answer", *range(1000, made + 1, 1000)]
    plain = len(heard.reports) - len(previews)
    assert plain <= 2 * len(previews) + 20
    assert heard.reports[-1].epoch == -1
    assert heard.order[-1] == "result"


def test_every_phase_is_heard(runner: QtJobRunner, qtbot: QtBot) -> None:
    def job() -> Job[Progress, None]:
        for phase in ("Reading", "Binning", "Fitting"):
            for i in range(100):
                yield Progress(phase, i, 100)

    heard = Heard()
    runner.start("fit", job(), heard.listener())
    qtbot.waitUntil(lambda: len(heard.results) == 1)
    assert [r.phase for r in heard.reports if r.done == 99] == ["Reading", "Binning", "Fitting"]


def test_a_listener_that_raises_on_reports_hears_the_result(
    runner: QtJobRunner, qtbot: QtBot
) -> None:
    heard = Heard()

    def broken(_: object) -> None:
        raise ValueError("broken plot")

    runner.start("fit", counting(5, 0.05), JobListener(heard.result, heard.error, broken))
    qtbot.waitUntil(lambda: heard.results == [5])
    assert len(heard.errors) == 1
    assert "broken plot" in heard.errors[0]


@pytest.mark.parametrize("where", ["on_result", "on_end", "on_error"])
def test_a_listener_that_raises_does_not_end_the_program(
    runner: QtJobRunner, qtbot: QtBot, where: str
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("broken listener")

    heard = Heard()
    hooks: dict[str, Any] = {"on_result": heard.result, "on_error": heard.error} | {where: broken}
    job = failing(OSError("x")) if where == "on_error" else counting(1)
    runner.start("fit", job, JobListener(**hooks))
    qtbot.waitUntil(lambda: not runner.is_busy("fit"))
    if where != "on_error":
        assert "broken listener" in heard.errors[0]
    again = Heard()
    runner.start("fit", counting(2), again.listener())
    qtbot.waitUntil(lambda: again.results == [2])


def test_the_window_stays_quick_while_a_job_computes(runner: QtJobRunner, qtbot: QtBot) -> None:
    def busy() -> Job[Progress, int]:
        total = 0
        for i in range(100_000_000):
            total += i
            if i % 1000 == 0 and (yield Progress("Adding", i, 0)) is STOP:
                return total
        return total

    heard, gaps, last = Heard(), list[float](), [time.monotonic()]
    timer = QTimer()
    timer.setInterval(10)

    def tick() -> None:
        now = time.monotonic()
        gaps.append(now - last[0])
        last[0] = now

    timer.timeout.connect(tick)
    runner.start("fit", busy(), heard.listener())
    timer.start()
    qtbot.wait(600)
    timer.stop()
    runner.stop("fit")
    qtbot.waitUntil(lambda: bool(heard.results))
    assert sorted(gaps)[len(gaps) // 2] < 0.1


def test_a_result_nobody_has_heard_yet_is_dropped_by_a_newer_job(
    runner: QtJobRunner, qtbot: QtBot
) -> None:
    old, new = Heard(), Heard()
    runner.start("ion", counting(1), old.listener())
    # Ended, but its mail is unread: no event was worked off since.
    time.sleep(0.2)
    runner.start("ion", counting(2), new.listener())
    qtbot.waitUntil(lambda: new.results == [2])
    assert not old.results
    assert old.ends == 1


def writing(log: list[str], name: str) -> Job[Progress, str]:
    yield Progress("Writing")
    time.sleep(0.1)
    log.append(name)
    return name


def test_files_wait_for_each_other(runner: QtJobRunner, qtbot: QtBot) -> None:
    heard, log = Heard(), list[str]()
    for name in "abc":
        runner.start("file", writing(log, name), heard.listener())
    qtbot.waitUntil(lambda: heard.ends == 3)
    assert log == heard.results == ["a", "b", "c"]


def test_files_are_written_before_the_window_is_gone(qtbot: QtBot) -> None:
    log: list[str] = []
    runner = QtJobRunner()
    for name in "abc":
        runner.start("file", writing(log, name), Heard().listener())
    runner.close()
    assert log == ["a", "b", "c"]
    assert not worker_threads()
