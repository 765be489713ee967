"""Threads that take turns at an Apple GPU.

In the window a fit, a prediction and an explanation compute in threads of their own. Two that give
an Apple GPU work at the same time may end the whole program (PyTorch issue 197805); other devices
look after themselves.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import torch

_TURN: Final = threading.RLock()


@contextmanager
def one_at_a_time(device: torch.device) -> Iterator[None]:
    """Compute on a device: alone on an Apple GPU, and done with it at the end.

    Keep what is inside short, a step or a batch: others wait for it.
    """
    if device.type != "mps":
        yield
        return
    with _TURN:
        try:
            yield
        except BaseException:
            with suppress(RuntimeError):  # what failed first is what is told
                torch.mps.synchronize()
            raise
        torch.mps.synchronize()
