"""Networks that answer alone, without the linear path: published ones, and a twin to compare with.

Only the fit on the training side is made: no held-out refits, no temperature. ``isotopenet x4`` is
``isotopenet`` for four times as many epochs; `` + shifts`` after a name says that it was also shown
shifted and bent spectra.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_ims_tumor.model.config import Augmentation, Network, NetworkConfig
from napari_ims_tumor.model.linear_path import class_weights
from napari_ims_tumor.model.network import DilatedNetwork
from napari_ims_tumor.model.normalization import InputNormalization
from napari_ims_tumor.model.presets import RECIPES, inputs_of, sees_shares
from napari_ims_tumor.model.training import Trainer
from napari_ims_tumor.model.training_set import TrainingSet

AUGMENTED = " + shifts"
"""After a model's name: it also learns from shifted and bent spectra."""
TWIN = "undilated twin"
PLAIN_MODELS = ("isotopenet", "isotopenet x4", "faithful", TWIN)
Ask = Callable[[np.ndarray], np.ndarray]
"""Rooted shares (n, bins) → logits (n, K)."""


def fit_plain(
    name: str, roots: np.ndarray, normalization: InputNormalization, classes: np.ndarray, seed: int
) -> Iterator[tuple[str, Ask]]:
    """Fit a network to rooted shares (n, bins) and their classes.

    Yields
    ------
    tuple
        Name and network, at each number of epochs that has a name: a network that is fitted four
        times as long was the usual one on its way.
    """
    if name == TWIN:
        yield name, _fit_twin(roots, normalization, classes, seed)
        return
    bare, _, times = name.removesuffix(AUGMENTED).partition(" x")
    network: Network = "faithful" if bare == "faithful" else "isotopenet"
    k = int(classes.max()) + 1
    shape = NetworkConfig.for_axis(network, roots.shape[1], k)
    known = None if sees_shares(network) else normalization
    shown = inputs_of(network, normalization, roots)
    data = TrainingSet(shown, classes, k, normalization=known)
    trainer = Trainer(shape, data, seed, "cpu", augment_of(name, network))

    def ask(asked: np.ndarray) -> np.ndarray:
        return np.asarray(driven(trainer.logits(inputs_of(network, normalization, asked))))

    for time in range(int(times or 1)):
        for _ in range(RECIPES[network].epochs):
            driven(trainer.epoch())
        if time == 0:
            yield bare + (AUGMENTED if name.endswith(AUGMENTED) else ""), ask
    if times:
        yield name, ask


def augment_of(name: str, network: Network) -> tuple[Augmentation, ...] | None:
    """What a network of this name is taught with: its own, or shifts and gains as well."""
    if not name.endswith(AUGMENTED):
        return None
    return ("shift", "gain", *RECIPES[network].augmentation)


def driven(steps: Generator[None, None, Any]) -> Any:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


class UndilatedTwin(DilatedNetwork):
    """The default network without dilation and with a linear head: equally many convolutions."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(replace(config, dilations=(1,) * len(config.dilations)))
        del self.hidden
        self.output = nn.Linear(config.head_channels * config.positions, config.classes)

    def forward(self, inputs: Tensor) -> Tensor:  # (N, B) → (N, K)
        x = torch.relu(self.norm(self.features(inputs)))  # (N, C, L)
        logits: Tensor = self.output(self.dropout(self.squeeze(x).flatten(1)))
        return logits


def _fit_twin(
    roots: np.ndarray, normalization: InputNormalization, classes: np.ndarray, seed: int
) -> Ask:
    """Taught as the default network is: mixed spectra, hidden peaks, class weights."""
    recipe, draw = RECIPES["default"], np.random.default_rng(seed)
    torch.manual_seed(seed)
    k = int(classes.max()) + 1
    network = UndilatedTwin(NetworkConfig.for_axis("default", roots.shape[1], k))
    optimizer = torch.optim.AdamW(
        network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    inputs = torch.from_numpy(normalization.apply(roots))
    one_hot = np.eye(k)[classes] * class_weights(classes, k)[:, None]
    targets = torch.from_numpy(one_hot.astype(np.float32))
    for _ in range(recipe.epochs):
        for rows in np.array_split(draw.permutation(len(classes)), -(-len(classes) // 32)):
            share = float(draw.beta(recipe.mixing, recipe.mixing))
            partner = draw.permutation(rows)
            mixed = share * inputs[rows] + (1 - share) * inputs[partner]
            wanted = share * targets[rows] + (1 - share) * targets[partner]
            hidden = torch.from_numpy(draw.random(mixed.shape, np.float32) < recipe.peak_dropout)
            loss = -(wanted * torch.log_softmax(network(mixed.masked_fill(hidden, 0)), 1))
            optimizer.zero_grad(set_to_none=True)
            loss.sum(dim=1).mean().backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
    network.eval()

    def ask(asked: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            parts = torch.from_numpy(normalization.apply(asked)).split(64)  # type: ignore[no-untyped-call]
            return torch.cat([network(part) for part in parts]).numpy()

    return ask
