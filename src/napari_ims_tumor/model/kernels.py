"""Whether the torch that is installed can compute on the NVIDIA GPU that is there.

A torch holds code for some generations of GPUs: not for those that came later, and none any more
for old ones. ``torch.cuda.is_available`` says nothing of that.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import torch

NEWEST: Final = "https://download.pytorch.org/whl/cu130"
FOR_OLD: Final = "https://download.pytorch.org/whl/cu126"
OLD: Final = (7, 5)
"""Compute capability from which on CUDA 13 knows a GPU: Turing, 2018."""
_ARCHITECTURE: Final = re.compile(r"(sm|compute)_(\d+)(\d)([af]?)")


def has_kernels(capability: tuple[int, int], built_for: Sequence[str]) -> bool:
    """Whether there is code for a GPU of a compute capability.

    Parameters
    ----------
    capability
        ``(9, 0)``: Hopper.
    built_for
        As ``torch.cuda.get_arch_list`` says it: code such as ``"sm_90"`` runs on that generation
        from there on, ``"compute_90"`` is translated for whatever came later.
    """
    found = [known for known in map(_ARCHITECTURE.fullmatch, built_for) if known]
    if not found:
        return True  # nothing is known, as of AMD's GPUs
    return any(
        _runs(kind, (int(a), int(b)), own, capability)
        for kind, a, b, own in (known.groups() for known in found)
    )


def _runs(kind: str, least: tuple[int, int], own: str, capability: tuple[int, int]) -> bool:
    if own == "a":
        return capability == least
    same = capability[0] == least[0] or (kind == "compute" and not own)
    return same and capability >= least


def why_unusable(device: torch.device) -> str | None:
    """Say why torch cannot compute on a GPU that it sees, and what to do; ``None`` if it can."""
    try:
        capability = torch.cuda.get_device_capability(device)
        built_for = torch.cuda.get_arch_list()
    except RuntimeError as error:
        return (
            f"The NVIDIA GPU does not answer: {(str(error) or 'no reason given').splitlines()[0]}."
        )
    if has_kernels(capability, built_for):
        return None
    major, minor = capability
    index = FOR_OLD if capability < OLD else NEWEST
    return (
        f"This torch has no code for the NVIDIA GPU (compute capability {major}.{minor}). "
        f"Run: {install(index)}"
    )


def install(index: str) -> str:
    """The command that installs another torch."""
    return f"pip install --force-reinstall torch --index-url {index}"
