"""Why: how far each bin of a spectrum moved the answer toward a class.

What is explained is the whole answer: the logit of a class minus the mean of the others, of the
linear path and the network together, as they are blended and tempered. It is compared with the
answer to another spectrum. Integrated gradients (Sundararajan et al., *Axiomatic attribution for
deep networks*, ICML 2017) share the difference of the two answers out among the bins, and nothing
is left over but the error of the quadrature.

A pixel is compared with the mean of the fitted spectra, which is 0 in the centered input. No tissue
has that spectrum, and near it group normalization enlarges whatever differs, noise too: a network
may go half its way within the first twentieth. So the pixels of a class are each compared with a
pixel of another class, and the mean over such pairs is taken: expected gradients (Erion et al.,
*Improving performance of deep learning models with axiomatic attribution priors and expected
gradients*, Nature Machine Intelligence 3, 2021), with the other classes as references.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from napari_ims_tumor.errors import QueryError
from napari_ims_tumor.job import outcome_of
from napari_ims_tumor.model.batches import BATCH, Batches
from napari_ims_tumor.model.computing import Computing, GivenComputing
from napari_ims_tumor.model.device import prepare
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.presets import Built, build_network, inputs_of, load_weights
from napari_ims_tumor.model.sparing import Sparing, placed
from napari_ims_tumor.msi.arrays import Float32Array, Float64Array, FloatArray, frozen

Method = Literal["integrated gradients", "gradient x input"]
METHODS: Final[tuple[Method, ...]] = get_args(Method)
STEPS: Final = 64
"""Places on the way from one spectrum to the other where the slope is asked for."""
MOST_STEPS: Final = 1024
GRADIENT_NUMBERS: Final = 1_000_000
"""Feature-map numbers per batch: half of a prediction's, since all maps are kept for the slope."""


@dataclass(frozen=True, slots=True)
class Attribution:
    """How an attribution is made.

    Attributes
    ----------
    method
        ``"integrated gradients"``, or ``"gradient x input"``: the slope at the spectrum itself
        times its distance from the other one. Quick, the same for a linear model, and wrong in
        sum where the network bends.
    steps
        Of integrated gradients, at the places of Gauss and Legendre.
    """

    method: Method = "integrated gradients"
    steps: int = STEPS

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise QueryError(f"there is no method {self.method!r}: use {' or '.join(METHODS)}")
        if not 1 <= self.steps <= MOST_STEPS:
            raise QueryError(f"{self.steps} steps: give 1 to {MOST_STEPS}")

    def path(self) -> tuple[Float64Array, Float64Array]:
        """Places between 0 (what it is compared with) and 1 (the pixel), and their weights."""
        if self.method == "gradient x input":
            return np.ones(1), np.ones(1)
        places, weights = np.polynomial.legendre.leggauss(self.steps)
        return (1 + places) / 2, weights / 2


@dataclass(frozen=True, slots=True, eq=False)
class Attributed:
    """What moved the answers to n spectra toward a class.

    Attributes
    ----------
    bins
        Shape (n, bins), float32: how far each bin moved the answer, in logits; above 0 toward the
        class.
    moved
        Shape (n,): the answer minus the answer to what each was compared with. With integrated
        gradients it is the sum over ``bins``, but for the error of the quadrature.
    """

    bins: Float32Array
    moved: Float64Array

    @property
    def left_over(self) -> Float64Array:
        """What the bins do not account for, shape (n,), in logits."""
        total: Float64Array = self.moved - self.bins.sum(axis=1, dtype=np.float64)
        return total


class Explainer:
    """A model made ready to say why.

    Parameters
    ----------
    target
        The class whose logit, minus the mean of the others', is explained.
    how
        Method and steps.
    device
        What computes; always in float32, see :class:`.Computing`.

    Attributes
    ----------
    notes
        What was done where memory ended.

    Raises
    ------
    QueryError
        The model does not know the class.
    FitRefused
        The device is not there, or cannot compute so.
    """

    def __init__(
        self,
        model: FittedModel,
        target: str,
        how: Attribution | None = None,
        device: GivenComputing = "auto",
    ) -> None:
        self.model, self.target, self.how = model, target, how or Attribution()
        self.notes: list[str] = []
        self._contrast = contrast(model.class_names, target) / (model.temperature or 1.0)
        self._network: Built | None = None
        if model.has_cnn:
            self._network = _ready(model, Computing.of(device), self.notes)
        self._normalization = model.normalization

    def steps(
        self, values: FloatArray, against: FloatArray | None = None
    ) -> Generator[None, None, Attributed]:
        """Find what moved each answer; yields after every batch.

        Parameters
        ----------
        values
            Raw binned intensities, shape (n, bins).
        against
            What each is compared with, as raw and in the same shape; by default all with the mean
            of the fitted spectra.
        """
        own = self._normalization
        roots = own.roots(values)
        start = own.center[None] if against is None else own.roots(against)
        found, moved = self._linear(roots, start)
        if self._network is not None:
            share, network = self.model.blend, self.model.network.network
            ends = inputs_of(network, own, start), inputs_of(network, own, roots)
            part, climbed = yield from self._cnn(self._network, *ends)
            found, moved = found + np.float32(share) * part, moved + share * climbed
        else:
            yield
        return Attributed(frozen(found, np.float32), frozen(moved, np.float64))

    def _linear(
        self, roots: Float32Array, start: Float32Array
    ) -> tuple[Float32Array, Float64Array]:
        """A sum is its own explanation: exact, by either method."""
        weight = (1 - self.model.blend) * (self._contrast @ self.model.linear.weight)
        away = self._normalization.apply(roots) - self._normalization.apply(start)
        found = (away * weight).astype(np.float32)
        return found, found.sum(axis=1, dtype=np.float64)

    def _cnn(
        self, network: Built, start: Float32Array, inputs: Float32Array
    ) -> Generator[None, None, tuple[Float32Array, Float64Array]]:
        places, weights = self.how.path()
        away = torch.from_numpy(inputs - start)
        origin = torch.from_numpy(start).expand_as(away)
        slopes = torch.zeros_like(away)
        # Every spectrum at every place, in an order that keeps those of one spectrum together.
        row = np.repeat(np.arange(len(inputs)), len(places))
        place, weight = (_tensor(np.tile(v, len(inputs))) for v in (places, weights))
        size = max(1, GRADIENT_NUMBERS // network.config.widest)
        sparing, at = Sparing(network, size, min(BATCH, size), self.notes), 0
        while at < len(row):
            part = slice(at, at + sparing.size)
            owner = torch.from_numpy(row[part])
            shown = origin[owner] + place[part, None] * away[owner]
            slope = sparing.tried(partial(self._slope, network, shown))
            if slope is None:
                continue
            slopes.index_add_(0, owner, weight[part, None] * slope)
            at = part.stop
            yield
        climbed = yield from self._climbed(network, start, inputs)
        return (slopes * away).numpy(), climbed

    def _slope(self, network: Built, shown: Tensor) -> Tensor:
        seen = shown.to(network.output.weight.device).requires_grad_(True)
        answer = network(seen) @ _tensor(self._contrast).to(seen.device)
        return torch.autograd.grad(answer.sum(), seen)[0].cpu()

    def _climbed(
        self, network: Built, start: Float32Array, inputs: Float32Array
    ) -> Generator[None, None, Float64Array]:
        """How far the network's answer to each spectrum is from that to its start."""
        seen = np.concatenate([start, inputs]).astype(np.float32)
        logits = yield from Batches(network, notes=self.notes).logits(seen)
        answers = logits.astype(np.float64) @ self._contrast
        climbed: Float64Array = answers[len(start) :] - answers[: len(start)]
        return climbed


def contrast(class_names: tuple[str, ...], target: str) -> Float64Array:
    """Weights of the logits: 1 for a class, and −1 shared by the others.

    Raises
    ------
    QueryError
        There is no such class.
    """
    if target not in class_names:
        raise QueryError(f"the model knows no class {target!r}: use {' or '.join(class_names)}")
    others = max(1, len(class_names) - 1)
    return np.array([1.0 if name == target else -1.0 / others for name in class_names])


def attribute(
    model: FittedModel, values: FloatArray, target: str, how: Attribution | None = None,
    device: GivenComputing = "auto",
) -> Attributed:  # fmt: skip
    """Explain the answers to raw binned intensities (n, bins) by the mean, in one go."""
    return outcome_of(Explainer(model, target, how, device).steps(values))


def _ready(model: FittedModel, how: Computing, notes: list[str]) -> Built:
    network = build_network(model.network, 0)
    load_weights(network, model.weights)
    network.requires_grad_(False)
    # Slopes are always taken in full: that a device has no bfloat16 is no reason to refuse.
    return placed(network, prepare(replace(how, precision="float32")), notes).eval()


def _tensor(values: Float64Array) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))
