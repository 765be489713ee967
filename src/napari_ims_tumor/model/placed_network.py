"""A network where it learns, with its spectra: less at once, then the CPU, where memory ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from napari_ims_tumor.model.at_hand import AtHand
from napari_ims_tumor.model.batches import BATCH, rising_memory_errors
from napari_ims_tumor.model.computing import Computing, in_full
from napari_ims_tumor.model.device import resolve_device
from napari_ims_tumor.model.device_memory import (
    ON_THE_CPU,
    RAN_OUT,
    fits,
    note_once,
    release_memory,
)
from napari_ims_tumor.model.learning_network import LearningNetwork
from napari_ims_tumor.model.one_at_a_time import one_at_a_time
from napari_ims_tumor.model.presets import largest_batch


class PlacedNetwork:
    """A network on a device, and the spectra it learns from, so many at a time.

    Attributes
    ----------
    device, computing
        Where it is, and how it is computed there.
    batch
        Spectra of a step.
    notes
        What was done where memory ended.
    """

    def __init__(self, learner: LearningNetwork, spectra: AtHand, computing: Computing) -> None:
        self.learner, self.spectra, self.computing = learner, spectra, computing
        self.device = resolve_device(computing.device)
        # A few labels are shown a few at a time: as many steps, each one cheaper.
        few = min(BATCH, max(4, len(spectra) // 8))
        self.batch = self._whole_batch = min(few, largest_batch(learner.config))
        self.notes: list[str] = []
        self.begin(lambda: learner.network.to(self.device))
        with one_at_a_time(self.device):
            spectra.settle(self.device)

    @property
    def here(self) -> Computing:
        """How it is computed, on the device where it is by now."""
        return replace(self.computing, device=str(self.device))

    @property
    def is_read_at_once(self) -> bool:
        """Whether a loss can be read without waiting for a GPU to come that far."""
        return self.device.type == "cpu"

    def begin(self, load: Callable[[], object]) -> None:
        """Give the network its weights, and begin the average there."""
        with rising_memory_errors(), one_at_a_time(self.device):
            self.with_room(lambda: self.learner.begin(load))

    def with_room(self, work: Callable[[], object]) -> None:
        """Do what can be done again; on the CPU where the device has no room for it."""
        if not fits(work):
            release_memory(self.device)
            self.go_to_cpu(RAN_OUT)
            work()

    def is_done(self, work: Callable[[], object]) -> bool:
        """Do a part of a step; ``False`` when the batch or the device was changed instead."""
        try:
            if fits(work):
                return True
            self.learner.clear_up()
            release_memory(self.device)
            self._use_less_memory()
        except RuntimeError:
            # Not every operation exists on every Apple GPU; all of them do on the CPU.
            if self.device.type != "mps":
                raise
            self.go_to_cpu("the Apple GPU could not do this")
        return False

    def go_to_cpu(self, why: str) -> None:
        """Leave the device for good, and compute in full from now on."""
        note_once(self.notes, f"{why}: {ON_THE_CPU}")
        self.computing = in_full(self.computing)
        self.batch, self.device = self._whole_batch, torch.device("cpu")
        self.spectra.leave()
        self.learner.move(self.device)

    def _use_less_memory(self) -> None:
        if self.spectra.leave():
            self.notes.append(f"{RAN_OUT}: spectra are brought there batch by batch now")
        elif self.batch > 1:
            self.batch //= 2
            self.notes.append(f"{RAN_OUT}: batches of {self.batch} spectra now")
        else:
            self.go_to_cpu(RAN_OUT)
