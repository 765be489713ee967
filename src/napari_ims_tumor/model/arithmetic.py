"""In how many bits a network computes: bfloat16 where a GPU is made for it, and where it may not.

Only products and convolutions are computed in fewer bits (``torch.autocast``). Weights, the
optimizer and the last layer stay float32. bfloat16 reaches as far as float32 does, so losses need
no scaling against numbers that are too small.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

import torch
from torch import Tensor, nn

from napari_ims_tumor.model.computing import Computing, Precision
from napari_ims_tumor.model.fitted_model import CardValue

BFLOAT16_FROM: Final = (8, 0)
"""Compute capability: NVIDIA's Ampere, 2020. Older GPUs only emulate it, slower than float32."""
_IN_FEW_BITS: Final = ContextVar("in_few_bits", default=False)


def has_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is what a device is quick in."""
    if device.type != "cuda":
        return False
    return torch.version.hip is not None or (
        torch.cuda.get_device_capability(device) >= BFLOAT16_FROM
    )


def is_bfloat16(precision: Precision, device: torch.device) -> bool:
    """Whether a network on this device computes in bfloat16."""
    return precision == "bfloat16" or (precision == "auto" and has_bfloat16(device))


@contextmanager
def forward_pass(precision: Precision, device: torch.device) -> Iterator[None]:
    """Ask a network inside of this; gradients are taken after it."""
    if not is_bfloat16(precision, device):
        yield
        return
    before = _IN_FEW_BITS.set(True)
    try:
        with torch.autocast(device.type, torch.bfloat16):
            yield
    finally:
        _IN_FEW_BITS.reset(before)


def in_float32(layer: nn.Module, x: Tensor) -> Tensor:  # (N, …) → (N, K)
    """Ask a network's last layer in float32, whatever those before it computed in."""
    if not _IN_FEW_BITS.get():
        found: Tensor = layer(x)
        return found
    with torch.autocast(x.device.type, enabled=False):
        full: Tensor = layer(x.float())
        return full


def computing_facts(computing: Computing, device: torch.device) -> dict[str, CardValue]:
    """What a model's card says of how its network was computed.

    Nothing of a CPU in float32: that is the same every time, and such files stay as they were.
    """
    few = is_bfloat16(computing.precision, device)
    facts: dict[str, CardValue] = {}
    if few or device.type != "cpu":
        facts["precision"] = "bfloat16" if few else "float32"
    if device.type != "cpu":
        facts["deterministic"] = computing.deterministic
    return facts
