"""Epochs of the CNN, step by step: what it is shown, what it learns from that, what it answers."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_ims_tumor.model.arithmetic import computing_facts, forward_pass
from napari_ims_tumor.model.augmentation import Shown, augmented
from napari_ims_tumor.model.batches import Batches, rising_memory_errors
from napari_ims_tumor.model.computing import Computing, GivenComputing, in_full
from napari_ims_tumor.model.config import Augmentation, NetworkConfig, Tune
from napari_ims_tumor.model.device_memory import note_once, on_device
from napari_ims_tumor.model.epoch_loss import EpochLoss, is_number, is_time_to_look
from napari_ims_tumor.model.fitted_model import CardValue
from napari_ims_tumor.model.learning_network import LearningNetwork
from napari_ims_tumor.model.one_at_a_time import one_at_a_time
from napari_ims_tumor.model.placed_network import PlacedNetwork
from napari_ims_tumor.model.presets import Built, Recipe, build_network, load_weights, recipe_of
from napari_ims_tumor.model.showing_order import ShowingOrder, next_batch
from napari_ims_tumor.model.training_set import TrainingSet
from napari_ims_tumor.msi.arrays import Float32Array


class Trainer:
    """A CNN while it is being fitted: ``learner`` in its ``place``."""

    def __init__(
        self,
        config: NetworkConfig,
        data: TrainingSet,
        seed: int,
        device: GivenComputing,
        augment: tuple[Augmentation, ...] | None = None,
    ) -> None:
        self.config, self.data = config, data
        self._seed, self._augment = seed, augment
        recipe = recipe_of(config.network, augment)
        self.learner = LearningNetwork(config, recipe, seed)
        self.place = PlacedNetwork(self.learner, data.at_hand(), Computing.of(device))
        self._order = ShowingOrder(len(self.place.spectra), recipe.least_steps, seed)
        self.most_steps: int | None = None
        """Steps of an epoch at most, where time is short; ``None`` = all spectra are shown."""

    @property
    def network(self) -> Built:
        """What is fitted, as the last step left it."""
        return self.learner.network

    @property
    def recipe(self) -> Recipe:
        """How it is taught."""
        return self.learner.recipe

    @property
    def step(self) -> int:
        """Number of steps so far."""
        return self.learner.step

    @property
    def batch(self) -> int:
        """Spectra of a step."""
        return self.place.batch

    @property
    def device(self) -> torch.device:
        """Where it is fitted."""
        return self.place.device

    @property
    def notes(self) -> list[str]:
        """What was done where memory ended."""
        return self.place.notes

    @property
    def steps_of_all(self) -> int:
        """Steps of an epoch that shows all spectra."""
        return self._order.steps(self.batch)

    @property
    def steps_of_epoch(self) -> int:
        """Steps of the next epoch."""
        return min(self.steps_of_all, self.most_steps or self.steps_of_all)

    @property
    def facts(self) -> dict[str, CardValue]:
        """What a model's card says of how it was taught and computed."""
        own = ", ".join(self.recipe.augmentation) or "none"
        told: dict[str, CardValue] = {} if self._augment is None else {"augmentation": own}
        return told | computing_facts(self.place.computing, self.device)

    def start_from(self, weights: Mapping[str, Float32Array], tune: Tune) -> None:
        """Begin at a base model's weights, and freeze what fine-tuning shall not touch."""
        self.learner.freeze(tune)
        self.place.begin(lambda: load_weights(self.network, weights))

    def epoch(self) -> Generator[None, None, float | None]:
        """One pass over the spectra, several over few; yields after every batch.

        Returns
        -------
        float or None
            Mean loss; ``None`` when it was not a number, and then the averaged weights are those
            of the last good epoch.
        """
        with one_at_a_time(self.device):
            kept = self.learner.kept()
        losses = EpochLoss()
        order = self._order.draw(self.batch, self.most_steps)
        while losses.shown < len(order):
            chosen = next_batch(order, losses.shown, self.batch)
            with rising_memory_errors(), one_at_a_time(self.device):
                loss = self._try_step(chosen)
                if loss is None:
                    continue  # out of memory: the same spectra again, in a smaller batch
                is_lost = self._is_looked_at(losses.steps) and not is_number(loss)
            losses.add(loss, len(chosen))
            if is_lost:
                break
            yield
        with rising_memory_errors(), one_at_a_time(self.device):
            mean = losses.mean()
        if mean is None:
            self.learner.put_back(kept)
        return mean

    def logits(self, inputs: Float32Array) -> Generator[None, None, Float32Array]:
        """CNN logits (n, K) of (n, bins) inputs with the averaged weights; yields per batch."""
        network = build_network(self.config, 0)
        with one_at_a_time(self.device):
            device = on_device(network, self.device, self.notes)
            network.load_state_dict(self.learner.average)
        computing = self.place.computing
        how = computing if device == self.device else in_full(computing)
        batches = Batches(network, how.precision)
        found = yield from batches.over(inputs, self.data.asked(network), self.config.classes)
        for note in batches.notes:
            note_once(self.notes, note)
        return found

    def weights(self) -> dict[str, Float32Array]:
        """The averaged weights by the names they have in a model file."""
        return self.learner.weights()

    def state(self) -> dict[str, NDArray[Any]]:
        """All that the next step depends on, as plain arrays."""
        with one_at_a_time(self.device):
            arrays = self.learner.arrays()
        counts = {"step": np.array(self.step), "batch": np.array(self.batch)}
        return {**arrays, **counts, "order": self._order.state()}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go back to a state of a trainer of the same kind."""
        self.learner.step, self.place.batch = int(state["step"]), int(state["batch"])
        self._order.restore(state["order"])
        with one_at_a_time(self.device):
            self.place.with_room(lambda: self.learner.take_up(state, self.device))

    def copy(self) -> Trainer:
        """Another one that is where this one is, but for what was averaged and drawn so far."""
        made = Trainer(self.config, self.data, self._seed, self.place.here, self._augment)
        made.place.batch = self.batch
        made.learner.freeze_like(self.learner)
        made.place.begin(lambda: made.network.load_state_dict(self.network.state_dict()))
        return made

    def _is_looked_at(self, step: int) -> bool:
        """Whether to look at the loss of a step of this epoch, and wait for it."""
        return self.place.is_read_at_once or is_time_to_look(step)

    def _try_step(self, chosen: Tensor) -> Tensor | None:
        """One step; ``None`` when memory ran out before anything was learned from these spectra."""
        found: list[Tensor] = []
        before = self.step
        if not self.place.is_done(lambda: found.append(self._step(chosen))):
            return None
        if self.step > before:
            # They are learned by now: only what is missing is done again.
            while not self.place.is_done(self.learner.average_in):
                pass
        return found[0]

    def _step(self, chosen: Tensor) -> Tensor:
        """Learn from some spectra; returns their loss.

        A CPU has learned nothing if that is no number. To know it, a GPU would have to be waited
        for between its way there and its way back: it goes on, and is looked at later.
        """
        loss = self._loss(chosen)
        if not self.place.is_read_at_once or is_number(loss.detach()):
            self.learner.learn(loss)
        return loss.detach()

    def _loss(self, chosen: Tensor) -> Tensor:
        """Mean loss of some spectra as the network is shown them in this step."""
        draw = np.random.default_rng((self._seed, self.step))
        known, before = self.data.normalization, self.data.before_head
        shown = Shown(*self.place.spectra.of(chosen, self.device), known, before)
        inputs, targets = augmented(shown, self.recipe, draw)
        self.network.train()
        self.network.dropout.seed = (self._seed * 1_000_003 + self.step) % 2**63
        with forward_pass(self.place.computing.precision, self.device):
            logits = self.data.asked(self.network)(inputs)
        log_probabilities = torch.log_softmax(logits.float(), dim=1)
        return -(targets * log_probabilities).sum(dim=1).mean()
