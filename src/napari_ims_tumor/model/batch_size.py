"""How many spectra a network is asked about at once: few on a CPU, many on a GPU."""

from __future__ import annotations

from typing import Final

import torch

from napari_ims_tumor.model.device_memory import free_memory

PREDICTION_NUMBERS: Final = 800_000
"""Feature-map numbers per prediction batch on a CPU: small ones stay in the processor's cache."""
DEVICE_NUMBERS: Final = 64_000_000
"""The same on a GPU, where each operation costs as much to begin as thousands of spectra take."""
BYTES_PER_NUMBER: Final = 32
"""Of a GPU's memory: a block of a network has up to eight maps in 32 bits at the same time."""
SHARE: Final = 0.5
"""Of the free memory: others may take some of it meanwhile."""


def spectra_at_once(widest: int, device: torch.device) -> int:
    """Spectra per batch, at least one.

    Parameters
    ----------
    widest
        Numbers of a network's largest feature map of one spectrum.
    device
        What computes.
    """
    return max(1, _numbers(device) // widest)


def _numbers(device: torch.device) -> int:
    if device.type == "cpu":
        return PREDICTION_NUMBERS
    if device.type == "mps" and not hasattr(torch.mps, "recommended_max_memory"):
        return DEVICE_NUMBERS  # older than torch 2.5, which does not say
    return min(DEVICE_NUMBERS, int(SHARE * free_memory(device)) // BYTES_PER_NUMBER)
