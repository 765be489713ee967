"""In which order, and how often, an epoch shows spectra to the network that is fitted."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class ShowingOrder:
    """Draws the order of each epoch.

    Parameters
    ----------
    n
        Number of spectra.
    least_steps
        Of an epoch: few spectra are shown several times.
    seed
        Of what is drawn.
    """

    def __init__(self, n: int, least_steps: int, seed: int) -> None:
        self._n, self._least_steps = n, least_steps
        self._source = torch.Generator().manual_seed(seed)

    def steps(self, batch: int) -> int:
        """Steps of an epoch that shows all spectra, so many at a time."""
        return -(-self._passes(batch) * self._n // batch)

    def draw(self, batch: int, most_steps: int | None) -> Tensor:
        """Which spectra to show: all of them, once or more often, each time in another order."""
        passes = range(self._passes(batch))
        order = torch.cat([torch.randperm(self._n, generator=self._source) for _ in passes])
        return order if most_steps is None else order[: most_steps * batch]

    def state(self) -> NDArray[np.uint8]:
        """All that the next order depends on."""
        found: NDArray[np.uint8] = self._source.get_state().numpy().copy()
        return found

    def restore(self, state: NDArray[np.uint8]) -> None:
        """Go back to a state."""
        self._source.set_state(torch.from_numpy(state))

    def _passes(self, batch: int) -> int:
        """How often an epoch shows all spectra."""
        return max(1, -(-self._least_steps * batch // self._n))


def next_batch(order: Tensor, at: int, batch: int) -> Tensor:
    """The spectra of the next step, from a place of the order on."""
    # No step on one spectrum alone: batch normalization could not measure its spread.
    one_left = len(order) - at == batch + 1 and batch > 2
    return order[at : at + batch - one_left]
