"""A network that computes less at once, then on the CPU, where the memory of a GPU ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from napari_ims_tumor.errors import FitFailed
from napari_ims_tumor.model.device_memory import (
    ON_THE_CPU,
    RAN_OUT,
    fits,
    note_once,
    on_device,
    release_memory,
)
from napari_ims_tumor.model.one_at_a_time import one_at_a_time
from napari_ims_tumor.model.presets import Built


class Sparing:
    """Has a network compute some spectra at once; says where that had to become less.

    Attributes
    ----------
    size
        Spectra at once; what did not fit is not tried again.
    notes
        What was done where memory ended.
    """

    def __init__(
        self, network: Built, size: int, size_on_cpu: int, notes: list[str] | None = None
    ) -> None:
        self.size = size
        self.notes: list[str] = [] if notes is None else notes
        self._network, self._size_on_cpu = network, size_on_cpu

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self._network.output.weight.device

    def tried(self, work: Callable[[], Tensor]) -> Tensor | None:
        """What work on so many spectra finds; ``None`` where it has to be done anew, with less.

        Raises
        ------
        FitFailed
            It cannot be done, and not for want of memory.
        """
        device, found = self.device, list[Tensor]()
        refused = False
        try:
            with rising_memory_errors():
                if fits(lambda: found.append(_in_turn(work, device))):
                    return found[0]
        except FitFailed:
            # Not every operation exists on every Apple GPU; all of them do on the CPU.
            if device.type != "mps":
                raise
            refused = True
        # Only here is nothing held any more of what was tried: a handler holds all of it.
        with one_at_a_time(device):
            if refused:
                self._go_to_cpu("the Apple GPU could not do this")
            else:
                self._use_less_memory()
            release_memory(device)
        return None

    def _use_less_memory(self) -> None:
        if self.size > 1:
            self.size //= 2
            note_once(self.notes, f"{RAN_OUT}: batches of {self.size} spectra now")
            return
        self._go_to_cpu(RAN_OUT)

    def _go_to_cpu(self, why: str) -> None:
        self._network.to("cpu")
        self.size = self._size_on_cpu
        note_once(self.notes, f"{why}: {ON_THE_CPU}")


def placed(network: Built, device: torch.device, notes: list[str]) -> Built:
    """The network on a device, or on the CPU where that has no room for it, which is noted.

    Raises
    ------
    FitFailed
        It cannot be moved there, and not for want of memory.
    """
    with rising_memory_errors(), one_at_a_time(device):
        on_device(network, device, notes)
    return network


def _in_turn(work: Callable[[], Tensor], device: torch.device) -> Tensor:
    with one_at_a_time(device):
        return work()


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
