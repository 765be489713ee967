"""How many threads torch and BLAS compute with, while jobs run and after them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
import torch
from threadpoolctl import ThreadpoolController

from napari_ims_tumor.job import STOP, Job, Progress, run_inline
from napari_ims_tumor.model.steady_threads import steadily, use_threads
from napari_ims_tumor.msi.turns import cpu_cores

STEADY = max(1, cpu_cores() - 1)
BEFORE = STEADY + 2
T = TypeVar("T")
BLAS = ThreadpoolController().select(user_api="blas")


@pytest.fixture(autouse=True)
def one_thread_per_step() -> Iterator[None]:
    """Not as elsewhere here: nothing is set before a job sets it, and no count is a steady one."""
    torch_before, (blas_before, *_) = torch.get_num_threads(), blas_threads()
    torch.set_num_threads(BEFORE)
    in_a_new_thread(lambda: BLAS.limit(limits=BEFORE))
    yield
    in_a_new_thread(lambda: BLAS.limit(limits=blas_before))
    torch.set_num_threads(torch_before)


def in_a_new_thread(ask: Callable[[], T]) -> T:
    """What is set there is left by nobody: threadpoolctl heeds others once that thread is gone."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(ask).result()


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in BLAS.info()}


def test_threads_are_set_inside_the_steps_only_and_the_job_hears_stop() -> None:
    seen: list[tuple[int, set[int]]] = []

    def job() -> Job[Progress, str]:
        seen.append((torch.get_num_threads(), blas_threads()))
        answer = yield Progress("working")
        return "stopped" if answer is STOP else "done"

    steady = steadily(job())
    next(steady)
    assert (torch.get_num_threads(), blas_threads()) == (BEFORE, {BEFORE})
    assert seen == [(STEADY, {STEADY})]
    with pytest.raises(StopIteration) as end:
        steady.send(STOP)
    assert end.value.value == "stopped"


class InAThread:
    """A job of one step in a thread of its own, which is in that step until it is let go.

    The thread stays, as those of the window do.
    """

    def __init__(self) -> None:
        self._begun, self._go, self._ended = (threading.Event() for _ in range(3))
        self._leave = threading.Event()
        self.inside = self.after = (0, {0})
        threading.Thread(target=self._run, daemon=True).start()
        assert self._begun.wait(30)

    def end(self) -> None:
        self._go.set()
        assert self._ended.wait(30)

    def leave(self) -> None:
        self._leave.set()

    def _run(self) -> None:
        run_inline(steadily(self._job()))
        self.after = torch.get_num_threads(), blas_threads()
        self._ended.set()
        self._leave.wait(30)

    def _job(self) -> Job[Progress, None]:
        self._begun.set()
        assert self._go.wait(30)
        self.inside = torch.get_num_threads(), blas_threads()
        return
        yield


@pytest.mark.parametrize("first", [0, 1])
def test_a_job_that_ends_takes_no_threads_from_another_and_the_last_puts_all_back(
    first: int,
) -> None:
    jobs = [InAThread(), InAThread()]
    jobs[first].end()
    assert blas_threads() == {STEADY}, "the other still computes"
    jobs[1 - first].end()
    assert [job.inside for job in jobs] == [(STEADY, {STEADY})] * 2
    assert blas_threads() == {BEFORE}
    assert [job.after[0] for job in jobs] == [BEFORE] * 2, "as if it had been alone"
    assert in_a_new_thread(torch.get_num_threads) == BEFORE
    alone = InAThread()
    alone.end()
    assert (alone.inside, alone.after) == ((STEADY, {STEADY}), (BEFORE, {BEFORE}))
    for job in (*jobs, alone):
        job.leave()


def test_a_thread_keeps_its_number_whatever_others_say_before_it_computes() -> None:
    found: list[int] = []
    told, others = threading.Event(), threading.Event()

    def run() -> None:
        use_threads(STEADY)
        told.set()
        assert others.wait(30)
        found.append(torch.get_num_threads())

    thread = threading.Thread(target=run)
    thread.start()
    assert told.wait(30)
    torch.set_num_threads(BEFORE)
    others.set()
    thread.join()
    assert found == [STEADY]


def test_blas_is_steady_for_a_job_in_another_thread_than_that_which_set_it_before() -> None:
    BLAS.limit(limits=BEFORE)
    job = InAThread()
    job.end()
    job.leave()
    assert (job.inside, job.after) == ((STEADY, {STEADY}), (BEFORE, {BEFORE}))
