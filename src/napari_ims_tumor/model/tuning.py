"""What of a network a fit may change, and what changes it."""

from __future__ import annotations

import torch
from torch import nn

from napari_ims_tumor.model.config import Tune
from napari_ims_tumor.model.presets import Recipe


def optimizer_of(tuned: list[nn.Parameter], recipe: Recipe) -> torch.optim.AdamW:
    """What changes weights in a step."""
    rate, decay = recipe.learning_rate, recipe.weight_decay
    try:
        # All parameters in one call: with small networks half of a step is the calls.
        return torch.optim.AdamW(tuned, lr=rate, weight_decay=decay, fused=True)
    except RuntimeError:  # not on this device, or a torch before 2.4
        return torch.optim.AdamW(tuned, lr=rate, weight_decay=decay)


def is_tuned(name: str, tune: Tune, blocks: int) -> bool:
    """Whether fine-tuning may change a parameter."""
    head = name.startswith(("hidden.", "output.", "squeeze.", "norm."))
    last = name.startswith(tuple(f"blocks.{i}." for i in range(max(0, blocks - 2), blocks)))
    return tune == "all" or head or (tune == "last blocks" and last)
