"""Ways to begin a network before it is told any class; for trials, the program has none."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from classifying.plain import driven
from napari_ims_tumor.model.calibration import softmax
from napari_ims_tumor.model.config import NetworkConfig
from napari_ims_tumor.model.network import DilatedNetwork
from napari_ims_tumor.model.presets import RECIPES, build_network
from napari_ims_tumor.model.training import Trainer
from napari_ims_tumor.model.training_set import TrainingSet

BATCH = 32
HIDDEN_SHARE = 0.3
STEPS = 400
"""Of the time before classes: as many as the default recipe takes of 60 pixels."""
TEMPERATURE = 0.1

Weights = Mapping[str, np.ndarray]


def fitted_network(
    x: np.ndarray, classes: np.ndarray, asked: np.ndarray, seed: int, start: Weights | None = None
) -> np.ndarray:
    """Probabilities (m, K) of what is asked, by the default recipe and its number of epochs."""
    k = int(classes.max()) + 1
    trainer = Trainer(_shape(x, k), TrainingSet(x, classes, k), seed, "cpu")
    if start is not None:
        trainer.start_from(start, "all")
    for _ in range(RECIPES["default"].epochs):
        driven(trainer.epoch())
    return softmax(driven(trainer.logits(asked)))


def pretrained_by_masking(everything: np.ndarray, seed: int) -> Weights:
    """Weights of a network that has learned to fill in hidden bins of (n, bins) spectra."""
    network, draw = _network(everything, seed), np.random.default_rng(seed)
    stride = network.config.stem_stride
    fill = nn.Conv1d(network.config.channels, stride, 1)
    optimizer = _optimizer(network, fill)
    spectra = torch.from_numpy(everything)
    for _ in range(STEPS):
        rows = spectra[torch.from_numpy(draw.integers(0, len(spectra), BATCH))]
        hidden = _hidden(rows, draw)
        maps = network.features(rows.masked_fill(hidden, 0))  # (N, C, L)
        filled = fill(maps).transpose(1, 2).flatten(1)[:, : rows.shape[1]]  # (N, B)
        _step(optimizer, ((filled - rows)[hidden] ** 2).mean())
    return _weights(network)


def pretrained_by_contrast(x: np.ndarray, classes: np.ndarray, seed: int) -> Weights:
    """Weights after supervised contrast (Khosla et al., NeurIPS 2020) of labelled spectra."""
    network, draw = _network(x, seed), np.random.default_rng(seed)
    embed = nn.Linear(network.config.head_channels * network.config.positions, 32)
    optimizer = _optimizer(network, embed)
    spectra, told = torch.tensor(x), torch.tensor(classes)
    for _ in range(STEPS):
        chosen = torch.from_numpy(draw.integers(0, len(spectra), BATCH // 2))
        rows, same = spectra[chosen].repeat(2, 1), told[chosen].repeat(2)
        maps = network.squeeze(torch.relu(network.norm(network.features(_dimmed(rows, draw)))))
        directions = nn.functional.normalize(embed(maps.flatten(1)), dim=1)
        _step(optimizer, _contrast(directions, same))
    return _weights(network)


def _contrast(directions: Tensor, classes: Tensor) -> Tensor:
    """Mean loss of pairs of one class among all pairs."""
    itself = torch.eye(len(classes), dtype=torch.bool)
    alike = (directions @ directions.T / TEMPERATURE).masked_fill(itself, -1e9)
    log = alike - alike.logsumexp(dim=1, keepdim=True)
    pairs = (classes[:, None] == classes[None]) & ~itself
    return -(log * pairs).sum() / pairs.sum()


def _hidden(rows: Tensor, draw: np.random.Generator) -> Tensor:
    return torch.from_numpy(draw.random(tuple(rows.shape), np.float32) < HIDDEN_SHARE)


def _dimmed(rows: Tensor, draw: np.random.Generator) -> Tensor:
    return rows.masked_fill(_hidden(rows, draw), 0)


def _shape(x: np.ndarray, k: int) -> NetworkConfig:
    return NetworkConfig.for_axis("default", x.shape[1], k)


def _network(x: np.ndarray, seed: int) -> DilatedNetwork:
    built = build_network(_shape(x, 2), seed)
    assert isinstance(built, DilatedNetwork)
    return built.train()


def _optimizer(*parts: nn.Module) -> torch.optim.AdamW:
    recipe = RECIPES["default"]
    parameters = [p for part in parts for p in part.parameters()]
    return torch.optim.AdamW(parameters, recipe.learning_rate, weight_decay=recipe.weight_decay)


def _step(optimizer: torch.optim.AdamW, loss: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def _weights(network: DilatedNetwork) -> Weights:
    """By the names they have in a model file."""
    return {f"cnn.{name}": value.detach().numpy() for name, value in network.state_dict().items()}
