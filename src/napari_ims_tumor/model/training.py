"""Epochs of the CNN: batches, class weights, averaged weights, and what to do when memory ends."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_ims_tumor.model.arithmetic import computing_facts, forward_pass
from napari_ims_tumor.model.at_hand import AtHand
from napari_ims_tumor.model.augmentation import Shown, augmented
from napari_ims_tumor.model.batches import BATCH, Batches, rising_memory_errors
from napari_ims_tumor.model.computing import Computing, GivenComputing, in_full
from napari_ims_tumor.model.config import Augmentation, NetworkConfig, Tune
from napari_ims_tumor.model.device import resolve_device
from napari_ims_tumor.model.device_memory import (
    ON_THE_CPU,
    RAN_OUT,
    fits,
    note_once,
    on_device,
    release_memory,
)
from napari_ims_tumor.model.fitted_model import CNN_PREFIX, CardValue
from napari_ims_tumor.model.linear_path import weighted_shares
from napari_ims_tumor.model.network import DilatedNetwork
from napari_ims_tumor.model.normalization import InputNormalization
from napari_ims_tumor.model.one_at_a_time import one_at_a_time
from napari_ims_tumor.model.presets import (
    Built,
    build_network,
    largest_batch,
    load_weights,
    recipe_of,
)
from napari_ims_tumor.model.tuning import is_tuned, optimizer_of
from napari_ims_tumor.msi.arrays import Float32Array, FloatArray, IntArray

FIRST_LOOKS: Final = 4
LOOK_EVERY: Final = 16
"""Steps of a GPU between two looks at its loss: the processor is that far ahead at most, so that
*Stop* is heard soon."""


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """What the network is shown of each spectrum (n, bins), and the classes (n,).

    Or (n, K): how much of each spectrum is of each class. With ``rows`` only these rows of the
    inputs are shown; ``before_head``: they are not spectra but what lies before the head, see
    :meth:`.DilatedNetwork.in_rows`. ``normalization`` is what centered them, ``None`` where nothing
    did.
    """

    inputs: Float32Array
    classes: IntArray | FloatArray
    n_classes: int
    rows: IntArray | None = None
    before_head: bool = False
    normalization: InputNormalization | None = None


class Trainer:
    """A CNN while it is being fitted.

    The weights to keep are an exponential average over steps: steadier than the last step, and
    usable at any moment, which is what *Stop* needs.
    """

    _optimizer: torch.optim.AdamW

    def __init__(
        self,
        config: NetworkConfig,
        data: TrainingSet,
        seed: int,
        device: GivenComputing,
        augment: tuple[Augmentation, ...] | None = None,
    ) -> None:
        self.config, self.data, self._augment = config, data, augment
        self.recipe = recipe_of(config.network, augment)
        self.computing = Computing.of(device)
        self.device = resolve_device(self.computing.device)
        # A few labels are shown a few at a time: as many steps, each one cheaper.
        few = min(BATCH, max(4, len(data.classes) // 8))
        self.batch = self._whole_batch = min(few, largest_batch(config))
        self.notes: list[str] = []
        self.step = 0
        self.most_steps: int | None = None
        """Steps of an epoch at most, where time is short; ``None`` = all spectra are shown."""
        self._order = torch.Generator().manual_seed(seed)
        self._data = _at_hand(data)
        self.network, self._seed = build_network(config, seed), seed
        self.average: dict[str, Tensor] = self.network.state_dict()
        self._begin(lambda: self.network.to(self.device))
        with one_at_a_time(self.device):
            self._data.settle(self.device)

    def start_from(self, weights: Mapping[str, Float32Array], tune: Tune) -> None:
        """Begin at a base model's weights, and freeze what fine-tuning shall not touch."""
        for name, parameter in self.network.named_parameters():
            parameter.requires_grad_(is_tuned(name, tune, len(self.config.dilations)))
        self._begin(lambda: load_weights(self.network, weights))

    def epoch(self) -> Generator[None, None, float | None]:
        """One pass over the spectra, several over few; yields after every batch.

        Returns
        -------
        float or None
            Mean loss; ``None`` when it was not a number, and then the averaged weights are those
            of the last good epoch.
        """
        # Not on a GPU, which may be full: it is looked at only where the loss is no number.
        with one_at_a_time(self.device):
            kept = {n: value.detach().to("cpu", copy=True) for n, value in self.average.items()}
        losses: list[Tensor] = []
        sizes: list[int] = []
        order = self._next_order()
        at = 0
        while at < len(order):
            # No step on one spectrum alone: batch normalization could not measure its spread.
            one_left = len(order) - at == self.batch + 1 and self.batch > 2
            chosen = order[at : at + self.batch - one_left]
            with rising_memory_errors(), one_at_a_time(self.device):
                loss = self._try_step(chosen)
                if loss is None:
                    continue  # out of memory: the same spectra again, in a smaller batch
                is_lost = self._is_looked_at(len(losses)) and not np.isfinite(float(loss))
            losses.append(loss)
            sizes.append(len(chosen))
            at += len(chosen)
            if is_lost:
                break
            yield
        with rising_memory_errors(), one_at_a_time(self.device):
            told = np.array([float(loss) for loss in losses])
        if np.isfinite(told).all():
            return float(np.sum(told * sizes) / len(order))
        for name, value in self.average.items():
            value.copy_(kept[name])
        return None

    def logits(self, inputs: Float32Array) -> Generator[None, None, Float32Array]:
        """CNN logits (n, K) of (n, bins) inputs with the averaged weights; yields per batch."""
        network = build_network(self.config, 0)
        with one_at_a_time(self.device):
            device = on_device(network, self.device, self.notes)
            network.load_state_dict(self.average)
        how = self.computing if device == self.device else in_full(self.computing)
        batches = Batches(network, how.precision)
        found = yield from batches.over(inputs, self._asked(network), self.config.classes)
        for note in batches.notes:
            note_once(self.notes, note)
        return found

    def _asked(self, network: Built) -> Callable[[Tensor], Tensor]:
        """The network, or its head alone where that is what is fitted."""
        if self.data.before_head and isinstance(network, DilatedNetwork):
            return network.of_rows
        return network

    def weights(self) -> dict[str, Float32Array]:
        """The averaged weights by the names they have in a model file."""
        return {
            CNN_PREFIX + name: value.detach().cpu().numpy()
            for name, value in self.average.items()
            if value.is_floating_point()
        }

    @property
    def facts(self) -> dict[str, CardValue]:
        """What a model's card says of how it was taught and computed."""
        own = ", ".join(self.recipe.augmentation) or "none"
        told: dict[str, CardValue] = {} if self._augment is None else {"augmentation": own}
        return told | computing_facts(self.computing, self.device)

    def state(self) -> dict[str, NDArray[Any]]:
        """All that the next step depends on, as plain arrays."""
        found = {"network." + name: value for name, value in self.network.state_dict().items()}
        found |= {"average." + name: value for name, value in self.average.items()}
        for number, moments in self._optimizer.state_dict()["state"].items():
            found |= {f"optimizer.{number}.{name}": value for name, value in moments.items()}
        with one_at_a_time(self.device):
            arrays = {name: np.array(value.detach().cpu().numpy()) for name, value in found.items()}
        counts = {"step": np.array(self.step), "batch": np.array(self.batch)}
        return {**arrays, **counts, "order": self._order.get_state().numpy().copy()}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go back to a state of a trainer of the same kind."""
        self.step, self.batch = int(state["step"]), int(state["batch"])
        self._order.set_state(torch.from_numpy(state["order"]))
        with one_at_a_time(self.device):
            self._with_room(lambda: self._take_up(state))

    def copy(self) -> Trainer:
        """Another one that is where this one is, but for what was averaged and drawn so far."""
        here = replace(self.computing, device=str(self.device))
        made = Trainer(self.config, self.data, self._seed, here, self._augment)
        made.batch = self.batch
        pairs = zip(made.network.parameters(), self.network.parameters(), strict=True)
        for parameter, own in pairs:
            parameter.requires_grad_(own.requires_grad)
        made._begin(lambda: made.network.load_state_dict(self.network.state_dict()))
        return made

    @property
    def steps_of_all(self) -> int:
        """Steps of an epoch that shows all spectra."""
        return -(-self._passes * len(self._data) // self.batch)

    @property
    def steps_of_epoch(self) -> int:
        """Steps of the next epoch."""
        return min(self.steps_of_all, self.most_steps or self.steps_of_all)

    @property
    def _passes(self) -> int:
        """How often an epoch shows all spectra."""
        return max(1, -(-self.recipe.least_steps * self.batch // len(self._data)))

    def _next_order(self) -> Tensor:
        """Which spectra to show: all of them, once or more often, each time in another order."""
        n = len(self._data)
        order = torch.cat([torch.randperm(n, generator=self._order) for _ in range(self._passes)])
        return order if self.most_steps is None else order[: self.most_steps * self.batch]

    @property
    def _is_read_at_once(self) -> bool:
        """Whether a loss can be read without waiting for a GPU to come that far."""
        return self.device.type == "cpu"

    def _is_looked_at(self, step: int) -> bool:
        """Whether to look at the loss of a step of this epoch, and wait for it.

        At first of each, so that a few steps that are timed take their time; then seldom.
        """
        return self._is_read_at_once or step < FIRST_LOOKS or step % LOOK_EVERY == 0

    def _try_step(self, chosen: Tensor) -> Tensor | None:
        """One step; ``None`` when memory ran out before anything was learned from these spectra."""
        found: list[Tensor] = []
        before = self.step
        if not self._is_done(lambda: found.append(self._step(chosen))):
            return None
        if self.step > before:
            # They are learned by now: only what is missing is done again.
            while not self._is_done(self._average_in):
                pass
        return found[0]

    def _is_done(self, work: Callable[[], object]) -> bool:
        """Do a part of a step; ``False`` when the batch or the device was changed instead."""
        try:
            if fits(work):
                return True
            self._clear_up()
            self._use_less_memory()
        except RuntimeError:
            # Not every operation exists on every Apple GPU; all of them do on the CPU.
            if self.device.type != "mps":
                raise
            self._go_to_cpu("the Apple GPU could not do this")
        return False

    def _clear_up(self) -> None:
        """Leave nothing of a step that memory ended, so that it can be tried again."""
        self._optimizer.zero_grad(set_to_none=True)
        moments = self._optimizer.state.values()
        if any(known and "exp_avg_sq" not in known for known in moments):
            # Memory ended while they were made, in the first step: none has been used.
            self._optimizer = optimizer_of(self._tuned, self.recipe)
        release_memory(self.device)

    def _step(self, chosen: Tensor) -> Tensor:
        """Learn from some spectra; returns their loss.

        A CPU has learned nothing if that is no number. To know it, a GPU would have to be waited
        for between its way there and its way back: it goes on, and is looked at later.
        """
        draw = np.random.default_rng((self._seed, self.step))
        known, before = self.data.normalization, self.data.before_head
        shown = Shown(*self._data.of(chosen, self.device), known, before)
        inputs, targets = augmented(shown, self.recipe, draw)
        self.network.train()
        self.network.dropout.seed = (self._seed * 1_000_003 + self.step) % 2**63
        with forward_pass(self.computing.precision, self.device):
            logits = self._asked(self.network)(inputs)
        log_probabilities = torch.log_softmax(logits.float(), dim=1)
        loss = -(targets * log_probabilities).sum(dim=1).mean()
        if self._is_read_at_once and not np.isfinite(float(loss.detach())):
            return loss.detach()
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._tuned, 1.0)
        warm = min(1.0, (self.step + 1) / self.recipe.warm_up_steps)
        for group in self._optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate * warm
        self._optimizer.step()
        self.step += 1
        return loss.detach()

    def _average_in(self) -> None:
        # Early steps count fully: an average over 50 steps would lag behind a fit of 20.
        keep = min(self.recipe.averaging, self.step / (self.step + 9))
        # Exact for weights that did not change, as the frozen ones.
        torch._foreach_lerp_(*self._averaged, 1 - keep)

    def _use_less_memory(self) -> None:
        if self._data.leave():
            self.notes.append(f"{RAN_OUT}: spectra are brought there batch by batch now")
        elif self.batch > 1:
            self.batch //= 2
            self.notes.append(f"{RAN_OUT}: batches of {self.batch} spectra now")
        else:
            self._go_to_cpu(RAN_OUT)

    def _go_to_cpu(self, why: str) -> None:
        note_once(self.notes, f"{why}: {ON_THE_CPU}")
        self.computing = in_full(self.computing)
        self.batch, self.device = self._whole_batch, torch.device("cpu")
        self._data.leave()
        self.network.to(self.device)
        self.average = {k: v.to(self.device) for k, v in self.average.items()}
        self._get_ready()

    def _begin(self, load: Callable[[], object]) -> None:
        """Give the network its weights, and begin the average there."""

        def begun() -> None:
            load()
            self.average = _copy(self.network.state_dict())
            self._get_ready()

        with rising_memory_errors(), one_at_a_time(self.device):
            self._with_room(begun)

    def _take_up(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.network.load_state_dict(_tensors(state, "network."))
        self.average = {n: v.to(self.device) for n, v in _tensors(state, "average.").items()}
        self._get_ready()
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in _tensors(state, "optimizer.").items():
            number, _, moment = name.partition(".")
            moments.setdefault(int(number), {})[moment] = value
        self._optimizer.load_state_dict({**self._optimizer.state_dict(), "state": moments})

    def _with_room(self, work: Callable[[], object]) -> None:
        """Do what can be done again; on the CPU where the device has no room for it."""
        if not fits(work):
            release_memory(self.device)
            self._go_to_cpu(RAN_OUT)
            work()

    def _get_ready(self) -> None:
        """Look up once what every step changes."""
        self._tuned = [p for p in self.network.parameters() if p.requires_grad]
        self._optimizer = optimizer_of(self._tuned, self.recipe)
        state = self.network.state_dict()
        names = [name for name, value in state.items() if value.is_floating_point()]
        self._averaged = [self.average[name] for name in names], [state[name] for name in names]


def _at_hand(data: TrainingSet) -> AtHand:
    targets = weighted_shares(data.classes, data.n_classes)
    return AtHand(
        torch.from_numpy(np.ascontiguousarray(data.inputs)),
        torch.from_numpy(targets.astype(np.float32)),
        None if data.rows is None else torch.from_numpy(np.array(data.rows)),
    )


def _tensors(state: Mapping[str, NDArray[Any]], start: str) -> dict[str, Tensor]:
    """The arrays whose names begin so, as tensors of their own."""
    named = {name: values for name, values in state.items() if name.startswith(start)}
    return {n.removeprefix(start): torch.from_numpy(np.array(v)) for n, v in named.items()}


def _copy(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in state.items()}
