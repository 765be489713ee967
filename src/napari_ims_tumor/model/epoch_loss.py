"""The losses of an epoch: left on a GPU until somebody has to know them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from torch import Tensor

FIRST_LOOKS: Final = 4
LOOK_EVERY: Final = 16
"""Steps of a GPU between two looks at its loss: the processor is that far ahead at most, so that
*Stop* is heard soon."""


def is_time_to_look(step: int) -> bool:
    """Whether to look at the loss of a step of an epoch on a GPU, and wait for it.

    At first of each, so that a few steps that are timed take their time; then seldom.
    """
    return step < FIRST_LOOKS or step % LOOK_EVERY == 0


def is_number(loss: Tensor) -> bool:
    """Whether a loss is one; a GPU is waited for."""
    return bool(np.isfinite(float(loss)))


@dataclass
class EpochLoss:
    """The loss of each step, and how many spectra it was shown; ``shown`` in all."""

    shown: int = 0
    _losses: list[Tensor] = field(default_factory=list)
    _sizes: list[int] = field(default_factory=list)

    @property
    def steps(self) -> int:
        """Number of steps so far."""
        return len(self._losses)

    def add(self, loss: Tensor, size: int) -> None:
        """Take in the loss of a step."""
        self._losses.append(loss)
        self._sizes.append(size)
        self.shown += size

    def mean(self) -> float | None:
        """Mean per spectrum; ``None`` where a loss was not a number."""
        told = np.array([float(loss) for loss in self._losses])
        return float(np.sum(told * self._sizes) / self.shown) if np.isfinite(told).all() else None
