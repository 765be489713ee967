from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import pytest
import torch

from napari_ims_tumor.model import linear_phase, warming_up
from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.model.fitting import fit
from napari_ims_tumor.model.warming_up import warmed_up

CPU = torch.device("cpu")
FRESH = """
import sys, torch
from napari_ims_tumor.model.warming_up import warmed_up
assert "torch._dynamo" not in sys.modules
torch.manual_seed(0)
expected = torch.get_rng_state()
warmed_up(torch.device("cpu")).join()
before = set(sys.modules)
weight = torch.nn.Parameter(torch.ones(1))
weight.sum().backward()
torch.optim.AdamW([weight], fused=True).step()
late = {name for name in set(sys.modules) - before if name.startswith("torch")}
print(len(late), torch.equal(torch.get_rng_state(), expected))
"""


def test_the_first_optimizer_of_a_process_then_loads_nothing_and_nothing_was_drawn() -> None:
    said = subprocess.run([sys.executable, "-c", FRESH], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["0", "True"]


def test_a_device_is_warmed_up_once_and_an_error_there_is_none_of_the_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def broken(maps: torch.Tensor) -> None:
        asked.append(threading.current_thread().name)
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(warming_up, "_one_step", broken)
    monkeypatch.setattr(threading, "excepthook", lambda _: asked.append("an error"))
    warmed_up.cache_clear()
    try:
        for _ in range(2):
            warmed_up(CPU).join()
        assert asked == ["warming-up"]
    finally:
        warmed_up.cache_clear()


def test_it_begins_behind_the_first_answer_of_a_fit_with_a_network(
    build: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    monkeypatch.setattr(linear_phase, "warmed_up", lambda device: begun.append(device.type))
    build.reports(build.spectra(), network="linear")
    assert not begun
    job = fit(build.spectra(), FitConfig(device="cpu"))
    for report in job:
        if report.preview is not None:
            break
        assert not begun
    assert not begun
    next(job)
    assert begun == ["cpu"]
    job.close()
