"""Trainers of eight spectra, and GPUs that are not there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from napari_ims_tumor.model import at_hand, learning_network, placed_network
from napari_ims_tumor.model.config import Network, NetworkConfig
from napari_ims_tumor.model.training import Trainer
from napari_ims_tumor.model.training_set import TrainingSet

CNNS: tuple[Network, ...] = ("default", "isotopenet", "faithful")


def eight_spectra() -> TrainingSet:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(8, 60)).astype(np.float32)
    return TrainingSet(inputs, np.array([0, 1, 1, 0, 1, 0, 0, 1]), 2)


def trainer(
    data: TrainingSet, seed: int = 0, network: Network = "default", bins: int | None = None
) -> Trainer:
    config = NetworkConfig.for_axis(network, bins or data.inputs.shape[1], 2)
    return Trainer(config, data, seed, "cpu")


def same_weights(one: Trainer, other: Trainer) -> bool:
    found = other.weights()
    return all(np.array_equal(v, found[k]) for k, v in one.weights().items())


def full_at(number: int, real: Callable[..., Any]) -> Callable[..., Any]:
    """An operation of a GPU whose memory ends at the n-th call of it."""
    calls = iter(range(1, 1000))

    def operation(*given: Any, **named: Any) -> Any:
        if next(calls) == number:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return real(*given, **named)

    return operation


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
    monkeypatch.setattr(learning_network, "optimizer_of", optimizer)
    monkeypatch.setattr(placed_network, "resolve_device", lambda _: torch.device("meta"))
    monkeypatch.setattr(at_hand, "free_memory", lambda _: room)
