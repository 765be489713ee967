"""What the terminal shows while a job runs, and how Ctrl-C becomes a stop that keeps the best."""

from __future__ import annotations

import json
import math
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from napari_ims_tumor.job import Job, run_inline

Report = TypeVar("Report")
Result = TypeVar("Result")


def drive(job: Job[Report, Result]) -> Result:
    """Run a job with a progress bar on stderr; the first Ctrl-C asks it to stop, a second kills."""
    with _stop_on_interrupt() as asked, _bar() as (progress, task):

        def show(report: Report) -> None:
            progress.update(task, **_as_bar(report))

        return run_inline(job, show, asked.is_set)


def say(line: str) -> None:
    """Print a line for the person at the terminal, beside the data on stdout."""
    print(line, file=sys.stderr)  # noqa: T201


def print_facts(facts: Mapping[str, Any], as_json: bool) -> None:
    """Print facts as JSON or as an aligned list; a number that is not finite is not given."""
    if as_json:
        # Plain ASCII is valid whatever encoding the terminal or a pipe has.
        print(json.dumps(finite(facts), indent=2, allow_nan=False))  # noqa: T201
        return
    for line in fact_lines(facts):
        print(line)  # noqa: T201


def fact_lines(facts: Mapping[str, Any]) -> list[str]:
    """Write facts as an aligned list."""
    width = max((len(name) for name in facts), default=0)
    return [
        f"{name.replace('_', ' '):<{width}}  "
        f"{_plain(value, ' to ' if name.endswith('_range') else ' × ')}"
        for name, value in facts.items()
    ]


def finite(value: Any) -> Any:
    """Put ``None`` in the place of numbers that JSON does not know."""
    if isinstance(value, Mapping):
        return {name: finite(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plain(value: object, between: str) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "not given"
    if isinstance(value, (list, tuple)):
        return between.join(_plain(part, between) for part in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _as_bar(report: object) -> dict[str, Any]:
    """Read phase and share off any report: a Progress, or the epoch of a fit."""
    done = getattr(report, "done", getattr(report, "epoch", 0))
    total = getattr(report, "total", getattr(report, "epochs", 0))
    score = getattr(report, "held_out_score", None)
    suffix = "" if score is None else f" · held-out {score:.3f}"
    phase = getattr(report, "phase", "Working")
    return {"description": f"{phase}{suffix}", "completed": done, "total": total or None}


@contextmanager
def _bar() -> Iterator[tuple[Progress, TaskID]]:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    # A log file is no place for a bar: there the one line of an error must stand alone.
    quiet = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=quiet) as progress:
        yield progress, progress.add_task("Starting", total=None)


@contextmanager
def _stop_on_interrupt() -> Iterator[threading.Event]:
    """Turn Ctrl-C into an event, in the main thread only: elsewhere signals cannot be set."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def interrupted(_number: int, _frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    before = signal.signal(signal.SIGINT, interrupted)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)
