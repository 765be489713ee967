from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import nn

from napari_ims_tumor.model.device_memory import (
    fits,
    free_memory,
    is_out_of_memory,
    on_device,
    release_memory,
)

CPU, GPU, SECOND = torch.device("cpu"), torch.device("cuda"), torch.device("cuda:1")


@pytest.mark.parametrize(
    "error",
    [
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        torch.cuda.OutOfMemoryError("HIP out of memory. Tried to allocate 2.00 GiB."),
        torch.cuda.OutOfMemoryError(""),
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported later"),
        RuntimeError("HIP error: out of memory"),
        RuntimeError("MPS backend out of memory (MPS allocated: 17.00 GB, other: 1.00 GB)"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    ],
)
def test_each_way_of_torch_to_say_that_a_gpu_is_full_is_understood(error: RuntimeError) -> None:
    assert is_out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied (2x3 and 60x16)"),
        RuntimeError("CUDA error: no kernel image is available for execution on the device"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: out of memory"),
        NotImplementedError("not implemented for the MPS device"),
        MemoryError("CUDA out of memory"),
        KeyError("exp_avg_sq"),
    ],
)
def test_other_errors_are_not_taken_for_it(error: Exception) -> None:
    assert not is_out_of_memory(error)


def full_from(number: int) -> Any:
    """``nn.Module.to`` of a GPU that has room for so many layers: they are turned to float64."""

    def to(self: nn.Module, where: Any) -> nn.Module:
        if torch.device(where).type == "cpu":
            return self.float()
        for layer in list(self.children())[:number]:
            layer.double()
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    return to


def test_a_network_that_does_not_fit_is_whole_on_the_cpu_and_that_is_noted_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network, notes = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), ["something else"]
    monkeypatch.setattr(nn.Module, "to", full_from(1))
    for _ in range(2):
        assert on_device(network, GPU, notes) == CPU
        assert {p.dtype for p in network.parameters()} == {torch.float32}
    assert notes == ["something else", "GPU memory ran out: continuing on the CPU"]


def test_a_network_that_fits_is_where_it_shall_be() -> None:
    network, notes = nn.Linear(2, 2), list[str]()
    meta = torch.device("meta")
    assert on_device(network, meta, notes) == meta
    assert network.weight.device == meta
    assert not notes


def test_an_error_that_is_none_of_memory_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def to(self: nn.Module, where: Any) -> nn.Module:
        if torch.device(where).type == "cpu":
            return self
        raise RuntimeError("no kernel image is available")

    monkeypatch.setattr(nn.Module, "to", to)
    with pytest.raises(RuntimeError, match="no kernel image"):
        on_device(nn.Linear(2, 2), GPU, [])


def test_what_was_made_on_the_way_is_let_go_of_before_anything_is_freed() -> None:
    seen: list[weakref.ref[torch.Tensor]] = []

    def work() -> None:
        made = torch.zeros(3, requires_grad=True) * 2
        seen.append(weakref.ref(made))
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    gc.disable()
    try:
        assert not fits(work)
        assert seen[0]() is None
    finally:
        gc.enable()
    assert fits(lambda: None)


def test_the_gpu_in_use_is_the_one_that_is_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    log: list[str] = []

    @contextmanager
    def chosen(device: torch.device) -> Iterator[None]:
        log.append(str(device))
        yield
        log.append("back")

    monkeypatch.setattr(torch.cuda, "device", chosen)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: log.append("freed"))
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.mps, "empty_cache", lambda: log.append("freed of Apple"))
    release_memory(SECOND)
    assert log == ["cuda:1", "freed", "back"]
    release_memory(CPU)
    assert log[3:] == []
    release_memory(torch.device("mps"))
    assert log[3:] == ["freed of Apple"]
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    release_memory(SECOND)
    assert len(log) == 4, "a GPU that nobody has opened is left closed"


def test_what_is_free_is_what_nobody_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (100, 900))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: 50)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: 30)
    assert free_memory(GPU) == 120, "torch keeps 20 for later"
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 70)
    monkeypatch.setattr(torch.mps, "driver_allocated_memory", lambda: 30)
    assert free_memory(torch.device("mps")) == 40
    assert free_memory(CPU) == 0
