"""Judges many damaged slides in worker processes with bounded time and memory."""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from fuzzing.mutations import damaged
from fuzzing.slides import Pair
from fuzzing.verdict import BAD, CRASH, ERROR, HANG, MEMORY, Verdict, Whole, judge, whole
from napari_ims_tumor.io.imzml import dataset, remembered

MOST_SECONDS = 2.0
"""Processor time that one slide may take."""
MOST_MEMORY = 500 << 20
"""Bytes of address space above what the program itself takes."""
_SILENT = 60.0
"""Seconds after which a worker that says nothing is ended."""


@dataclass
class Result:
    """What became of all.

    Attributes
    ----------
    outcomes
        By way of damage and outcome.
    bad
        (case, slide, way, verdict) of those that are not as they must be.
    """

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    warned: int = 0
    hashes: int = 0
    missed: int = 0
    slowest: float = 0.0
    most_memory: int = 0
    bad: list[tuple[int, str, str, Verdict]] = field(default_factory=list)

    def add(self, case: int, slide: str, way: str, verdict: Verdict) -> None:
        """Count one."""
        self.outcomes[way, verdict.outcome] += 1
        self.warned += verdict.warned
        self.hashes += verdict.hash_said is not None
        self.missed += verdict.hash_said is False
        if verdict.outcome in BAD or verdict.hash_said is False:
            self.bad.append((case, slide, way, verdict))

    @property
    def n_bad(self) -> int:
        """How many ended as none may."""
        return sum(n for (_, outcome), n in self.outcomes.items() if outcome in BAD)


def _ignore(_: Result) -> None:
    """Take note of nothing."""


def case_of(slides: list[Pair], seed: int, case: int) -> tuple[Pair, str, Pair]:
    """Make a case again: the whole slide, the way, and the damaged slide."""
    rng = np.random.default_rng([seed, case])
    base = slides[int(rng.integers(len(slides)))]
    way, pair = damaged(base, rng)
    return base, way, pair


def fuzz(
    slides: list[Pair],
    cases: Iterable[int],
    seed: int = 1,
    workers: int = 2,
    on_case: Callable[[Result], object] = _ignore,
) -> Result:
    """Judge the cases.

    Parameters
    ----------
    slides
        Whole slides.
    cases
        Numbers of cases: the same seed and number make the same damage.
    on_case
        Called after each.
    """
    todo = list(cases)
    shares = [todo[i::workers] for i in range(workers)]
    result = Result()
    with TemporaryDirectory(prefix="ims-tumor-fuzz-") as folder:
        running = [
            _Worker(slides, seed, share, Path(folder) / str(i)) for i, share in enumerate(shares)
        ]
        while any(worker.is_busy for worker in running):
            busy = {worker.connection: worker for worker in running if worker.is_busy}
            for connection in wait(list(busy), timeout=1.0):
                busy[connection].hear(result)  # type: ignore[index]
                on_case(result)
            for worker in busy.values():
                worker.end_if_silent(result)
    return result


class _Worker:
    """One process, begun anew after a crash."""

    def __init__(self, slides: list[Pair], seed: int, share: list[int], folder: Path) -> None:
        folder.mkdir()
        self._slides, self._seed, self._share, self._folder = slides, seed, share, folder
        self._doing: int | None = None
        self._begin()

    @property
    def is_busy(self) -> bool:
        return bool(self._share)

    def hear(self, result: Result) -> None:
        try:
            kind, case, *rest = self.connection.recv()
        except (EOFError, ConnectionError):
            self._fell(result, CRASH)
            return
        self._heard = time.monotonic()
        if kind == "begin":
            self._doing = case
            return
        slide, way, verdict, seconds, memory = rest
        self._doing = None
        self._share.remove(case)
        result.add(case, slide, way, verdict)
        result.slowest = max(result.slowest, seconds)
        result.most_memory = max(result.most_memory, memory)
        if not self._share:
            self._process.join()

    def end_if_silent(self, result: Result) -> None:
        if self._share and time.monotonic() - self._heard > _SILENT:
            self._process.kill()
            self._fell(result, HANG)

    def _begin(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        asked = (theirs, self._slides, self._seed, list(self._share), self._folder)
        self._process = context.Process(target=_work, args=asked, daemon=True)
        self._process.start()
        theirs.close()
        self._heard = time.monotonic()

    def _fell(self, result: Result, outcome: str) -> None:
        self._process.join()
        if self._doing is None:
            raise RuntimeError("a worker ended before its first case")
        base, way, _ = case_of(self._slides, self._seed, self._doing)
        result.add(self._doing, base.name, way, Verdict(outcome))
        self._share.remove(self._doing)
        self._doing = None
        if self._share:
            self._begin()


def _work(
    connection: Connection, slides: list[Pair], seed: int, share: list[int], folder: Path
) -> None:
    os.environ["IMS_TUMOR_CACHE"] = str(folder / "cache")
    # Slides this small are treated as large ones: what opening finds out is kept and found again,
    # spectra are read when they are asked for, images are made out of an index.
    remembered.WORTH = dataset.SMALL = 0
    known: dict[str, Whole | None] = {pair.name: whole(pair, folder) for pair in slides}
    known = {name: found for name, found in known.items() if found is not None}
    sound = [pair for pair in slides if pair.name in known]
    signal.signal(signal.SIGPROF, _took_too_long)
    limit = _address_space() + MOST_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for case in share:
        connection.send(("begin", case))
        base, way, pair = case_of(sound, seed, case)
        start = time.process_time()
        verdict = _judged(lambda pair=pair, base=base: judge(pair, known[base.name], folder))
        seconds = time.process_time() - start
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
        connection.send(("end", case, base.name, way, verdict, seconds, memory))
        # What is kept of thousands of slides would be looked through each time.
        shutil.rmtree(folder / "cache", ignore_errors=True)


def _judged(act: Callable[[], Verdict]) -> Verdict:
    signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
    try:
        return act()
    except TimeoutError:
        return Verdict(HANG, traceback.format_exc())
    except MemoryError:
        return Verdict(MEMORY, traceback.format_exc())
    except Exception:  # noqa: BLE001 - which one it is is what is asked
        return Verdict(ERROR, traceback.format_exc())
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _took_too_long(*_: Any) -> None:
    raise TimeoutError


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    return pages * resource.getpagesize()
