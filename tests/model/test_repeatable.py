"""The switches of torch that make a GPU repeat itself: turned for a while, and turned back."""

from __future__ import annotations

import os
from typing import Any

import pytest
import torch
import torch.utils.deterministic

from napari_ims_tumor.errors import FitRefused
from napari_ims_tumor.job import Job, Progress
from napari_ims_tumor.model.checkpoint import model_bytes
from napari_ims_tumor.model.repeatable import (
    STEADY_WORKSPACES,
    WORKSPACE,
    make_repeatable,
    may_repeat,
    repeatable,
)
from napari_ims_tumor.model.steady_threads import steadily

TENSORS: Any = torch.utils.deterministic


def states() -> dict[str, object]:
    cudnn = torch.backends.cudnn
    return {
        "algorithms": torch.are_deterministic_algorithms_enabled(),
        "convolutions": cudnn.deterministic,
        "benchmark": cudnn.benchmark,
        "tf32": cudnn.allow_tf32,
        "filled": TENSORS.fill_uninitialized_memory,
    }


@pytest.mark.parametrize("deterministic", [False, True])
def test_switches_are_turned_inside_of_steps_only_and_cudnn_stays_in_use(
    deterministic: bool,
) -> None:
    before = states()
    inside: list[dict[str, object]] = []

    def job() -> Job[Progress, None]:
        inside.append(states())
        assert torch.backends.cudnn.enabled, "without cuDNN every convolution is slow"
        yield Progress("working")
        inside.append(states())
        raise ValueError("the fit failed")

    steady = steadily(job(), deterministic)
    next(steady)
    assert states() == before
    with pytest.raises(ValueError, match="the fit failed"):
        next(steady)
    assert states() == before
    expected = {"algorithms": deterministic, "convolutions": deterministic, "benchmark": False}
    assert inside == [{**expected, "tf32": False, "filled": not deterministic}] * 2


def test_who_asks_for_more_gets_it_while_another_computes_and_no_longer() -> None:
    before = states()
    usual, asked = repeatable(False), repeatable(True)
    with usual:
        with asked:
            assert (states()["algorithms"], states()["convolutions"]) == (True, True)
        assert (states()["algorithms"], states()["convolutions"]) == (False, False)
        assert states()["filled"]
    assert states() == before


def test_what_cannot_repeat_itself_is_refused_by_torch_only_if_asked() -> None:
    place, values = torch.tensor([0]), torch.ones(1)
    with repeatable(False):
        torch.zeros(2).put_(place, values)
    with repeatable(True), pytest.raises(RuntimeError, match="deterministic"):
        torch.zeros(2).put_(place, values)


def test_a_gpu_is_told_before_it_is_first_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    monkeypatch.setenv(WORKSPACE, "")  # is put back after the test
    make_repeatable(torch.device("cpu"))
    assert os.environ[WORKSPACE] == ""
    make_repeatable(torch.device("cuda"))
    assert os.environ[WORKSPACE] == ":4096:8"


def test_it_is_left_open_for_later_and_what_somebody_chose_stays_unless_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    in_use = [False]
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: in_use[0])
    for chosen, insist, expected in (
        ("", True, ":4096:8"),
        (":4096:2", False, ":4096:2"),
        (":4096:2", True, ":4096:8"),
        (":16:8", True, ":16:8"),
    ):
        monkeypatch.setenv(WORKSPACE, chosen)
        may_repeat(insist)
        assert os.environ[WORKSPACE] == expected
    monkeypatch.delenv(WORKSPACE)
    may_repeat()
    assert os.environ.pop(WORKSPACE) == ":4096:8"
    in_use[0] = True
    may_repeat(insist=True)
    assert WORKSPACE not in os.environ, "too late: it would be a lie"


def test_a_gpu_in_use_cannot_be_told_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.delenv(WORKSPACE, raising=False)
    with pytest.raises(FitRefused, match="start anew with CUBLAS_WORKSPACE_CONFIG=:4096:8"):
        make_repeatable(torch.device("cuda"))
    for told in STEADY_WORKSPACES:
        monkeypatch.setenv(WORKSPACE, told)
        make_repeatable(torch.device("cuda"))


def test_an_apple_gpu_is_not_asked_for_what_nobody_promises() -> None:
    with pytest.raises(FitRefused, match="Apple"):
        make_repeatable(torch.device("mps"))


def test_on_a_cpu_it_changes_not_one_byte(build: Any) -> None:
    spectra = build.distant_gate(100, 60, 0)
    for network in ("default", "isotopenet"):
        usual, asked = (
            build.fitted(spectra, network=network, epochs=1, deterministic=asked)
            for asked in (False, True)
        )
        assert model_bytes(usual) == model_bytes(asked)
