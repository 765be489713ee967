"""A network asked about many spectra, a batch at a time, within the memory there is."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import Final

import numpy as np
import torch
from torch import Tensor

from napari_ims_tumor.model.arithmetic import forward_pass
from napari_ims_tumor.model.batch_size import spectra_at_once
from napari_ims_tumor.model.computing import Precision
from napari_ims_tumor.model.presets import Built
from napari_ims_tumor.model.sparing import Sparing, rising_memory_errors
from napari_ims_tumor.msi.arrays import Float32Array

__all__ = ["BATCH", "Batches", "rising_memory_errors"]

BATCH: Final = 32
"""Spectra per step of a fit, and per batch once a CPU has to do what a GPU could not."""


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
        widest, device = network.config.widest, network.output.weight.device
        on_cpu = min(BATCH, spectra_at_once(widest, torch.device("cpu")))
        self.sparing = Sparing(network, spectra_at_once(widest, device), on_cpu, notes)

    @property
    def notes(self) -> list[str]:
        """What was done where memory ended; later batches begin with it."""
        return self.sparing.notes

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.sparing.device

    @property
    def size(self) -> int:
        """Spectra at once."""
        return self.sparing.size

    @property
    def width(self) -> int:
        """Logits of a spectrum."""
        return self._network.config.classes

    def asked(self, rows: Tensor) -> Tensor | None:
        """Logits (n, K) of a batch of rows (n, bins), perhaps still being computed on a GPU.

        ``None`` where memory ended: the same rows again, then, ``size`` of them at once.
        """
        return self.sparing.tried(partial(self._begun, rows))

    def logits(self, inputs: Float32Array) -> Generator[None, None, Float32Array]:
        """Logits (n, K) of inputs (n, bins); yields after every batch."""
        found = yield from self.over(inputs, self._network, self.width)
        return found

    def over(
        self, inputs: Float32Array, ask: Callable[[Tensor], Tensor], width: int
    ) -> Generator[None, None, Float32Array]:
        """What is found (n, width) for inputs (n, …); yields after every batch."""
        found = np.zeros((len(inputs), width), np.float32)
        at = 0
        while at < len(inputs):
            part = slice(at, at + self.size)
            rows = torch.from_numpy(inputs[part])
            answer = self.sparing.tried(partial(self._fetched, ask, rows))
            if answer is None:
                continue
            found[part] = answer.numpy()
            at = part.stop
            yield
        return found

    def _begun(self, rows: Tensor) -> Tensor:
        found = self._answer(self._network, rows, self.device)
        # Only of an NVIDIA GPU may logits be left where they are: others take turns.
        return found if self.device.type == "cuda" else found.cpu()

    def _fetched(self, ask: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
        return self._answer(ask, rows, self.device).cpu()

    def _answer(
        self, ask: Callable[[Tensor], Tensor], rows: Tensor, device: torch.device
    ) -> Tensor:
        with torch.inference_mode(), forward_pass(self._precision, device):
            # A GPU that reads memory by itself needs no waiting for, and no other memory may.
            at_once = device.type == "cuda" and rows.is_pinned()
            return ask(rows.to(device, non_blocking=at_once)).float()
