"""The networks by name: how each is built, what it is shown, and how it is taught."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import numpy as np
import torch

from napari_ims_tumor.model.config import (
    AUGMENTATIONS,
    Augmentation,
    FitConfig,
    Network,
    NetworkConfig,
)
from napari_ims_tumor.model.faithful import FaithfulNetwork
from napari_ims_tumor.model.fitted_model import CNN_PREFIX
from napari_ims_tumor.model.isotopenet import IsotopeNet
from napari_ims_tumor.model.network import DilatedNetwork
from napari_ims_tumor.model.normalization import InputNormalization
from napari_ims_tumor.msi.arrays import Float32Array

Built: TypeAlias = DilatedNetwork | IsotopeNet | FaithfulNetwork

_CLASSES: Final[dict[Network, type[Built]]] = {
    "default": DilatedNetwork,
    "isotopenet": IsotopeNet,
    "faithful": FaithfulNetwork,
}
STEP_WORK: Final = 2_000_000
"""Positions times layers in one step: longer axes are shown fewer spectra at a time, so that *Stop*
is heard within half a second."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is taught.

    Attributes
    ----------
    epochs
        Where the user names no number.
    learning_rate, weight_decay
        Of AdamW; without decay it is Adam.
    least_steps
        Steps of an epoch at least: few spectra are shown several times, or held-out groups would be
        asked before the network has begun to learn.
    warm_up_steps
        Steps until the learning rate is reached.
    averaging
        Share kept of the running average of weights; 0 = the last step's weights are the model's.
    peak_dropout
        Share of bins hidden in every step. Peaks do go missing from spectrum to spectrum, and a
        network that must do without any of them cannot learn single pixels by heart: on the distant
        gate at 2,400 bins and 1,000 spectra this is .92 balanced accuracy against .75 without.
    mixing
        Zhang et al., *mixup*, ICLR 2018. A pixel of tissue is a mixture anyway; on real tissue
        held-out log loss falls from .20 to .18 and no longer rises with further epochs.
    shift
        Bins by which a spectrum is moved, at most; 0 = it is not. ``default`` moves spectra into
        place instead, so no network does this unless it is asked to.
    gain
        Spread of the logarithm of a gain that bends along the axis; 0 = there is none.
    """

    epochs: int
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    least_steps: int = 40
    warm_up_steps: int = 20
    averaging: float = 0.98
    peak_dropout: float = 0.3
    mixing: float = 0.4
    shift: int = 0
    gain: float = 0.0

    @property
    def augmentation(self) -> tuple[Augmentation, ...]:
        """What of :data:`.Augmentation` it does."""
        return tuple(name for name in AUGMENTATIONS if getattr(self, next(iter(AUGMENTED[name]))))


RECIPES: Final[dict[Network, Recipe]] = {
    "default": Recipe(epochs=12),
    # As published: Adam with 1e-3 on class-weighted spectra as they are, and no early end.
    "isotopenet": Recipe(100, 1e-3, 0.0, 1, 1, averaging=0.0, peak_dropout=0.0, mixing=0.0),
    # Slow for its steps: each epoch is one pass, but for few spectra.
    "faithful": Recipe(epochs=25, least_steps=20),
}
AUGMENTED: Final[dict[Augmentation, dict[str, Any]]] = {
    "shift": {"shift": 6},
    "gain": {"gain": 0.25},
    "peaks": {"peak_dropout": 0.3},
    "mixing": {"mixing": 0.4},
}
"""How much of each is done where it is asked for."""
_NONE: Final = {"shift": 0, "gain": 0.0, "peak_dropout": 0.0, "mixing": 0.0}


def recipe_of(network: Network, augment: tuple[Augmentation, ...] | None = None) -> Recipe:
    """How a network is taught, with its own augmentation or another."""
    recipe = RECIPES[network]
    if augment is None:
        return recipe
    asked = {name: much for one in augment for name, much in AUGMENTED[one].items()}
    return replace(recipe, **{**_NONE, **asked})


def epochs_of(config: FitConfig) -> int:
    """The number asked for, or the network's own."""
    return config.epochs or RECIPES[config.network].epochs


def build_network(config: NetworkConfig, seed: int) -> Built:
    """A network with weights drawn from the seed; other random draws are left as they were."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _CLASSES[config.network](config)


def load_weights(network: Built, weights: Mapping[str, Float32Array]) -> None:
    """Put the CNN's arrays of a model file into a network."""
    state = {
        name.removeprefix(CNN_PREFIX): torch.from_numpy(np.array(values))
        for name, values in weights.items()
        if name.startswith(CNN_PREFIX)
    }
    # How many batches a normalization has seen decides nothing and is not in the file.
    counters = {n: v for n, v in network.state_dict().items() if not v.is_floating_point()}
    network.load_state_dict({**counters, **state})


def inputs_of(
    network: Network, normalization: InputNormalization, roots: Float32Array
) -> Float32Array:
    """What a network is shown of rooted shares (n, bins)."""
    if sees_shares(network):
        shares: Float32Array = normalization.aligned(roots) ** 2
        return shares
    return normalization.apply(roots)


def sees_shares(network: Network) -> bool:
    """Whether a network is shown shares of the total, at a mean of 1 per spectrum, as they are.

    IsotopeNet's authors normalize by total ion current and by nothing else.
    """
    return network == "isotopenet"


def largest_batch(config: NetworkConfig) -> int:
    """The most spectra per step."""
    layers = 4 if config.network == "isotopenet" else len(config.dilations) + 1
    return max(4, STEP_WORK // (config.widest // config.channels * layers))
