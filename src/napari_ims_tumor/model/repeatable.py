"""What makes a GPU give the same numbers every time.

torch's switches are those of the whole process, and several jobs may compute at once: whoever
needs a switch first turns it, whoever needs it last turns it back.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import torch
import torch.utils.deterministic

from napari_ims_tumor.errors import FitRefused
from napari_ims_tumor.model.shared_switch import SharedSwitch

WORKSPACE: Final = "CUBLAS_WORKSPACE_CONFIG"
STEADY_WORKSPACES: Final = (":4096:8", ":16:8")
"""NVIDIA's matrix products repeat themselves with these only, read once when a GPU is first used.
(cuBLAS documentation, *Results reproducibility*.)"""
APPLE: Final = (
    "An Apple GPU cannot be made to give the same numbers every time: leave out deterministic, or "
    "use the device cpu, which always does."
)
TOO_LATE: Final = (
    f"The GPU was in use before it was asked to repeat itself: start anew with {WORKSPACE}="
    f"{STEADY_WORKSPACES[0]} in the environment, or use the device cpu, which always repeats."
)


_TENSORS: Final[Any] = torch.utils.deterministic


@contextmanager
def _full_convolutions() -> Iterator[None]:
    """No algorithm chosen by a race against the clock, and float32 that is not cut to 19 bits."""
    cudnn = torch.backends.cudnn
    # Only those that repeat themselves, asked for without need, would cost cuDNN altogether: before
    # mid-2025 torch did not use it then for the dilated convolutions that networks are made of.
    with cudnn.flags(
        enabled=cudnn.enabled,
        deterministic=cudnn.deterministic,
        benchmark=False,
        allow_tf32=False,
    ):
        yield


@contextmanager
def _steady_algorithms() -> Iterator[None]:
    """Operations that have no algorithm that repeats itself are refused by torch.

    Hold :data:`CONVOLUTIONS` before, and let it go after.
    """
    before = torch.are_deterministic_algorithms_enabled()
    only_warn = torch.is_deterministic_algorithms_warn_only_enabled()
    convolutions = torch.backends.cudnn.deterministic
    filled = _TENSORS.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.deterministic = True
    # By default every new tensor is filled with NaN before it is written: nothing here reads one
    # before, and it is one more pass over each map.
    _TENSORS.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=only_warn)
        torch.backends.cudnn.deterministic = convolutions
        _TENSORS.fill_uninitialized_memory = filled


CONVOLUTIONS: Final = SharedSwitch(_full_convolutions)
ALGORITHMS: Final = SharedSwitch(_steady_algorithms)


@contextmanager
def repeatable(asked: bool) -> Iterator[None]:
    """Compute convolutions in full; if asked, with nothing that does not repeat itself."""
    with ExitStack() as stack:
        stack.enter_context(CONVOLUTIONS.held())
        if asked:
            stack.enter_context(ALGORITHMS.held())
        yield


def may_repeat(insist: bool = False) -> None:
    """Leave it open, before a GPU is first used, whether it shall repeat itself later.

    It costs up to 24 MB of its memory. What stands in the environment stays, unless this is
    insisted on.
    """
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return
    if insist and os.environ.get(WORKSPACE) not in STEADY_WORKSPACES:
        os.environ[WORKSPACE] = STEADY_WORKSPACES[0]
    os.environ.setdefault(WORKSPACE, STEADY_WORKSPACES[0])


def make_repeatable(device: torch.device) -> None:
    """Say to a GPU, before it is first used, that its matrix products shall repeat themselves.

    Raises
    ------
    FitRefused
        It cannot, or it is too late.
    """
    if device.type == "mps":
        raise FitRefused(APPLE)
    if device.type != "cuda" or os.environ.get(WORKSPACE) in STEADY_WORKSPACES:
        return
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        raise FitRefused(TOO_LATE)
    os.environ[WORKSPACE] = STEADY_WORKSPACES[0]
