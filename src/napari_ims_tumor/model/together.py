"""Several fits at once, each in a thread of its own: the networks of different held-out groups.

A small network does not keep two cores busy, two networks do. Each counts alone and draws from
sources of its own, so the result is the same as one after the other.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Final, TypeVar

import torch

from napari_ims_tumor.model.steady_threads import use_threads
from napari_ims_tumor.msi.turns import cpu_cores

Outcome = TypeVar("Outcome")

LOOK_EVERY_S: Final = 0.05


def at_once(jobs: int, device: str) -> int:
    """How many of several fits run at the same time: one per core; one on a GPU."""
    return min(jobs, cpu_cores()) if torch.device(device).type == "cpu" else 1


def together(
    jobs: Sequence[Generator[object, None, Outcome]], workers: int
) -> Generator[None, None, list[Outcome]]:
    """Run jobs to their end, some at a time; closing this ends them between two steps.

    Returns
    -------
    list
        What each of them returned, in their order.
    """
    if workers < 2:
        results: list[Outcome] = []
        for job in jobs:
            results += [(yield from _quietly(job))]
        return results
    ended = threading.Event()
    threads = max(1, (cpu_cores() - 1) // workers)
    with ThreadPoolExecutor(workers, initializer=use_threads, initargs=(threads,)) as pool:
        try:
            running = [pool.submit(_run, job, ended) for job in jobs]
            while wait(running, LOOK_EVERY_S).not_done:
                yield
        finally:
            ended.set()
    return [one.result() for one in running]


def in_order(
    jobs: Iterable[Generator[object, None, Outcome]], workers: int, ahead: int | None = None
) -> Generator[Outcome | None, None, None]:
    """Run jobs some at a time, and yield their results in order as they come in.

    The next jobs are taken from the iterable while those before run: reading goes on meanwhile.
    ``None`` comes at least every 50 ms, so that whoever listens may stop it.

    Parameters
    ----------
    jobs, workers
        What runs, and how many of them at the same time.
    ahead
        How many are under way while whoever listens is busy with a result, as far as there are any.
        By default a result comes as soon as it is there, and there may be none.
    """
    ended, most = threading.Event(), workers if ahead is None else ahead
    waiting: deque[Future[Outcome]] = deque()
    told = time.monotonic()
    with _threads(workers) as pool:
        try:
            for job in jobs:
                waiting.append(pool.submit(_run, job, ended))
                while waiting and (len(waiting) > most or (ahead is None and waiting[0].done())):
                    yield from _first(waiting)
                    told = time.monotonic()
                if time.monotonic() - told > LOOK_EVERY_S:  # many were taken, none was due
                    yield None
                    told = time.monotonic()
            while waiting:
                yield from _first(waiting)
        finally:
            ended.set()
            for one in waiting:
                one.cancel()


def _first(waiting: deque[Future[Outcome]]) -> Generator[Outcome | None, None, None]:
    while wait([waiting[0]], LOOK_EVERY_S).not_done:
        yield None
    yield waiting.popleft().result()


def _threads(workers: int) -> ThreadPoolExecutor:
    """Threads that share the cores: torch counts with as many more as are left to each."""
    threads = max(1, (cpu_cores() - 1) // workers)
    return ThreadPoolExecutor(workers, initializer=partial(use_threads, threads))


def _quietly(job: Generator[object, None, Outcome]) -> Generator[None, None, Outcome]:
    while True:
        try:
            next(job)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome
        yield


def _run(job: Generator[object, None, Outcome], ended: threading.Event) -> Outcome:
    while not ended.is_set():
        try:
            next(job)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome
    job.close()
    raise CancelledFit


class CancelledFit(Exception):
    """A job was ended before its result; nobody waits for it."""
