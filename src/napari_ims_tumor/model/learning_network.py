"""A network that learns: its optimizer, and the average of its weights, which is what is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_ims_tumor.model.config import NetworkConfig, Tune
from napari_ims_tumor.model.fitted_model import CNN_PREFIX
from napari_ims_tumor.model.presets import Recipe, build_network
from napari_ims_tumor.model.tuning import is_tuned, optimizer_of
from napari_ims_tumor.msi.arrays import Float32Array


class LearningNetwork:
    """A network with what changes it, all on the same device; :meth:`begin` makes it ready.

    The weights to keep are an exponential average over steps: steadier than the last step, and
    usable at any moment, which is what *Stop* needs.
    """

    optimizer: torch.optim.AdamW

    def __init__(self, config: NetworkConfig, recipe: Recipe, seed: int) -> None:
        self.config, self.recipe = config, recipe
        self.network = build_network(config, seed)
        self.average: dict[str, Tensor] = self.network.state_dict()
        self.step = 0

    def begin(self, load: Callable[[], object]) -> None:
        """Give the network its weights, and begin the average there."""
        load()
        state = self.network.state_dict()
        self.average = {name: value.detach().clone() for name, value in state.items()}
        self._get_ready()

    def freeze(self, tune: Tune) -> None:
        """Let only so much of the network be changed, once it has begun anew."""
        for name, parameter in self.network.named_parameters():
            parameter.requires_grad_(is_tuned(name, tune, len(self.config.dilations)))

    def freeze_like(self, other: LearningNetwork) -> None:
        """Let the same be changed as of another."""
        pairs = zip(self.network.parameters(), other.network.parameters(), strict=True)
        for parameter, its in pairs:
            parameter.requires_grad_(its.requires_grad)

    def learn(self, loss: Tensor) -> None:
        """Change the network by a loss."""
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._tuned, 1.0)
        warm = min(1.0, (self.step + 1) / self.recipe.warm_up_steps)
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate * warm
        self.optimizer.step()
        self.step += 1

    def average_in(self) -> None:
        """Have the average follow what was learned."""
        # Early steps count fully: an average over 50 steps would lag behind a fit of 20.
        keep = min(self.recipe.averaging, self.step / (self.step + 9))
        # Exact for weights that did not change, as the frozen ones.
        torch._foreach_lerp_(*self._averaged, 1 - keep)

    def clear_up(self) -> None:
        """Leave nothing of a step that memory ended, so that it can be tried again."""
        self.optimizer.zero_grad(set_to_none=True)
        moments = self.optimizer.state.values()
        if any(known and "exp_avg_sq" not in known for known in moments):
            # Memory ended while they were made, in the first step: none has been used.
            self.optimizer = optimizer_of(self._tuned, self.recipe)

    def move(self, device: torch.device) -> None:
        """Go to a device, and begin there with a new optimizer."""
        self.network.to(device)
        self.average = {name: value.to(device) for name, value in self.average.items()}
        self._get_ready()

    def kept(self) -> dict[str, Tensor]:
        """A copy of the average, for :meth:`put_back`."""
        # Not on a GPU, which may be full: it is looked at only where a loss is no number.
        return {n: value.detach().to("cpu", copy=True) for n, value in self.average.items()}

    def put_back(self, kept: Mapping[str, Tensor]) -> None:
        """Have the average be what it was."""
        for name, value in self.average.items():
            value.copy_(kept[name])

    def weights(self) -> dict[str, Float32Array]:
        """The averaged weights by the names they have in a model file."""
        return {
            CNN_PREFIX + name: value.detach().cpu().numpy()
            for name, value in self.average.items()
            if value.is_floating_point()
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Weights, average and what the optimizer keeps of earlier steps."""
        found = {"network." + name: value for name, value in self.network.state_dict().items()}
        found |= {"average." + name: value for name, value in self.average.items()}
        for number, moments in self.optimizer.state_dict()["state"].items():
            found |= {f"optimizer.{number}.{name}": value for name, value in moments.items()}
        return {name: np.array(value.detach().cpu().numpy()) for name, value in found.items()}

    def take_up(self, arrays: Mapping[str, NDArray[Any]], device: torch.device) -> None:
        """Go back to such arrays, on the device that the network is on."""
        self.network.load_state_dict(_tensors(arrays, "network."))
        self.average = {n: v.to(device) for n, v in _tensors(arrays, "average.").items()}
        self._get_ready()
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in _tensors(arrays, "optimizer.").items():
            number, _, moment = name.partition(".")
            moments.setdefault(int(number), {})[moment] = value
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": moments})

    def _get_ready(self) -> None:
        """Look up once what every step changes."""
        self._tuned = [p for p in self.network.parameters() if p.requires_grad]
        self.optimizer = optimizer_of(self._tuned, self.recipe)
        state = self.network.state_dict()
        names = [name for name, value in state.items() if value.is_floating_point()]
        self._averaged = [self.average[name] for name in names], [state[name] for name in names]


def _tensors(arrays: Mapping[str, NDArray[Any]], start: str) -> dict[str, Tensor]:
    """The arrays whose names begin so, as tensors of their own."""
    named = {name: values for name, values in arrays.items() if name.startswith(start)}
    return {n.removeprefix(start): torch.from_numpy(np.array(v)) for n, v in named.items()}
