from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import pytest

from napari_ims_tumor.job import run_inline
from napari_ims_tumor.model import network_phase, together
from napari_ims_tumor.model.checkpoint import model_bytes
from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.model.fitting import fit


def counting(to: int, seen: list[int]) -> Generator[None, None, int]:
    try:
        for number in range(to):
            time.sleep(0.005)
            seen.append(number)
            yield
        return to
    finally:
        seen.append(-1)


def drained(steps: Generator[Any, None, Any]) -> Any:
    try:
        while True:
            next(steps)
    except StopIteration as end:
        return end.value


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_jobs(workers: int) -> None:
    jobs = [counting(n, []) for n in (9, 2, 5)]
    assert drained(together.together(jobs, workers)) == [9, 2, 5]


def test_closing_it_ends_every_job_between_two_steps() -> None:
    seen: list[list[int]] = [[], []]
    steps = together.together([counting(10**6, own) for own in seen], 2)
    next(steps)
    begun = time.monotonic()
    steps.close()
    assert time.monotonic() - begun < 1
    assert [own[-1] for own in seen] == [-1, -1]


def test_what_fails_in_a_thread_fails_here() -> None:
    def failing() -> Generator[None, None, int]:
        yield
        raise ValueError("no")

    steps = together.together([counting(1, []), failing()], 2)
    with pytest.raises(ValueError, match="no"):
        for _ in steps:
            pass


def test_a_fit_side_by_side_is_the_same_fit(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    config, spectra = FitConfig(device="cpu", epochs=2), build.distant_gate(160, 60, 0)
    monkeypatch.setattr(network_phase, "CHECK_FOLDS", 1)
    monkeypatch.setattr(network_phase, "is_worth_it", lambda check: check.best.epoch > 0)
    found = []
    for workers in (1, 2):
        monkeypatch.setattr(network_phase, "at_once", lambda jobs, _, w=workers: min(jobs, w))
        found.append(model_bytes(run_inline(fit(spectra, config))))
    assert b"cnn.stem" in found[0]
    assert found[0] == found[1]


@pytest.mark.parametrize("workers", [1, 2])
def test_answers_come_in_order_and_jobs_are_asked_for_as_they_are_needed(workers: int) -> None:
    asked: list[int] = []

    def jobs() -> Generator[Generator[None, None, int], None, None]:
        for number in (9, 1, 5, 2, 7, 3):
            asked.append(number)
            yield counting(number, [])

    found, most = [], 0
    for answer in together.in_order(jobs(), workers):
        if answer is not None:
            found.append(answer)
        most = max(most, len(asked) - len(found))
    assert found == [9, 1, 5, 2, 7, 3]
    assert most <= workers + 2


@pytest.mark.parametrize("ahead", [1, 4])
def test_others_are_under_way_while_whoever_listens_is_busy(ahead: int) -> None:
    asked: list[int] = []

    def jobs() -> Generator[Generator[None, None, int], None, None]:
        for number in range(9):
            asked.append(number)
            yield counting(0, [])

    found: list[int] = []
    for answer in together.in_order(jobs(), 2, ahead):
        if answer is not None:
            found.append(answer)
            time.sleep(0.02)  # all of them have ended by now
            assert len(asked) - len(found) == min(ahead, 9 - len(found))
    assert len(found) == 9


def test_it_can_be_stopped_while_many_are_taken() -> None:
    def slowly() -> Generator[Generator[None, None, int], None, None]:
        for _ in range(30):
            time.sleep(0.03)
            yield counting(0, [])

    begun = time.monotonic()
    answers = together.in_order(slowly(), 2, 30)
    assert next(answers) is None
    answers.close()
    assert time.monotonic() - begun < 0.6


def test_closing_ends_what_is_under_way() -> None:
    seen: list[list[int]] = [[] for _ in range(5)]
    answers = together.in_order((counting(10**6, own) for own in seen), 2)
    next(answers)
    answers.close()
    assert all(own[-1:] in ([], [-1]) for own in seen)
