from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest
import torch
from tests.model.trainers import (
    eight_spectra,
    full_at,
    same_weights,
    trainer,
    without_data,
)

from napari_ims_tumor.errors import FitFailed
from napari_ims_tumor.job import outcome_of
from napari_ims_tumor.model import at_hand, placed_network, training
from napari_ims_tumor.model.batches import Batches
from napari_ims_tumor.model.computing import Computing
from napari_ims_tumor.model.config import NetworkConfig
from napari_ims_tumor.model.training import Trainer

BY_4 = "GPU memory ran out: batches of 2 spectra now"


TO_CPU = "GPU memory ran out: continuing on the CPU"


def test_out_of_memory_halves_the_batch_then_moves_to_the_cpu_visibly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fit = trainer(eight_spectra())
    fit.place.batch = 4
    real_step, failures = fit._step, iter([True, True, True])

    def step(chosen: torch.Tensor) -> torch.Tensor:
        if next(failures, False):
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return real_step(chosen)

    monkeypatch.setattr(fit, "_step", step)
    assert outcome_of(fit.epoch()) is not None
    assert fit.notes == [
        "GPU memory ran out: batches of 2 spectra now",
        "GPU memory ran out: batches of 1 spectra now",
        "GPU memory ran out: continuing on the CPU",
    ]
    assert fit.device.type == "cpu"


def test_out_of_memory_while_the_optimizer_is_made_ready_is_as_if_it_had_never_been(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fit, undisturbed = trainer(eight_spectra()), trainer(eight_spectra())
    fit.place.batch = 4
    undisturbed.place.batch = 2
    # The fourth is the second moment of the second weight: what it begins with is half there.
    with monkeypatch.context() as patch:
        patch.setattr(torch, "zeros_like", full_at(4, torch.zeros_like))
        assert fit._try_step(torch.arange(4)) is None
    assert fit.notes == [BY_4]
    assert fit.step == 0
    for both in (fit, undisturbed):
        assert both._try_step(torch.arange(2)) is not None
    expected = undisturbed.weights()
    assert all(np.array_equal(v, expected[k]) for k, v in fit.weights().items())


def test_out_of_memory_behind_a_step_does_not_teach_the_same_spectra_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fit, undisturbed = trainer(eight_spectra()), trainer(eight_spectra())
    expected = undisturbed._try_step(torch.arange(4))
    fit.place.batch = 4
    monkeypatch.setattr(torch, "_foreach_lerp_", full_at(1, torch._foreach_lerp_))
    assert fit._try_step(torch.arange(4)) == expected
    assert fit.step == 1
    assert fit.notes == [BY_4]
    weights = undisturbed.weights()
    assert all(np.array_equal(v, weights[k]) for k, v in fit.weights().items())


def test_what_filled_the_memory_is_let_go_of_before_it_is_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fit = trainer(eight_spectra())
    losses: list[weakref.ref[torch.Tensor]] = []
    alive: list[bool] = []

    def backward(loss: torch.Tensor) -> None:
        losses.append(weakref.ref(loss))
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch.Tensor, "backward", backward)
    monkeypatch.setattr(
        placed_network, "release_memory", lambda _: alive.append(losses[0]() is not None)
    )
    gc.disable()  # only what is held counts, not what happens to lie around
    try:
        assert fit._try_step(torch.arange(4)) is None
    finally:
        gc.enable()
    assert alive == [False]


def full_gpu(monkeypatch: pytest.MonkeyPatch, room: int = 0) -> None:
    """A GPU, in truth the CPU, on which networks find no room any more after some have."""
    real, calls = torch.nn.Module.to, iter(range(room))

    def to(self: torch.nn.Module, where: Any) -> torch.nn.Module:
        if torch.device(where).type == "cuda" and next(calls, None) is None:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return real(self, "cpu")

    monkeypatch.setattr(torch.nn.Module, "to", to)
    monkeypatch.setattr(placed_network, "resolve_device", torch.device)
    monkeypatch.setattr(at_hand, "free_memory", lambda _: 0)


def test_on_a_gpu_that_is_full_from_the_start_a_fit_is_that_of_a_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data, expected = eight_spectra(), trainer(eight_spectra())
    full_gpu(monkeypatch)
    fit = Trainer(expected.config, data, 0, "cuda")
    assert (fit.device.type, fit.notes) == ("cpu", [TO_CPU])
    for one in (fit, expected):
        outcome_of(one.epoch())
    assert same_weights(fit, expected)


def test_held_out_spectra_are_asked_on_the_cpu_where_the_gpu_has_no_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data, fit = eight_spectra(), trainer(eight_spectra())
    outcome_of(fit.epoch())
    expected = outcome_of(fit.logits(data.inputs))
    full_gpu(monkeypatch)
    fit.place.device = torch.device("cuda")
    for _ in range(2):
        assert np.array_equal(outcome_of(fit.logits(data.inputs)), expected)
        assert fit.notes == [TO_CPU]


def test_what_began_on_a_gpu_in_few_bits_goes_on_in_float32_and_its_card_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data, expected = eight_spectra(), trainer(eight_spectra())
    full_gpu(monkeypatch, room=1)
    fit = Trainer(expected.config, data, 0, Computing("cuda", "bfloat16"))
    assert fit.facts == {"precision": "bfloat16", "deterministic": False}
    full_gpu(monkeypatch)
    precisions: list[str] = []

    def batches(network: Any, precision: Any) -> Any:
        precisions.append(precision)
        return Batches(network, precision)

    monkeypatch.setattr(training, "Batches", batches)
    outcome_of(fit.logits(data.inputs))
    assert precisions == ["float32"]
    fit.place.go_to_cpu("GPU memory ran out")
    assert fit.facts == {}
    for one in (fit, expected):
        outcome_of(one.epoch())
    assert same_weights(fit, expected)


def test_where_memory_ends_spectra_leave_it_first(monkeypatch: pytest.MonkeyPatch) -> None:
    without_data(monkeypatch, 10**9)
    data = eight_spectra()
    fit = Trainer(NetworkConfig.for_axis("default", 60, 2), data, 0, "meta")
    fit.place.batch = 4
    monkeypatch.setattr(torch.Tensor, "backward", full_at(1, torch.Tensor.backward))
    assert fit._try_step(torch.arange(4)) is None
    left = "GPU memory ran out: spectra are brought there batch by batch now"
    assert (fit.notes, fit.batch) == ([left], 4)
    monkeypatch.setattr(torch.Tensor, "backward", full_at(1, torch.Tensor.backward))
    assert fit._try_step(torch.arange(4)) is None
    assert (fit.notes, fit.batch) == ([left, BY_4], 2)


@pytest.mark.parametrize("what", ["start", "restore", "copy"])
def test_weights_that_find_no_room_on_a_gpu_are_taken_up_on_the_cpu(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = trainer(eight_spectra())
    outcome_of(begun.epoch())
    undisturbed, fit = trainer(eight_spectra(), 1), trainer(eight_spectra(), 1)

    def taken_up(fit: Trainer) -> Trainer:
        if what == "start":
            fit.start_from(begun.weights(), "last blocks")
        if what == "restore":
            fit.restore(begun.state())
        return fit.copy() if what == "copy" else fit

    expected = taken_up(undisturbed)
    real = torch.nn.Module.load_state_dict
    monkeypatch.setattr(torch.nn.Module, "load_state_dict", full_at(1, real))
    found = taken_up(fit)
    assert (found.device.type, found.notes) == ("cpu", [TO_CPU])
    found.place.batch = expected.batch
    for one in (found, expected):
        outcome_of(one.epoch())
    assert same_weights(found, expected)


def test_an_apple_gpu_without_memory_is_asked_for_less_before_it_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fit = trainer(eight_spectra())
    fit.place.batch, fit.place.device = 4, torch.device("mps")
    monkeypatch.setattr(torch.mps, "empty_cache", lambda: None)

    def step(_: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("MPS backend out of memory (MPS allocated: 17.00 GB)")

    monkeypatch.setattr(fit, "_step", step)
    assert fit._try_step(torch.arange(4)) is None
    assert (fit.notes, fit.device.type) == ([BY_4], "mps")


def test_an_apple_gpu_that_cannot_do_it_hands_over_to_the_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fit = trainer(eight_spectra())
    fit.place.device = torch.device("mps")
    monkeypatch.setattr(torch.mps, "synchronize", lambda: None)
    real_step = fit._step

    def step(chosen: torch.Tensor) -> torch.Tensor:
        if fit.device.type == "mps":
            raise NotImplementedError("not implemented for the MPS device")
        return real_step(chosen)

    monkeypatch.setattr(fit, "_step", step)
    assert outcome_of(fit.epoch()) is not None
    assert fit.notes == ["the Apple GPU could not do this: continuing on the CPU"]


def test_a_gpu_that_fails_while_a_fit_begins_is_one_sentence_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def failing(*_: Any) -> None:
        raise RuntimeError("CUDA error: unspecified launch failure")

    monkeypatch.setattr(torch.nn.Module, "to", failing)
    with pytest.raises(FitFailed, match="error of torch: CUDA error: unspecified"):
        trainer(eight_spectra())
