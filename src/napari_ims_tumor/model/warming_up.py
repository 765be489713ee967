"""What the first network of a process would wait for, done while the linear model is fitted.

torch loads a second half of itself with the first optimizer, a second or two; a GPU loads its
libraries with the first convolution and the first product.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from functools import cache

import torch

from napari_ims_tumor.model.presets import RECIPES
from napari_ims_tumor.model.tuning import optimizer_of


@cache
def warmed_up(device: torch.device) -> threading.Thread:
    """Begin, the first time that this device is asked for; nobody has to wait for the thread."""
    # Not a daemon: one that is in the middle of an import when Python ends can bring it down.
    thread = threading.Thread(target=_warm_up, args=(device,), name="warming-up")
    thread.start()
    return thread


def _warm_up(device: torch.device) -> None:
    # What goes wrong here goes wrong again where somebody can be told. Nothing is drawn at random:
    # a fit beside it draws its first weights.
    with suppress(Exception):
        if device.type != "cuda":
            # An Apple GPU must not be used by two threads at once.
            _one_step(torch.zeros(1, 1, 1, 3))
            return
        _one_step(torch.zeros(1, 1, 1, 3, device=device))
        torch.cuda.synchronize(device)


def _one_step(maps: torch.Tensor) -> None:
    """A convolution, a product, and a step of their weights."""
    kernel = torch.nn.Parameter(torch.zeros_like(maps))
    weight = torch.nn.Parameter(torch.zeros(1, 3, device=maps.device))
    found = torch.nn.functional.conv2d(maps, kernel, padding=(0, 2), dilation=(1, 2))
    torch.nn.functional.linear(found, weight).sum().backward()  # type: ignore[no-untyped-call]
    optimizer_of([kernel, weight], RECIPES["default"]).step()
