"""A model made ready to answer: raw spectra in, probabilities out."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from napari_ims_tumor.model.batches import Batches
from napari_ims_tumor.model.calibration import softmax
from napari_ims_tumor.model.computing import Computing, GivenComputing
from napari_ims_tumor.model.device import prepare, resolve_device
from napari_ims_tumor.model.familiarity import chosen_rows, directions
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.folded_linear import FoldedLinear
from napari_ims_tumor.model.joined_batches import JoinedBatches
from napari_ims_tumor.model.presets import Built, build_network, load_weights, sees_shares
from napari_ims_tumor.model.sparing import placed
from napari_ims_tumor.model.uncertainty import total_variation
from napari_ims_tumor.msi.arrays import Float32Array, FloatArray
from napari_ims_tumor.msi.binning import bin_spectra
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.matrix_room import IN_CACHE


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a model says about n spectra.

    Attributes
    ----------
    probabilities
        Shape (n, classes), float32.
    disagreement
        Shape (n,), float32: see :class:`.Prediction`.
    unfamiliarity
        Shape (n,), float32: see :class:`.Prediction`.
    scores
        Shape (n, k), float32: where they lie along the directions asked for.
    """

    probabilities: Float32Array
    disagreement: Float32Array | None = None
    unfamiliarity: Float32Array | None = None
    scores: Float32Array | None = None


class Predictor:
    """A model made ready to run on a device, or on the CPU where that has no room for it.

    Attributes
    ----------
    model, how
        What answers, and what it is computed by.
    notes
        What was done where memory ended.
    along
        Directions (k, bins) of inputs along which spectra shall be told apart; ``None`` = none.

    Raises
    ------
    FitRefused
        The device is not there, or cannot compute so.
    """

    def __init__(self, model: FittedModel, device: GivenComputing = "auto") -> None:
        self.model, self.how = model, Computing.of(device)
        # Only a network has to be computed as was asked.
        there = prepare(self.how) if model.has_cnn else resolve_device(self.how.device)
        self.notes: list[str] = []
        self.along: Float32Array | None = None
        self._normalization = model.normalization
        self._linear = model.linear
        self._folded = FoldedLinear(self._normalization, model.linear)
        self._familiarity = model.trust.familiarity
        self._network: Batches | None = None
        if model.has_cnn:
            network = placed(_network(model), there, self.notes)
            self._network = Batches(network, self.how.precision, self.notes)

    def steps(self, values: FloatArray) -> Generator[None, None, Answer]:
        """Raw binned intensities (n, bins) → answer to n spectra; yields after every batch."""
        seen = self.look(values)
        yield
        if self._network is None:
            return self.answer(seen, None)
        cnn = yield from self._network.logits(seen.inputs)
        return self.answer(seen, cnn)

    def answer(self, seen: Seen, cnn: Float32Array | None) -> Answer:
        """Put together what is known of n spectra and what the network says (n, K), if any."""
        heat, share = self.model.temperature or 1.0, self.model.blend
        if cnn is None:
            return Answer(softmax(seen.linear / heat), None, seen.strange, seen.scores)
        blended = softmax(((1 - share) * seen.linear + share * cnn) / heat)
        # The temperature of a network that answers alone says nothing of the linear path.
        own = 1.0 if self.model.network.is_plain else heat
        apart = total_variation(softmax(seen.linear / own), blended)
        return Answer(blended, apart, seen.strange, seen.scores)

    def joined(self, most: int) -> JoinedBatches:
        """What asks the network about at most so many spectra that come in blocks."""
        assert self._network is not None  # noqa: S101 - computes on the CPU where there is none
        bins, deterministic = self.model.network.bins, self.how.deterministic
        return JoinedBatches(self._network, bins, most, deterministic)

    def rows_alike(self, bins: int) -> int:
        """Spectra that may be answered apart from those before and after, bit by bit the same."""
        size = 1 if self._network is None else self._network.size
        return math.lcm(size, _rows_at_once(bins))

    @property
    def device(self) -> torch.device:
        """Where the network is; the CPU where there is none."""
        return self._network.device if self._network else torch.device("cpu")

    def look_along(self, dataset: MsiDataset) -> Generator[object, object, None]:
        """Find the directions in which the spectra of a slide differ most, on some of them."""
        some = chosen_rows(np.arange(dataset.n_spectra))
        values = yield from bin_spectra(dataset, self.model.axis, some)
        self.along = directions(self._normalization.apply(self._normalization.roots(values)))

    def look(self, values: FloatArray) -> Seen:
        """All that is told of spectra without a network, some spectra at a time."""
        n, bins = values.shape
        seen = Seen(
            np.zeros((n, len(self.model.class_names)), np.float32),
            np.zeros((n, bins if self._network else 0), np.float32),
            None if self._familiarity is None else np.zeros(n, np.float32),
            None if self.along is None else np.zeros((n, len(self.along)), np.float32),
        )
        for part in _small_pieces(n, bins):
            self._look_at(values[part], seen, part)
        return seen

    def _look_at(self, values: FloatArray, seen: Seen, part: slice) -> None:
        roots = self._normalization.aligned(self._normalization.roots(values))
        if self._network is None and seen.strange is None and seen.scores is None:
            seen.linear[part] = self._folded.logits(roots)
            return
        inputs = self._normalization.centered(roots)
        seen.linear[part] = self._linear.logits(inputs)
        if seen.strange is not None and self._familiarity is not None:
            seen.strange[part] = self._familiarity.score(inputs)
        if seen.scores is not None and self.along is not None:
            seen.scores[part] = inputs @ self.along.T
        if self._network is not None:
            seen.inputs[part] = roots**2 if sees_shares(self.model.network.network) else inputs


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What is known of n spectra before a network answers.

    Attributes
    ----------
    linear
        Logits of the linear path, (n, K).
    inputs
        What the network is shown, (n, bins); nothing where there is none.
    strange
        Unfamiliarity, (n,).
    scores
        Along the directions asked for, (n, k).
    """

    linear: Float32Array
    inputs: Float32Array
    strange: Float32Array | None
    scores: Float32Array | None


def _small_pieces(n: int, bins: int) -> Iterator[slice]:
    at_once = _rows_at_once(bins)
    for start in range(0, n, at_once):
        yield slice(start, min(start + at_once, n))


def _rows_at_once(bins: int) -> int:
    return max(1, IN_CACHE // max(bins, 1))


def _network(model: FittedModel) -> Built:
    network = build_network(model.network, 0)
    load_weights(network, model.weights)
    return network
