from __future__ import annotations

import os

import pytest
import torch

from napari_ims_tumor.errors import FitRefused
from napari_ims_tumor.model import device
from napari_ims_tumor.model.kernels import has_kernels, why_unusable
from napari_ims_tumor.model.repeatable import WORKSPACE

CU130 = ("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120", "compute_120")
GPU = torch.device("cuda")


@pytest.mark.parametrize(
    ("capability", "built_for", "expected"),
    [
        ((9, 0), CU130, True),
        ((8, 9), CU130, True),  # code for 8.6 runs on what came later in its generation
        ((12, 1), CU130, True),
        ((13, 0), CU130, True),  # translated from compute_120
        ((13, 0), CU130[:-1], False),
        ((7, 0), CU130, False),
        ((6, 1), CU130, False),
        ((8, 0), ("sm_86",), False),
        ((9, 0), ("sm_90a",), True),
        ((9, 1), ("sm_90a",), False),
        ((10, 3), ("sm_100f",), True),
        ((9, 0), (), True),
        ((9, 0), ("gfx90a", "gfx942"), True),  # AMD: nothing is known
    ],
)
def test_code_runs_on_its_generation_and_what_can_be_translated_on_later_ones(
    capability: tuple[int, int], built_for: tuple[str, ...], expected: bool
) -> None:
    assert has_kernels(capability, built_for) is expected


def a_gpu(monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int]) -> None:
    """An NVIDIA GPU of a compute capability beside a torch that knows those of CUDA 13."""

    def asked(_: torch.device) -> tuple[int, int]:
        assert os.environ.get(WORKSPACE) == ":4096:8", "it was used before it was told to repeat"
        return capability

    monkeypatch.setenv(WORKSPACE, "")  # is put back after the test
    monkeypatch.delenv(WORKSPACE)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_capability", asked)
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: list(CU130))
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def test_a_gpu_that_torch_has_code_for_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    a_gpu(monkeypatch, (9, 0))
    assert device.resolve_device("auto") == GPU
    assert device.resolve_device("cuda:0").type == "cuda"


@pytest.mark.parametrize(("capability", "index"), [((6, 1), "cu126"), ((13, 0), "cu130")])
def test_a_gpu_that_torch_has_no_code_for_is_left_idle_with_advice(
    capability: tuple[int, int], index: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_gpu(monkeypatch, capability)
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: list(CU130[:-1]))
    assert device.resolve_device("auto").type == "cpu"
    note = device.describe_device()
    assert note.name.startswith("CPU")
    assert f"no code for the NVIDIA GPU (compute capability {capability[0]}." in str(note.advice)
    assert str(note.advice).endswith(index)
    with pytest.raises(FitRefused, match=f"'cuda' is not available here. This torch.*{index}"):
        device.resolve_device("cuda")


def test_a_gpu_that_does_not_answer_is_left_idle_too(monkeypatch: pytest.MonkeyPatch) -> None:
    a_gpu(monkeypatch, (9, 0))

    def broken(_: torch.device) -> tuple[int, int]:
        raise RuntimeError("CUDA unknown error - this may be due to an incorrectly set up\nmore")

    monkeypatch.setattr(torch.cuda, "get_device_capability", broken)
    assert device.resolve_device("auto").type == "cpu"
    assert str(why_unusable(GPU)).endswith("incorrectly set up.")
