from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from napari_ims_tumor.model.batch_size import spectra_at_once

CPU, SECOND, APPLE = (torch.device(name) for name in ("cpu", "cuda:1", "mps"))
WIDEST = 16 * 1500
"""Of ``default`` on 12,000 bins."""
GB = 10**9


def nvidia(monkeypatch: pytest.MonkeyPatch, free: int, reserved: int = 0, used: int = 0) -> None:
    told = {"mem_get_info": (free, 80 * GB), "memory_reserved": reserved, "memory_allocated": used}
    for name, value in told.items():

        def answer(device: torch.device, value: object = value) -> object:
            assert device == SECOND, "the GPU that is meant"
            return value

        monkeypatch.setattr(torch.cuda, name, answer)


def test_a_cpu_is_asked_about_as_few_as_ever() -> None:
    assert spectra_at_once(WIDEST, CPU) == 33
    assert spectra_at_once(10**9, CPU) == 1


def test_a_gpu_is_asked_about_thousands_where_it_has_room(monkeypatch: pytest.MonkeyPatch) -> None:
    nvidia(monkeypatch, 70 * GB)
    assert spectra_at_once(WIDEST, SECOND) == 2666
    nvidia(monkeypatch, GB)
    few = spectra_at_once(WIDEST, SECOND)
    assert few == GB // 2 // 32 // WIDEST == 651
    nvidia(monkeypatch, 0, reserved=3 * GB, used=2 * GB)
    assert spectra_at_once(WIDEST, SECOND) == few, "what torch holds ready is free to us"
    nvidia(monkeypatch, 0)
    assert spectra_at_once(WIDEST, SECOND) == 1


def test_an_apple_gpu_says_what_it_has_or_is_asked_about_the_usual_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    says = {"recommended_max_memory": lambda: 6 * GB, "driver_allocated_memory": lambda: 5 * GB}
    monkeypatch.setattr(torch, "mps", SimpleNamespace(**says))
    assert spectra_at_once(WIDEST, APPLE) == 651
    monkeypatch.setattr(torch, "mps", SimpleNamespace())
    assert spectra_at_once(WIDEST, APPLE) == 2666
