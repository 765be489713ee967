"""The spectra and classes of a fit, kept where its network is: on a GPU if they fit there.

A step on a GPU takes less time than to gather its spectra here and to carry them over.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from napari_ims_tumor.model.device_memory import fits, free_memory

ROOM: Final = 8
"""Spectra may take one part of so many of what is free: up to four networks are fitted at once, and
each needs room for its maps."""


class AtHand:
    """What a network is shown, row by row.

    Parameters
    ----------
    inputs, targets
        Shape (m, B), and the weighted classes (n, K) of the spectra that are shown.
    rows
        Which of the inputs these are; ``None`` = all.
    """

    def __init__(self, inputs: Tensor, targets: Tensor, rows: Tensor | None = None) -> None:
        self._here = inputs, targets
        self._rows = rows
        self._there: tuple[Tensor, Tensor] | None = None

    def __len__(self) -> int:
        return len(self._here[1])

    def settle(self, device: torch.device) -> None:
        """Have them on a device, if it has room enough."""
        self.leave()
        if device.type == "cpu":
            return
        size = sum(part.numel() * part.element_size() for part in self._here)
        if ROOM * size <= free_memory(device):
            fits(lambda: self._carry(device))

    def leave(self) -> bool:
        """Take nothing of a device's memory any more; whether anything was there."""
        was_there, self._there = self._there is not None, None
        return was_there

    def of(self, chosen: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
        """Inputs (N, B) and weighted classes (N, K) of some spectra, on the network's device."""
        at = chosen if self._rows is None else self._rows[chosen]
        inputs, targets = self._here if self._there is None else self._there
        own = inputs.device
        # Indices are few: without waiting for the GPU, which may still be at the step before.
        inputs, targets = inputs[sent(at, own)], targets[sent(chosen, own)]
        return sent(inputs, device), sent(targets, device)

    def _carry(self, device: torch.device) -> None:
        inputs, targets = self._here
        self._there = inputs.to(device), targets.to(device)


def sent(values: Tensor, device: torch.device) -> Tensor:
    """The same on a device; an NVIDIA GPU is not waited for."""
    return values.to(device, non_blocking=device.type == "cuda")
