from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tests.model.trainers import (
    CNNS,
    eight_spectra,
    full_at,
    same_weights,
    trainer,
    without_data,
)
from torch.utils._python_dispatch import TorchDispatchMode

from napari_ims_tumor.errors import FitFailed
from napari_ims_tumor.job import outcome_of
from napari_ims_tumor.model import training
from napari_ims_tumor.model.config import Network, NetworkConfig
from napari_ims_tumor.model.network import DilatedNetwork
from napari_ims_tumor.model.normalization import InputNormalization
from napari_ims_tumor.model.placed_network import PlacedNetwork
from napari_ims_tumor.model.presets import RECIPES, build_network, load_weights
from napari_ims_tumor.model.training import Trainer
from napari_ims_tumor.model.training_set import TrainingSet


@pytest.mark.parametrize("network", CNNS)
def test_it_overfits_eight_spectra(network: Network) -> None:
    data = eight_spectra()
    fit = trainer(data, network=network)
    for _ in range(RECIPES[network].epochs):
        outcome_of(fit.epoch())
    assert (outcome_of(fit.logits(data.inputs)).argmax(axis=1) == data.classes).all()


@pytest.mark.parametrize("network", CNNS)
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(network: Network) -> None:
    found: list[dict[str, Any]] = []
    for seed in (0, 0, 1):
        torch.manual_seed(len(found))  # what happened before must not matter
        fit = trainer(eight_spectra(), seed, network)
        for _ in range(3):
            outcome_of(fit.epoch())
        found.append(fit.weights())
    first, same, other = found
    assert all(np.array_equal(first[k], same[k]) for k in first)
    assert any(not np.array_equal(first[k], other[k]) for k in first)


def test_it_starts_at_zero_so_that_the_linear_answer_comes_first() -> None:
    data = eight_spectra()
    assert (outcome_of(trainer(data).logits(data.inputs)) == 0).all()


def test_a_loss_that_is_not_a_number_keeps_the_last_good_weights() -> None:
    data = eight_spectra()
    fit = trainer(data)
    outcome_of(fit.epoch())
    good = {name: values.copy() for name, values in fit.weights().items()}
    epoch = fit.epoch()
    for _ in range(3):
        next(epoch)
    with torch.no_grad():
        fit.network.output.bias.fill_(float("nan"))
    assert outcome_of(epoch) is None
    kept = fit.weights()
    assert all(np.array_equal(good[k], kept[k]) for k in good)
    assert all(np.isfinite(v).all() for v in kept.values())


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


def test_a_gpu_is_looked_at_seldom_and_learns_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    usual, fit = trainer(eight_spectra()), trainer(eight_spectra())
    expected = outcome_of(usual.epoch())
    monkeypatch.setattr(PlacedNetwork, "is_read_at_once", False)
    looks: list[int] = []
    real = Trainer._is_looked_at

    def looked_at(self: Trainer, step: int) -> bool:
        if real(self, step):
            looks.append(step)
        return real(self, step)

    monkeypatch.setattr(Trainer, "_is_looked_at", looked_at)
    assert outcome_of(fit.epoch()) == expected
    assert same_weights(fit, usual)
    assert fit.step == 40
    assert looks == [0, 1, 2, 3, 16, 32]


@pytest.mark.parametrize("at", [2, 20, 39])
def test_a_loss_on_a_gpu_that_is_not_a_number_is_seen_in_time(
    at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = trainer(eight_spectra())
    monkeypatch.setattr(PlacedNetwork, "is_read_at_once", False)
    outcome_of(fit.epoch())
    good = {name: values.copy() for name, values in fit.weights().items()}
    epoch = fit.epoch()
    for _ in range(at):
        next(epoch)
    with torch.no_grad():
        fit.network.output.bias.fill_(float("nan"))
    more = len(list(epoch))
    assert more <= 16
    assert all(np.array_equal(v, good[k]) for k, v in fit.weights().items())


def test_a_loss_that_is_not_a_number_needs_no_second_copy_on_a_full_gpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fit = trainer(eight_spectra())
    outcome_of(fit.epoch())
    monkeypatch.setattr(torch.Tensor, "clone", full_at(1, torch.Tensor.clone))
    assert outcome_of(fit.epoch()) is not None
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


def test_errors_of_torch_become_one_sentence() -> None:
    data = eight_spectra()
    fit = trainer(data)
    with pytest.raises(FitFailed, match="error of torch"):
        outcome_of(fit.logits(np.zeros((2, 3), np.float32)))


@pytest.mark.parametrize("bins", [60, 4200])
def test_tuning_the_head_on_what_lies_before_it_is_tuning_the_head(bins: int) -> None:
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(24, bins)).astype(np.float32)
    classes, rows = np.arange(24) % 2, np.arange(4, 20)
    base = trainer(TrainingSet(inputs, classes, 2))
    outcome_of(base.epoch())
    network = build_network(base.config, 0)
    load_weights(network, base.weights())
    assert isinstance(network, DilatedNetwork)
    before = network.in_rows(torch.from_numpy(inputs)).detach().numpy()
    once = trainer(TrainingSet(before, classes[rows], 2, rows, before_head=True), bins=bins)
    anew = trainer(TrainingSet(inputs[rows], classes[rows], 2))
    for fit in (once, anew):
        # What is hidden of a spectrum cannot be hidden of what was made of it.
        fit.learner.recipe = replace(fit.recipe, mixing=0.0, peak_dropout=0.0)
        fit.start_from(base.weights(), "head")
        outcome_of(fit.epoch())
    tuned = once.weights()
    for name, values in anew.weights().items():
        assert np.allclose(tuned[name], values, atol=2e-5), name
    assert not np.allclose(tuned["cnn.hidden.weight"], base.weights()["cnn.hidden.weight"])
    assert np.allclose(outcome_of(once.logits(before)), outcome_of(anew.logits(inputs)), atol=1e-4)


@pytest.mark.parametrize(("tune", "kept"), [("head", "stem.weight"), ("last blocks", "position")])
def test_fine_tuning_leaves_the_rest_as_it_was(tune: str, kept: str) -> None:
    data = eight_spectra()
    base = trainer(data)
    outcome_of(base.epoch())
    fit = trainer(data, seed=3)
    fit.start_from(base.weights(), tune)  # type: ignore[arg-type]
    outcome_of(fit.epoch())
    before, after = base.weights(), fit.weights()
    assert np.array_equal(before["cnn." + kept], after["cnn." + kept])
    assert not np.array_equal(before["cnn.output.weight"], after["cnn.output.weight"])
