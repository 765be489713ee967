"""The only thread code: jobs run beside the window, and everything they say arrives in its thread.

A job is driven by :func:`napari_ims_tumor.job.run_inline`, as anywhere else, in a thread of its
own. What it says goes into a mailbox; a queued Qt signal asks the window's thread to empty it. Not
napari's ``GeneratorWorker``: it swallows every ``RuntimeError`` of a job without a word, and
torch's out-of-memory errors are such.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from qtpy.QtCore import QObject, Qt, QTimer, Signal

from napari_ims_tumor.job import Job, run_inline
from napari_ims_tumor.session.jobs import (
    BACKGROUND_LANES,
    PATIENT_LANES,
    JobListener,
    Lane,
    explain,
)

REPORT_INTERVAL_MS = 34
"""At most about 30 reports a second reach a lane's listener."""
CLOSE_TIMEOUT_S = 10.0
"""A job answers between two of its reports; none takes longer than this for one step."""

BACKGROUND_NICENESS = 10

AnyJob: TypeAlias = Job[Any, Any]
AnyListener: TypeAlias = JobListener[Any, Any]

_log = logging.getLogger(__name__)


class _DroppedError(Exception):
    """Nobody waits for this job any more."""


@dataclass(frozen=True)
class _Outcome:
    """How a job ended; a message where it failed, empty where it was stopped with nothing."""

    result: Any = None
    message: str | None = None


@dataclass(eq=False)
class _Task:
    """One job with its listener, its mailbox and the thread that drives it.

    The window's thread owns everything but ``_mail``, which has a lock, and the two events.
    """

    lane: Lane
    job: AnyJob
    listener: AnyListener
    wake: Callable[[_Task], None]
    stop: threading.Event = field(default_factory=threading.Event)
    dropped: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None
    deaf: bool = False
    """A listener that raised on a report hears no more of them: one message, not one each."""
    _mail: deque[Any] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        name = f"ims-tumor {self.lane}"
        # A daemon: should a step hang inside a library, the program can still be left.
        self.thread = threading.Thread(target=self._drive, name=name, daemon=True)
        self.thread.start()

    def drop(self) -> None:
        """End at the next report and say nothing any more."""
        self.dropped.set()
        self.stop.set()

    def take_mail(self) -> list[Any]:
        with self._lock:
            mail = list(self._mail)
            self._mail.clear()
        return mail

    def _drive(self) -> None:
        if self.lane in BACKGROUND_LANES:
            _step_back()
        self._post(self._outcome())

    def _outcome(self) -> _Outcome:
        try:
            return _Outcome(run_inline(self.job, self._reported, self.stop.is_set))
        except _DroppedError:
            return _Outcome(message="")
        except BaseException as error:  # noqa: BLE001 - a thread has nobody above it to tell
            return _Outcome(message="" if self.dropped.is_set() else explain(error))
        finally:
            self._end_job()

    def _end_job(self) -> None:
        """Run the generator's own ``finally`` now, not whenever it is collected."""
        try:
            self.job.close()
        except Exception:  # noqa: BLE001 - the outcome is known, this only goes to the log
            _log.exception("a job failed while it was cleaned up")

    def _reported(self, report: Any) -> None:
        if self.dropped.is_set():
            raise _DroppedError
        self._post(report)

    def _post(self, item: Any) -> None:
        with self._lock:
            if self._mail and _supersedes(item, self._mail[-1]):
                self._mail[-1] = item
                return
            self._mail.append(item)
            first = len(self._mail) == 1
        if first or isinstance(item, _Outcome):
            self.wake(self)


def _step_back() -> None:
    """Let all other threads have the processor first, where a thread has a priority of its own."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), BACKGROUND_NICENESS)


def _supersedes(new: Any, old: Any) -> bool:
    """Whether a report may take the place of an unread one: only a later step of the same phase."""
    if type(new) is not type(old) or isinstance(new, _Outcome):
        return False
    if getattr(old, "preview", None) is not None or getattr(new, "preview", None) is not None:
        return False
    same = ("phase", "note")
    return all(getattr(new, name, None) == getattr(old, name, None) for name in same)


class QtJobRunner(QObject):
    """Drives jobs in threads, one per lane; implements ``session.jobs.JobRunner``.

    Make it, and call it, in the window's thread; listeners are called there too. It needs an event
    loop only to deliver: jobs begun before the loop starts are delivered once it runs.
    """

    _woken = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._running: dict[Lane, _Task] = {}
        self._next: defaultdict[Lane, deque[_Task]] = defaultdict(deque)
        self._full: list[_Task] = []
        self._closed = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(REPORT_INTERVAL_MS)
        self._timer.timeout.connect(self._empty_mailboxes)
        self._woken.connect(self._wake_up, Qt.ConnectionType.QueuedConnection)

    # ---- the JobRunner protocol -------------------------------------------------------------

    def start(self, lane: Lane, job: AnyJob, listener: AnyListener) -> None:
        """Begin a job, at once or after the one that runs on its lane."""
        if self._closed:
            job.close()
            return
        task = _Task(lane, job, listener, self._wake)
        running = self._running.get(lane)
        if running is None:
            self._begin(task)
            return
        if lane not in PATIENT_LANES:
            running.drop()
            self._skip(lane)
        self._next[lane].append(task)

    def stop(self, lane: Lane) -> None:
        """Send STOP into the lane's newest job, which then ends with its best result so far."""
        waiting = self._next[lane]
        task = waiting[-1] if waiting else self._running.get(lane)
        if task is not None:
            task.stop.set()

    def is_busy(self, lane: Lane) -> bool:
        """Whether a job runs on the lane."""
        return lane in self._running

    def close(self) -> None:
        """End all jobs, dropping their results; nothing runs any more when this returns."""
        self._closed = True
        self._timer.stop()
        tasks = list(self._running.values())
        for task in tasks:
            if task.lane not in PATIENT_LANES:
                task.drop()
        deadline = time.monotonic() + CLOSE_TIMEOUT_S
        for task in tasks:
            _join(task, deadline)
        self._end_waiting(deadline)
        self._running.clear()
        self._full.clear()

    # ---- inside -----------------------------------------------------------------------------

    def _skip(self, lane: Lane) -> None:
        """Drop the job that waits for a lane: a newer one takes its place."""
        while self._next[lane]:
            skipped = self._next[lane].popleft()
            skipped.job.close()
            _tell(skipped.listener, skipped.listener.on_end)

    def _end_waiting(self, deadline: float) -> None:
        """Run the jobs that wait on patient lanes to their end and close the others."""
        for lane, waiting in self._next.items():
            for task in waiting:
                if lane in PATIENT_LANES and time.monotonic() < deadline:
                    task.start()
                    _join(task, deadline)
                else:
                    task.job.close()
        self._next.clear()

    def _begin(self, task: _Task) -> None:
        self._running[task.lane] = task
        task.start()

    def _wake(self, task: _Task) -> None:
        """Ask the window's thread to read a mailbox; called in the job's thread."""
        # Qt may have deleted this object with its window, after close() gave up waiting.
        with suppress(RuntimeError):
            self._woken.emit(task)

    def _wake_up(self, task: _Task) -> None:
        if self._closed:
            return
        self._full.append(task)
        if not self._timer.isActive():
            self._empty_mailboxes()

    def _empty_mailboxes(self) -> None:
        full, self._full = self._full, []
        if full:
            self._timer.start()
        for task in full:
            for item in task.take_mail():
                self._deliver(task, item)

    def _deliver(self, task: _Task, item: Any) -> None:
        if self._closed:
            return
        if isinstance(item, _Outcome):
            self._finish(task, item)
        elif not task.dropped.is_set() and not task.deaf:
            task.deaf = not _tell(task.listener, task.listener.on_report, item)

    def _finish(self, task: _Task, outcome: _Outcome) -> None:
        """Free the lane first: whoever hears of the end may start from there."""
        _join(task, time.monotonic() + CLOSE_TIMEOUT_S)
        del self._running[task.lane]
        if self._next[task.lane]:
            self._begin(self._next[task.lane].popleft())
        _tell(task.listener, task.listener.on_end)
        if task.dropped.is_set():
            return
        if outcome.message is None:
            _tell(task.listener, task.listener.on_result, outcome.result)
        elif outcome.message:
            _tell(task.listener, task.listener.on_error, outcome.message)


def _join(task: _Task, deadline: float) -> None:
    if task.thread is None:
        return
    task.thread.join(max(0.0, deadline - time.monotonic()))
    if task.thread.is_alive():
        _log.error("the job on lane %s did not end in time", task.lane)


def _tell(listener: AnyListener, hear: Callable[..., object], *what: Any) -> bool:
    """Call a listener; what it raises becomes a message: Qt would end the program."""
    try:
        hear(*what)
    except Exception as error:  # noqa: BLE001 - this is the top of the window's call stack
        message = explain(error)
        with suppress(Exception):
            if hear is not listener.on_error:
                listener.on_error(message)
        return False
    return True
