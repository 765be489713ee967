from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from napari_ims_tumor.errors import FitFailed
from napari_ims_tumor.model import at_hand, training
from napari_ims_tumor.model.batches import Batches
from napari_ims_tumor.model.computing import Computing
from napari_ims_tumor.model.config import Network, NetworkConfig
from napari_ims_tumor.model.network import DilatedNetwork
from napari_ims_tumor.model.normalization import InputNormalization
from napari_ims_tumor.model.presets import RECIPES, build_network, load_weights
from napari_ims_tumor.model.training import Trainer, TrainingSet


def drained(job: Generator[Any, None, Any]) -> Any:
    try:
        while True:
            next(job)
    except StopIteration as end:
        return end.value


def eight_spectra() -> TrainingSet:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(8, 60)).astype(np.float32)
    return TrainingSet(inputs, np.array([0, 1, 1, 0, 1, 0, 0, 1]), 2)


def trainer(
    data: TrainingSet, seed: int = 0, network: Network = "default", bins: int | None = None
) -> Trainer:
    config = NetworkConfig.for_axis(network, bins or data.inputs.shape[1], 2)
    return Trainer(config, data, seed, "cpu")


CNNS: tuple[Network, ...] = ("default", "isotopenet", "faithful")


@pytest.mark.parametrize("network", CNNS)
def test_it_overfits_eight_spectra(network: Network) -> None:
    data = eight_spectra()
    fit = trainer(data, network=network)
    for _ in range(RECIPES[network].epochs):
        drained(fit.epoch())
    assert (drained(fit.logits(data.inputs)).argmax(axis=1) == data.classes).all()


@pytest.mark.parametrize("network", CNNS)
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(network: Network) -> None:
    found: list[dict[str, Any]] = []
    for seed in (0, 0, 1):
        torch.manual_seed(len(found))  # what happened before must not matter
        fit = trainer(eight_spectra(), seed, network)
        for _ in range(3):
            drained(fit.epoch())
        found.append(fit.weights())
    first, same, other = found
    assert all(np.array_equal(first[k], same[k]) for k in first)
    assert any(not np.array_equal(first[k], other[k]) for k in first)


def test_it_starts_at_zero_so_that_the_linear_answer_comes_first() -> None:
    data = eight_spectra()
    assert (drained(trainer(data).logits(data.inputs)) == 0).all()


def test_a_loss_that_is_not_a_number_keeps_the_last_good_weights() -> None:
    data = eight_spectra()
    fit = trainer(data)
    drained(fit.epoch())
    good = {name: values.copy() for name, values in fit.weights().items()}
    epoch = fit.epoch()
    for _ in range(3):
        next(epoch)
    with torch.no_grad():
        fit.network.output.bias.fill_(float("nan"))
    assert drained(epoch) is None
    kept = fit.weights()
    assert all(np.array_equal(good[k], kept[k]) for k in good)
    assert all(np.isfinite(v).all() for v in kept.values())


def test_out_of_memory_halves_the_batch_then_moves_to_the_cpu_visibly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fit = trainer(eight_spectra())
    fit.batch = 4
    real_step, failures = fit._step, iter([True, True, True])

    def step(chosen: torch.Tensor) -> torch.Tensor:
        if next(failures, False):
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return real_step(chosen)

    monkeypatch.setattr(fit, "_step", step)
    assert drained(fit.epoch()) is not None
    assert fit.notes == [
        "GPU memory ran out: batches of 2 spectra now",
        "GPU memory ran out: batches of 1 spectra now",
        "GPU memory ran out: continuing on the CPU",
    ]
    assert fit.device.type == "cpu"


def full_at(number: int, real: Callable[..., Any]) -> Callable[..., Any]:
    """An operation of a GPU whose memory ends at the n-th call of it."""
    calls = iter(range(1, 1000))

    def operation(*given: Any, **named: Any) -> Any:
        if next(calls) == number:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return real(*given, **named)

    return operation


BY_4 = "GPU memory ran out: batches of 2 spectra now"


def test_out_of_memory_while_the_optimizer_is_made_ready_is_as_if_it_had_never_been(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fit, undisturbed = trainer(eight_spectra()), trainer(eight_spectra())
    fit.batch = 4
    undisturbed.batch = 2
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
    fit.batch = 4
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
    monkeypatch.setattr(training, "release_memory", lambda _: alive.append(losses[0]() is not None))
    gc.disable()  # only what is held counts, not what happens to lie around
    try:
        assert fit._try_step(torch.arange(4)) is None
    finally:
        gc.enable()
    assert alive == [False]


TO_CPU = "GPU memory ran out: continuing on the CPU"


def same_weights(one: Trainer, other: Trainer) -> bool:
    found = other.weights()
    return all(np.array_equal(v, found[k]) for k, v in one.weights().items())


def full_gpu(monkeypatch: pytest.MonkeyPatch, room: int = 0) -> None:
    """A GPU, in truth the CPU, on which networks find no room any more after some have."""
    real, calls = torch.nn.Module.to, iter(range(room))

    def to(self: torch.nn.Module, where: Any) -> torch.nn.Module:
        if torch.device(where).type == "cuda" and next(calls, None) is None:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return real(self, "cpu")

    monkeypatch.setattr(torch.nn.Module, "to", to)
    monkeypatch.setattr(training, "resolve_device", torch.device)
    monkeypatch.setattr(at_hand, "free_memory", lambda _: 0)


def test_on_a_gpu_that_is_full_from_the_start_a_fit_is_that_of_a_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data, expected = eight_spectra(), trainer(eight_spectra())
    full_gpu(monkeypatch)
    fit = Trainer(expected.config, data, 0, "cuda")
    assert (fit.device.type, fit.notes) == ("cpu", [TO_CPU])
    for one in (fit, expected):
        drained(one.epoch())
    assert same_weights(fit, expected)


def test_held_out_spectra_are_asked_on_the_cpu_where_the_gpu_has_no_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data, fit = eight_spectra(), trainer(eight_spectra())
    drained(fit.epoch())
    expected = drained(fit.logits(data.inputs))
    full_gpu(monkeypatch)
    fit.device = torch.device("cuda")
    for _ in range(2):
        assert np.array_equal(drained(fit.logits(data.inputs)), expected)
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
    drained(fit.logits(data.inputs))
    assert precisions == ["float32"]
    fit._go_to_cpu("GPU memory ran out")
    assert fit.facts == {}
    for one in (fit, expected):
        drained(one.epoch())
    assert same_weights(fit, expected)


class Brought(TorchDispatchMode):
    """Counts numbers that are brought from one device to another."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers: list[int] = []

    def __torch_dispatch__(
        self, operation: Any, kinds: Any, given: Any = (), named: Any = None
    ) -> Any:
        found = operation(*given, **(named or {}))
        is_copy = str(operation) == "aten._to_copy.default"
        if is_copy and given[0].device.type != found.device.type:
            self.numbers.append(given[0].numel())
        return found


class NoSource:
    """What torch has none of: a source of random numbers on a device without data."""

    def manual_seed(self, seed: int) -> None:
        assert seed >= 0


def without_data(monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    """A GPU that computes nothing: whoever reads a number of it is told so by torch."""
    real = torch.Generator

    def source(device: Any = "cpu") -> Any:
        return NoSource() if torch.device(device).type == "meta" else real(device)

    def optimizer(tuned: list[torch.nn.Parameter], _: Any) -> torch.optim.AdamW:
        return torch.optim.AdamW(tuned, foreach=True)

    monkeypatch.setattr(torch, "Generator", source)
    monkeypatch.setattr(training, "optimizer_of", optimizer)
    monkeypatch.setattr(training, "resolve_device", lambda _: torch.device("meta"))
    monkeypatch.setattr(at_hand, "free_memory", lambda _: room)


@pytest.mark.parametrize("network", CNNS)
@pytest.mark.parametrize("room", [0, 10**9])
def test_a_step_on_a_gpu_waits_for_nothing_and_brings_it_only_what_it_has_not(
    network: Network, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_data(monkeypatch, room)
    config = NetworkConfig.for_axis(network, 60, 2)
    known = InputNormalization(np.zeros(60, np.float32), np.ones(60, np.float32))
    data = replace(eight_spectra(), rows=np.arange(8)[::-1].copy(), normalization=known)
    fit = Trainer(config, data, 0, "meta", ("shift", "gain", "peaks", "mixing"))
    with Brought() as brought:
        for _ in range(2):
            loss = fit._try_step(torch.arange(4))
    assert loss is not None
    assert loss.device.type == "meta"
    assert fit.step == 2
    spectra = [n for n in brought.numbers if n == 4 * 60]
    assert len(spectra) == (0 if room else 2), "they are there already, if they fit"


def test_where_memory_ends_spectra_leave_it_first(monkeypatch: pytest.MonkeyPatch) -> None:
    without_data(monkeypatch, 10**9)
    data = eight_spectra()
    fit = Trainer(NetworkConfig.for_axis("default", 60, 2), data, 0, "meta")
    fit.batch = 4
    monkeypatch.setattr(torch.Tensor, "backward", full_at(1, torch.Tensor.backward))
    assert fit._try_step(torch.arange(4)) is None
    left = "GPU memory ran out: spectra are brought there batch by batch now"
    assert (fit.notes, fit.batch) == ([left], 4)
    monkeypatch.setattr(torch.Tensor, "backward", full_at(1, torch.Tensor.backward))
    assert fit._try_step(torch.arange(4)) is None
    assert (fit.notes, fit.batch) == ([left, BY_4], 2)


def test_a_gpu_is_looked_at_seldom_and_learns_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    usual, fit = trainer(eight_spectra()), trainer(eight_spectra())
    expected = drained(usual.epoch())
    monkeypatch.setattr(Trainer, "_is_read_at_once", False)
    looks: list[int] = []
    real = Trainer._is_looked_at

    def looked_at(self: Trainer, step: int) -> bool:
        if real(self, step):
            looks.append(step)
        return real(self, step)

    monkeypatch.setattr(Trainer, "_is_looked_at", looked_at)
    assert drained(fit.epoch()) == expected
    assert same_weights(fit, usual)
    assert fit.step == 40
    assert looks == [0, 1, 2, 3, 16, 32]


@pytest.mark.parametrize("at", [2, 20, 39])
def test_a_loss_on_a_gpu_that_is_not_a_number_is_seen_in_time(
    at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = trainer(eight_spectra())
    monkeypatch.setattr(Trainer, "_is_read_at_once", False)
    drained(fit.epoch())
    good = {name: values.copy() for name, values in fit.weights().items()}
    epoch = fit.epoch()
    for _ in range(at):
        next(epoch)
    with torch.no_grad():
        fit.network.output.bias.fill_(float("nan"))
    more = len(list(epoch))
    assert more <= 16
    assert all(np.array_equal(v, good[k]) for k, v in fit.weights().items())


@pytest.mark.parametrize("what", ["start", "restore", "copy"])
def test_weights_that_find_no_room_on_a_gpu_are_taken_up_on_the_cpu(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = trainer(eight_spectra())
    drained(begun.epoch())
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
    found.batch = expected.batch
    for one in (found, expected):
        drained(one.epoch())
    assert same_weights(found, expected)


def test_a_loss_that_is_not_a_number_needs_no_second_copy_on_a_full_gpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fit = trainer(eight_spectra())
    drained(fit.epoch())
    monkeypatch.setattr(torch.Tensor, "clone", full_at(1, torch.Tensor.clone))
    assert drained(fit.epoch()) is not None
    assert not fit.notes


def test_an_apple_gpu_is_used_in_turn_by_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    fit, inside = trainer(eight_spectra()), [False]
    real = fit._step

    @contextmanager
    def turn(_: torch.device) -> Iterator[None]:
        inside[0] = True
        yield
        inside[0] = False

    def step(chosen: torch.Tensor) -> torch.Tensor:
        assert inside[0]
        return real(chosen)

    monkeypatch.setattr(training, "one_at_a_time", turn)
    monkeypatch.setattr(fit, "_step", step)
    for _ in fit.epoch():
        assert not inside[0], "nobody waits while a report is read"


def test_an_apple_gpu_without_memory_is_asked_for_less_before_it_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fit = trainer(eight_spectra())
    fit.batch, fit.device = 4, torch.device("mps")
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
    fit.device = torch.device("mps")
    monkeypatch.setattr(torch.mps, "synchronize", lambda: None)
    real_step = fit._step

    def step(chosen: torch.Tensor) -> torch.Tensor:
        if fit.device.type == "mps":
            raise NotImplementedError("not implemented for the MPS device")
        return real_step(chosen)

    monkeypatch.setattr(fit, "_step", step)
    assert drained(fit.epoch()) is not None
    assert fit.notes == ["the Apple GPU could not do this: continuing on the CPU"]


def test_errors_of_torch_become_one_sentence() -> None:
    data = eight_spectra()
    fit = trainer(data)
    with pytest.raises(FitFailed, match="error of torch"):
        drained(fit.logits(np.zeros((2, 3), np.float32)))


def test_a_gpu_that_fails_while_a_fit_begins_is_one_sentence_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def failing(*_: Any) -> None:
        raise RuntimeError("CUDA error: unspecified launch failure")

    monkeypatch.setattr(torch.nn.Module, "to", failing)
    with pytest.raises(FitFailed, match="error of torch: CUDA error: unspecified"):
        trainer(eight_spectra())


@pytest.mark.parametrize("bins", [60, 4200])
def test_tuning_the_head_on_what_lies_before_it_is_tuning_the_head(bins: int) -> None:
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(24, bins)).astype(np.float32)
    classes, rows = np.arange(24) % 2, np.arange(4, 20)
    base = trainer(TrainingSet(inputs, classes, 2))
    drained(base.epoch())
    network = build_network(base.config, 0)
    load_weights(network, base.weights())
    assert isinstance(network, DilatedNetwork)
    before = network.in_rows(torch.from_numpy(inputs)).detach().numpy()
    once = trainer(TrainingSet(before, classes[rows], 2, rows, before_head=True), bins=bins)
    anew = trainer(TrainingSet(inputs[rows], classes[rows], 2))
    for fit in (once, anew):
        # What is hidden of a spectrum cannot be hidden of what was made of it.
        fit.recipe = replace(fit.recipe, mixing=0.0, peak_dropout=0.0)
        fit.start_from(base.weights(), "head")
        drained(fit.epoch())
    tuned = once.weights()
    for name, values in anew.weights().items():
        assert np.allclose(tuned[name], values, atol=2e-5), name
    assert not np.allclose(tuned["cnn.hidden.weight"], base.weights()["cnn.hidden.weight"])
    assert np.allclose(drained(once.logits(before)), drained(anew.logits(inputs)), atol=1e-4)


@pytest.mark.parametrize(("tune", "kept"), [("head", "stem.weight"), ("last blocks", "position")])
def test_fine_tuning_leaves_the_rest_as_it_was(tune: str, kept: str) -> None:
    data = eight_spectra()
    base = trainer(data)
    drained(base.epoch())
    fit = trainer(data, seed=3)
    fit.start_from(base.weights(), tune)  # type: ignore[arg-type]
    drained(fit.epoch())
    before, after = base.weights(), fit.weights()
    assert np.array_equal(before["cnn." + kept], after["cnn." + kept])
    assert not np.array_equal(before["cnn.output.weight"], after["cnn.output.weight"])
