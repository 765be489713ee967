"""Where memory ends: less at once, then the CPU; and nothing of what failed is held by then."""

from __future__ import annotations

import sys
import threading
import time
import weakref
from typing import Any

import pytest
import torch
from torch import Tensor

from napari_ims_tumor.errors import FitFailed
from napari_ims_tumor.model import sparing
from napari_ims_tumor.model.config import NetworkConfig
from napari_ims_tumor.model.presets import build_network
from napari_ims_tumor.model.sparing import Sparing, placed

FULL = [
    torch.cuda.OutOfMemoryError("CUDA out of memory"),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("MPS backend out of memory (MPS allocated: 17.00 GB)"),
]


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Sparing:
    """Four spectra at once on what says that it is an Apple GPU, until it is left."""
    network = build_network(NetworkConfig.for_axis("default", 60, 2), 0)
    apple, moved = torch.device("mps"), list[str]()
    monkeypatch.setattr(network, "to", moved.append)
    monkeypatch.setattr(
        Sparing, "device", property(lambda _: torch.device("cpu") if moved else apple)
    )
    monkeypatch.setattr(sparing, "release_memory", lambda _: None)
    monkeypatch.setattr(torch.mps, "synchronize", lambda: None)
    return Sparing(network, 4, 3)


def failing(error: Exception) -> Tensor:
    raise error


@pytest.mark.parametrize("error", FULL, ids=str)
def test_less_is_tried_whichever_way_memory_ends_and_then_the_cpu(
    error: Exception, room: Sparing
) -> None:
    for size in (2, 1):
        assert room.tried(lambda: failing(error)) is None
        assert (room.size, room.device.type) == (size, "mps")
    assert room.tried(lambda: failing(error)) is None
    assert (room.size, room.device.type) == (3, "cpu")
    assert room.notes == [
        "GPU memory ran out: batches of 2 spectra now",
        "GPU memory ran out: batches of 1 spectra now",
        "GPU memory ran out: continuing on the CPU",
    ]


def test_what_an_apple_gpu_cannot_do_is_done_on_the_cpu(room: Sparing) -> None:
    wrong = NotImplementedError("not implemented for the MPS device")
    assert room.tried(lambda: failing(wrong)) is None
    assert (room.size, room.device.type) == (3, "cpu")
    assert room.notes == ["the Apple GPU could not do this: continuing on the CPU"]
    with pytest.raises(FitFailed, match="not implemented"):
        room.tried(lambda: failing(wrong))
    found = room.tried(lambda: torch.ones(2))
    assert found is not None
    assert found.sum() == 2


def test_no_other_thread_is_at_an_apple_gpu_meanwhile(
    room: Sparing, monkeypatch: pytest.MonkeyPatch
) -> None:
    log: list[str] = []
    monkeypatch.setattr(torch.mps, "synchronize", lambda: log.append("done"))

    def work() -> Tensor:
        log.append("begun")
        time.sleep(0.02)
        log.append("handed out")
        return torch.ones(1)

    def moved(self: Any, where: Any) -> Any:
        work()
        return self

    monkeypatch.setattr(torch.nn.Linear, "to", moved)
    other: Any = torch.nn.Linear(1, 1)
    asked = [lambda: room.tried(work), lambda: placed(other, torch.device("mps"), [])] * 3
    threads = [threading.Thread(target=one) for one in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log == ["begun", "handed out", "done"] * 6


def test_memory_is_given_back_when_nothing_holds_it_any_more(
    room: Sparing, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[weakref.ref[Tensor]] = []
    freed: list[torch.device] = []

    def large() -> Tensor:
        maps = torch.zeros(3, requires_grad=True) * 2
        made.append(weakref.ref(maps))
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    def release(device: torch.device) -> None:
        assert sys.exc_info() == (None, None, None)
        assert made[-1]() is None, "what failed is still held"
        freed.append(device)

    monkeypatch.setattr(sparing, "release_memory", release)
    for _ in range(3):
        assert room.tried(large) is None
    assert freed == [torch.device("mps")] * 3, "that of the GPU that was in use"


def test_a_network_that_does_not_fit_stays_on_the_cpu_and_other_failures_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = build_network(NetworkConfig.for_axis("default", 60, 2), 0)
    errors: list[Exception] = [FULL[0], RuntimeError("no kernel image is available")]

    def to(device: Any) -> Any:
        if str(device) != "cpu":
            raise errors.pop(0)
        return network

    monkeypatch.setattr(network, "to", to)
    notes: list[str] = []
    assert placed(network, torch.device("cuda"), notes) is network
    assert notes == ["GPU memory ran out: continuing on the CPU"]
    with pytest.raises(FitFailed, match="no kernel image"):
        placed(network, torch.device("cuda"), notes)
