"""What is done to spectra before a network is shown them in a step, so that it learns no pixel."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from napari_ims_tumor.model.presets import Recipe


def augmented(
    shown: tuple[Tensor, Tensor], recipe: Recipe, draw: np.random.Generator, before_head: bool
) -> tuple[Tensor, Tensor]:
    """Mixed spectra with hidden peaks (N, B), and their weighted classes (N, K).

    What lies before the head is mixed alike; no peak can be hidden of it.
    """
    inputs, targets = shown
    if recipe.mixing:
        share = float(draw.beta(recipe.mixing, recipe.mixing))
        partner = torch.from_numpy(draw.permutation(len(inputs)))
        inputs = share * inputs + (1 - share) * inputs[partner]
        targets = share * targets + (1 - share) * targets[partner]
    if recipe.peak_dropout and not before_head:
        # Hidden bins become 0, the mean of a centered input.
        left = draw.random(inputs.shape, np.float32) >= recipe.peak_dropout
        inputs = inputs * torch.from_numpy(left)
    return inputs, targets
