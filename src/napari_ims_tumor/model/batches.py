"""A network asked about many spectra, a batch at a time, within the memory there is."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import Final

import numpy as np
import torch
from torch import Tensor

from napari_ims_tumor.model.arithmetic import forward_pass
from napari_ims_tumor.model.computing import Precision
from napari_ims_tumor.model.presets import Built
from napari_ims_tumor.model.sparing import Sparing, rising_memory_errors
from napari_ims_tumor.msi.arrays import Float32Array

__all__ = ["BATCH", "Batches", "rising_memory_errors"]

BATCH: Final = 32
"""Spectra per step of a fit, and per batch once a CPU has to do what a GPU could not."""
PREDICTION_NUMBERS: Final = 800_000
"""Feature-map numbers per prediction batch: small batches stay in the processor's cache."""


class Batches:
    """Asks a network; halves the batch, then moves to the CPU, when memory ends, and says so.

    Parameters
    ----------
    notes
        Where to say it; a list of its own by default.
    """

    def __init__(
        self, network: Built, precision: Precision = "float32", notes: list[str] | None = None
    ) -> None:
        self._precision = precision
        self._network = network.eval()
        size = max(1, PREDICTION_NUMBERS // network.config.widest)
        self.sparing = Sparing(network, size, min(BATCH, size), notes)

    @property
    def notes(self) -> list[str]:
        """What was done where memory ended; later batches begin with it."""
        return self.sparing.notes

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.sparing.device

    def logits(self, inputs: Float32Array) -> Generator[None, None, Float32Array]:
        """Logits (n, K) of inputs (n, bins); yields after every batch."""
        found = yield from self.over(inputs, self._network, self._network.config.classes)
        return found

    def over(
        self, inputs: Float32Array, ask: Callable[[Tensor], Tensor], width: int
    ) -> Generator[None, None, Float32Array]:
        """What is found (n, width) for inputs (n, …); yields after every batch."""
        found = np.zeros((len(inputs), width), np.float32)
        at = 0
        while at < len(inputs):
            part = slice(at, at + self.sparing.size)
            answer = self.sparing.tried(partial(self._fetched, ask, inputs[part]))
            if answer is None:
                continue
            found[part] = answer.numpy()
            at = part.stop
            yield
        return found

    def _fetched(self, ask: Callable[[Tensor], Tensor], inputs: Float32Array) -> Tensor:
        return self._answer(ask, inputs, self.device).cpu()

    def _answer(
        self, ask: Callable[[Tensor], Tensor], inputs: Float32Array, device: torch.device
    ) -> Tensor:
        with torch.inference_mode(), forward_pass(self._precision, device):
            return ask(torch.from_numpy(inputs).to(device)).float()
