"""When a GPU has no memory left: how that is told from other errors, and what is done then.

torch says it in several ways. Its own allocator raises ``torch.cuda.OutOfMemoryError``; the driver,
cuBLAS, cuDNN and Apple's allocator raise other RuntimeErrors that say so in their text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import torch
from torch import nn

RAN_OUT: Final = "GPU memory ran out"
ON_THE_CPU: Final = "continuing on the CPU"
_SAID: Final = re.compile(
    r"(CUDA|HIP|MPS)\b.*\bout of memory|hipErrorOutOfMemory|_ALLOC_FAILED\b", re.IGNORECASE
)

_FAILED: Final = re.compile(r"\b(CUDA|HIP|MPS|cuDNN|MIOpen)\b")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch says that the memory of a GPU ran out.

    That of the computer is another matter: there is nowhere to go from there.
    """
    if isinstance(error, torch.cuda.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and bool(_SAID.search(str(error)))


def is_of_a_gpu(error: BaseException) -> bool:
    """Whether an error of torch says that a GPU failed, and not what it was asked to do."""
    return isinstance(error, RuntimeError) and bool(_FAILED.search(str(error)))


def fits(work: Callable[[], object]) -> bool:
    """Do what takes memory of a GPU; ``False`` where it ran out.

    By then all that had been made on the way is let go of, which a handler of the error still
    holds: :func:`release_memory` inside of one frees next to nothing.
    """
    try:
        work()
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        return False
    return True


def release_memory(device: torch.device) -> None:
    """Give back what torch keeps of a device's memory for later; nothing on a CPU."""
    if device.type == "cuda" and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        # Without this it would open the first GPU, and take memory there, whichever is in use.
        with torch.cuda.device(device):
            torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def free_memory(device: torch.device) -> int:
    """Bytes of a GPU's memory that nobody uses; 0 of a CPU, where nothing has to be brought."""
    if device.type == "cuda":
        # What torch keeps for later is free as well.
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + kept
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    return 0


def on_device(network: nn.Module, device: torch.device, notes: list[str]) -> torch.device:
    """Move a network to a device, or to the CPU where its memory ran out, which is noted.

    Returns
    -------
    torch.device
        Where the network is.
    """
    if fits(lambda: network.to(device)):
        return device
    network.to("cpu")  # a part of it may have found room
    release_memory(device)
    note_once(notes, f"{RAN_OUT}: {ON_THE_CPU}")
    return torch.device("cpu")


def note_once(notes: list[str], note: str) -> None:
    """Take note of something, unless it has been noted."""
    if note not in notes:
        notes.append(note)
