"""Dropout that draws from a source of its own.

torch's layer draws from one source for the whole process: two networks fitted side by side would
take each other's numbers, and no fit could be repeated.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SeededDropout(nn.Module):
    """Hides a share of the numbers while a network is fitted, and makes up for it in the others."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.seed = 0

    def forward(self, x: Tensor) -> Tensor:
        """Hide; the same seed hides the same."""
        if not self.training:
            return x
        draw = torch.Generator(x.device).manual_seed(self.seed)
        # Not in bfloat16, which has no 1 / 0.7: what is made up for would be too much.
        kept = torch.empty_like(x, dtype=torch.float32).bernoulli_(1 - self.share, generator=draw)
        return x * kept.div_(1 - self.share)
