from __future__ import annotations

import threading

import pytest
import torch

from napari_ims_tumor.model.one_at_a_time import one_at_a_time

APPLE = torch.device("mps")


@pytest.mark.parametrize("kind", ["cpu", "cuda", "meta"])
def test_other_devices_are_shared(kind: str) -> None:
    both = threading.Barrier(2, timeout=10)

    def meet() -> None:
        with one_at_a_time(torch.device(kind)):
            both.wait()

    other = threading.Thread(target=meet)
    other.start()
    meet()
    other.join()


def test_whoever_is_at_it_may_enter_again_and_is_done_with_it_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log: list[str] = []
    monkeypatch.setattr(torch.mps, "synchronize", lambda: log.append("done"))
    with one_at_a_time(APPLE):
        with one_at_a_time(APPLE):
            log.append("inside")
        log.append("outside")
    assert log == ["inside", "done", "outside", "done"]


def test_what_failed_first_is_told_and_the_next_gets_its_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken() -> None:
        raise RuntimeError("the command buffer failed")

    monkeypatch.setattr(torch.mps, "synchronize", broken)
    with pytest.raises(ValueError, match="mine"), one_at_a_time(APPLE):
        raise ValueError("mine")
    with pytest.raises(RuntimeError, match="command buffer"), one_at_a_time(APPLE):
        pass
    monkeypatch.setattr(torch.mps, "synchronize", lambda: None)
    entered: list[bool] = []

    def enter() -> None:
        with one_at_a_time(APPLE):
            entered.append(True)

    other = threading.Thread(target=enter, daemon=True)
    other.start()
    other.join(10)
    assert entered
