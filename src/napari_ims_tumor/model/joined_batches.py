"""Spectra that come in blocks of any size, asked about in the large batches that a GPU needs.

They are put together in two stretches of memory by turns: while a GPU reads one, the other is
filled. Nobody waits for logits until some of them are wanted, and then all are fetched.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import suppress
from typing import Final

import numpy as np
import torch
from torch import Tensor

from napari_ims_tumor.model.batches import Batches
from napari_ims_tumor.model.one_at_a_time import one_at_a_time
from napari_ims_tumor.model.repeatable import repeatable
from napari_ims_tumor.model.sparing import rising_memory_errors
from napari_ims_tumor.msi.arrays import Float32Array

FETCH_EVERY_S: Final = 0.25
"""Fetching waits for all that a GPU was given: often enough to be watched, and no more often."""


class JoinedBatches:
    """Joins what a network is shown, and keeps what it says until it is fetched.

    Parameters
    ----------
    batches
        What asks the network.
    bins, most
        Width of its input, and how many spectra will come at most.
    deterministic
        Whether a GPU shall give the same numbers every time.
    """

    def __init__(self, batches: Batches, bins: int, most: int, deterministic: bool) -> None:
        self._batches, self._deterministic = batches, deterministic
        rows = max(1, min(batches.size, most))
        self._filling, self._read = (Stage(rows, bins, batches.device) for _ in range(2))
        self._logits: list[Tensor] = []
        self._fetched_at = time.monotonic()

    def put(self, inputs: Float32Array) -> Generator[None, None, None]:
        """Add inputs (n, bins); asks, and yields, whenever there are enough."""
        at = 0
        while at < len(inputs):
            at += self._filling.take(inputs[at:])
            if self._filling.is_full:
                yield from self.ask()

    def ask(self) -> Generator[None, None, None]:
        """Ask about all that was put; yields after every batch."""
        stage, done = self._filling, 0
        while done < stage.n:
            rows = stage.values[done : min(stage.n, done + self._batches.size)]
            with repeatable(self._deterministic):
                found = self._batches.asked(rows)
            if found is None:
                continue  # out of memory: the same spectra again, in smaller batches
            self._logits.append(found)
            done += len(rows)
            yield
        if not done:
            return
        stage.is_given_to(self._batches.device)
        self._filling, self._read = self._read, stage
        self._filling.clear()

    @property
    def is_due(self) -> bool:
        """Whether there are logits, and those before were fetched a while ago."""
        return bool(self._logits) and time.monotonic() - self._fetched_at >= FETCH_EVERY_S

    def fetched(self) -> Float32Array:
        """Logits (n, K) of all that was asked and was not fetched before, in order."""
        asked, self._logits = self._logits, []
        with rising_memory_errors(), one_at_a_time(self._batches.device):
            parts = [found.cpu().numpy() for found in asked]
        self._fetched_at = time.monotonic()
        return np.concatenate(parts) if parts else np.zeros((0, self._batches.width), np.float32)


class Stage:
    """A batch that is put together, in memory that an NVIDIA GPU reads without the CPU's help.

    Attributes
    ----------
    values
        Shape (rows, bins).
    n
        How many rows are filled.
    """

    def __init__(self, rows: int, bins: int, device: torch.device) -> None:
        self.values, self.n = memory_for(rows, bins, device), 0
        self._array: Float32Array = self.values.numpy()
        self._given: torch.cuda.Event | None = None

    @property
    def is_full(self) -> bool:
        """Whether no more rows fit in."""
        return self.n == len(self._array)

    def take(self, inputs: Float32Array) -> int:
        """Copy as many rows as fit in, and say how many."""
        more = min(len(inputs), len(self._array) - self.n)
        self._array[self.n : self.n + more] = inputs[:more]
        self.n += more
        return more

    def is_given_to(self, device: torch.device) -> None:
        """Take note that a device was told to read it: it must not change until then."""
        self._given = given_mark(device)

    def clear(self) -> None:
        """Wait until it was read, and begin anew."""
        if self._given is not None:
            with rising_memory_errors():
                self._given.synchronize()
        self._given, self.n = None, 0


def memory_for(rows: int, bins: int, device: torch.device) -> Tensor:
    """Memory of the computer for a batch: such as a GPU reads by itself, where that can be had."""
    if device.type == "cuda":
        with suppress(RuntimeError):
            return torch.empty((rows, bins), pin_memory=True)
    return torch.empty((rows, bins))


def given_mark(device: torch.device) -> torch.cuda.Event | None:
    """What can be waited for until a GPU has done all that it was told so far."""
    if device.type != "cuda":
        return None
    mark = torch.cuda.Event()  # type: ignore[no-untyped-call]
    mark.record(torch.cuda.current_stream(device))
    return mark
