"""What a fit leaves behind: weights as plain arrays, with everything needed to use them again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from napari_ims_tumor.errors import ModelFileError
from napari_ims_tumor.model.config import NetworkConfig
from napari_ims_tumor.model.linear_path import LinearPath
from napari_ims_tumor.model.normalization import InputNormalization
from napari_ims_tumor.model.preparation import AS_IT_IS, Preparation
from napari_ims_tumor.model.seen import Seen
from napari_ims_tumor.model.trust import Trust
from napari_ims_tumor.msi.arrays import Float32Array, frozen
from napari_ims_tumor.msi.mass_axis import MassAxis

if TYPE_CHECKING:
    from napari_ims_tumor.model.unfinished import Unfinished

CardValue: TypeAlias = str | int | float | bool | None

CENTER: Final = "input.center"
SCALE: Final = "input.scale"
LINEAR_WEIGHT: Final = "linear.weight"
LINEAR_BIAS: Final = "linear.bias"
CNN_PREFIX: Final = "cnn."
FORMER_STRENGTH: Final = 1.0
"""Of neighbors in model files that do not say it: before it was chosen by held-out groups."""
FORMER_LIKENESS: Final = 1.0
"""The same, before weights of neighbors came to fall faster."""


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One epoch of a fit: mean loss, and balanced accuracy on held-out groups if there were any."""

    epoch: int
    loss: float
    held_out_score: float | None = None


@dataclass(frozen=True, eq=False)
class FittedModel:
    """A fitted classifier.

    Attributes
    ----------
    weights
        Name → float32 array: normalization, linear path and the network's parameters.
    network
        Shape of the network.
    axis
        The m/z axis that the weights belong to.
    class_names
        Names of the probability planes.
    blend
        Share of the network's logits in the answer, the rest is the linear path's: 0 = linear
        alone, 1 = network alone.
    temperature
        Divides the logits; ``None`` where no held-out group could tell it: uncalibrated.
    history
        Epochs of the fit that kept this model.
    annotation_revision
        Revision of the labels it was fitted to.
    card
        Plain facts: counts, scores on held-out groups, notes. No clock, path or host.
    seen
        Marks of what it was fitted on; ``None`` where that was not kept.
    neighbor_temperature
        Divides the logits of answers that a pixel's neighbors take part in; ``None`` where they are
        not asked: each pixel answers alone.
    neighbor_strength
        How much they can change where they are asked.
    neighbor_likeness
        How fast their weights fall with the distance of the spectra, see :mod:`.neighborhood`.
    trust
        Which spectra are familiar to it, and how often it is right where it is how sure.
    preparation
        What is done to a spectrum before it is centered and scaled.
    unfinished
        Where its fit was, if that was ended early and can go on; not in a model file.
    """

    weights: Mapping[str, Float32Array]
    network: NetworkConfig
    axis: MassAxis
    class_names: tuple[str, ...]
    blend: float = 0.0
    temperature: float | None = None
    history: tuple[EpochRecord, ...] = ()
    annotation_revision: int = 0
    card: Mapping[str, CardValue] = field(default_factory=dict)
    seen: Seen | None = None
    trust: Trust = field(default_factory=Trust)
    preparation: Preparation = AS_IT_IS
    neighbor_temperature: float | None = None
    neighbor_strength: float = FORMER_STRENGTH
    neighbor_likeness: float = FORMER_LIKENESS
    unfinished: Unfinished | None = None

    def __post_init__(self) -> None:
        owned = {name: frozen(self.weights[name], np.float32) for name in sorted(self.weights)}
        object.__setattr__(self, "weights", MappingProxyType(owned))
        object.__setattr__(self, "card", MappingProxyType(dict(self.card)))
        bins, classes = self.network.bins, self.network.classes
        if bins != len(self.axis) or classes != len(self.class_names):
            raise ModelFileError("the model's axis or classes do not match its network")

    @property
    def calibrated(self) -> bool:
        """Whether probabilities were calibrated on held-out groups."""
        return self.temperature is not None

    @property
    def normalization(self) -> InputNormalization:
        """How raw intensities become inputs."""
        return InputNormalization(self.weights[CENTER], self.weights[SCALE], self.preparation)

    @property
    def linear(self) -> LinearPath:
        """The linear path."""
        return LinearPath(self.weights[LINEAR_WEIGHT], self.weights[LINEAR_BIAS])

    @property
    def has_cnn(self) -> bool:
        """Whether the CNN takes part in predictions."""
        return self.blend != 0 and self.network.network != "linear"

    @property
    def is_optimistic(self) -> bool:
        """Whether the groups that gave the score also chose the epochs and the share."""
        return self.has_cnn and not self.network.is_plain

    @cached_property
    def model_id(self) -> str:
        """Hash of weights, axis and settings: the same model has the same id everywhere."""
        digest = hashlib.sha256(json.dumps(self.settings(), sort_keys=True).encode())
        digest.update(self.axis.mz.astype("<f8").tobytes())
        for name, values in {**self.weights, **self.trust.arrays()}.items():
            digest.update(name.encode() + values.astype("<f4").tobytes())
        return digest.hexdigest()[:16]

    def with_note(self, *notes: str) -> FittedModel:
        """Add sentences to the card's note, each once."""
        before = str(self.card.get("note", ""))
        joined = "; ".join(dict.fromkeys(note for note in (before, *notes) if note))
        return replace(self, card={**self.card, "note": joined}) if joined else self

    def summary(self) -> tuple[str, ...]:
        """A few lines for the command line: what it is and what is known of it."""
        counts = ", ".join(f"{self.card.get('n ' + c, '?')} {c}" for c in self.class_names)
        lines = [
            f"{self.network.network} model {self.model_id} for {len(self.axis)} bins, {counts}"
        ]
        score = self.card.get("held-out balanced accuracy")
        if score is not None:
            kind = self.card.get("group kind")
            chose = f" (a little optimistic: these {kind}s also chose the epochs)"
            found = f"balanced accuracy on held-out {kind}s: {score}"
            lines.append(found + (chose if self.is_optimistic else ""))
        said = (self.card.get(name) for name in ("held-out warning", "note"))
        return (*lines, *(str(text) for text in said if text))

    def settings(self) -> dict[str, object]:
        """Everything that decides a prediction apart from the arrays, JSON-able."""
        heat = self.neighbor_temperature
        former = {"neighbor_strength": FORMER_STRENGTH, "neighbor_likeness": FORMER_LIKENESS}
        own = {name: getattr(self, name) for name in former if heat is not None}
        return {
            "network": asdict(self.network),
            "class_names": list(self.class_names),
            "blend": self.blend,
            "temperature": self.temperature,
            # Left out where nothing is done: such models keep the id they always had.
            **({"preparation": asdict(self.preparation)} if self.preparation.facts() else {}),
            # Only where it is one: models without it keep the id that they always had.
            **({} if heat is None else {"neighbor_temperature": heat}),
            **{name: value for name, value in own.items() if value != former[name]},
        }


def linear_weights(
    normalization: InputNormalization, linear: LinearPath
) -> dict[str, Float32Array]:
    """The arrays of a linear model, by the names they have in a model file."""
    return {
        CENTER: normalization.center,
        SCALE: normalization.scale,
        LINEAR_WEIGHT: linear.weight,
        LINEAR_BIAS: linear.bias,
    }
