"""A network asked about many spectra, a batch at a time, within the memory there is."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np
import torch
from torch import Tensor

from napari_ims_tumor.errors import FitFailed
from napari_ims_tumor.model.arithmetic import forward_pass
from napari_ims_tumor.model.computing import Precision
from napari_ims_tumor.model.presets import Built
from napari_ims_tumor.msi.arrays import Float32Array

BATCH: Final = 32
"""Spectra per step of a fit, and per batch once a CPU has to do what a GPU could not."""
PREDICTION_NUMBERS: Final = 800_000
"""Feature-map numbers per prediction batch: small batches stay in the processor's cache."""


class Batches:
    """Asks a network; halves the batch, then moves to the CPU, when memory ends, and says so.

    Attributes
    ----------
    notes
        What was done where memory ended; later batches begin with it.
    """

    def __init__(self, network: Built, precision: Precision = "float32") -> None:
        self.notes: list[str] = []
        self._precision = precision
        self._network = network.eval()
        self._size = max(1, PREDICTION_NUMBERS // network.config.widest)

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
            device, part = self._network.output.weight.device, slice(at, at + self._size)
            try:
                with torch.inference_mode(), rising_memory_errors():
                    found[part] = self._answer(ask, inputs[part], device).cpu().numpy()
            except torch.cuda.OutOfMemoryError:
                torch.cuda.empty_cache()
                self._use_less_memory()
                continue
            except FitFailed:
                if device.type != "mps":
                    raise
                self._go_to_cpu("the Apple GPU could not do this")
                continue
            at = part.stop
            yield
        return found

    def _answer(
        self, ask: Callable[[Tensor], Tensor], inputs: Float32Array, device: torch.device
    ) -> Tensor:
        with forward_pass(self._precision, device):
            found = ask(torch.from_numpy(inputs).to(device))
        return found.float()

    def _use_less_memory(self) -> None:
        if self._size > 1:
            self._size //= 2
            self.notes.append(f"GPU memory ran out: batches of {self._size} spectra now")
            return
        self._go_to_cpu("GPU memory ran out")

    def _go_to_cpu(self, why: str) -> None:
        self._network.to("cpu")
        self._size = min(BATCH, max(1, PREDICTION_NUMBERS // self._network.config.widest))
        self.notes.append(f"{why}: continuing on the CPU")


@contextmanager
def rising_memory_errors() -> Iterator[None]:
    """Turn torch's RuntimeErrors, which napari's workers swallow, into :class:`FitFailed`."""
    try:
        yield
    except torch.cuda.OutOfMemoryError:
        raise
    except RuntimeError as error:
        first_line = str(error).splitlines()[0] if str(error) else "no reason given"
        raise FitFailed(
            f"The network stopped with an error of torch: {first_line}. "
            "Fit with --device cpu, or --network linear."
        ) from error
