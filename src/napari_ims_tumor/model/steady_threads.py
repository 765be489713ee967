"""How many threads compute: the same number in every process, and one core left to the window.

BLAS counts for the whole process: jobs that compute at the same time share one setting of it.
torch and OpenMP count for each thread that asks them: each job sets its own.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Final

import torch
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from napari_ims_tumor.job import Job, Report, Result, Stop
from napari_ims_tumor.model.repeatable import repeatable
from napari_ims_tumor.model.shared_switch import SharedSwitch
from napari_ims_tumor.msi.turns import cpu_cores

_HERE: Final = threading.local()


@contextmanager
def steady_threads(deterministic: bool = False) -> Iterator[None]:
    """Compute with all cores but one, the same number every time, then put things back.

    One core stays free for the window; and sums add up in the same order in every process, however
    its environment is set, so that the same fit gives the same bytes.
    """
    with _FOUND.held() as first:
        before = _own_count(first)
        torch.set_num_threads(_steady_count())
        try:
            own = _libraries("openmp").limit(limits=_steady_count())
            with own, _BLAS.held(), repeatable(deterministic):
                yield
        finally:
            torch.set_num_threads(before)


def steadily(job: Job[Report, Result], deterministic: bool = False) -> Job[Report, Result]:
    """Drive a job with :func:`steady_threads` inside its steps, and not between them."""
    answer: Stop = None
    try:
        while True:
            try:
                with steady_threads(deterministic):
                    report = job.send(answer) if answer is not None else next(job)
            except StopIteration as end:
                result: Result = end.value
                return result
            answer = yield report
    finally:
        job.close()


def use_threads(count: int) -> None:
    """Have torch compute with so many threads in this thread, whatever others tell it later."""
    # A thread takes up, when it first computes or asks, what was last said anywhere, even over
    # what it has said itself.
    torch.get_num_threads()
    torch.set_num_threads(count)


def _own_count(first: int) -> int:
    """How many threads torch shall have here afterwards, if the first job found so many."""
    count = torch.get_num_threads()
    # A thread that meets torch while others compute began with the number that they had set.
    found = count if hasattr(_HERE, "is_known") else first
    _HERE.is_known = True
    return found


@contextmanager
def _found_count() -> Iterator[int]:
    """What torch counts with, in the thread that comes first, before anybody has set it."""
    yield torch.get_num_threads()


@contextmanager
def _steady_blas() -> Iterator[None]:
    _let_go_of_blas()
    limited = _libraries("blas").limit(limits=_steady_count())
    _let_go_of_blas()
    try:
        yield
    finally:
        _let_go_of_blas()
        limited.restore_original_limits()
        _let_go_of_blas()


def _let_go_of_blas() -> None:
    """Let any thread set OpenBLAS: who turns the switch back is not who has turned it.

    threadpoolctl, from 3.8 on, listens to the first thread only, and ignores others silently.
    """
    for library in _libraries("blas").lib_controllers:
        if hasattr(library, "clear_controlling_thread"):
            library.clear_controlling_thread(force=True)


_FOUND: Final = SharedSwitch(_found_count)
_BLAS: Final = SharedSwitch(_steady_blas)


def _steady_count() -> int:
    return max(1, cpu_cores() - 1)


@cache
def _libraries(kind: str) -> ThreadpoolController:
    """The loaded libraries of a kind; looking for them takes milliseconds, so it is done once."""
    return ThreadpoolController().select(user_api=kind)
