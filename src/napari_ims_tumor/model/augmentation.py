"""What is done to spectra before a network is shown them in a step, so that it learns no pixel.

Each network has ways of its own; a fit may ask for others. Shifted and bent spectra are those that
another instrument, or the same one on another day, would have measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_ims_tumor.model.at_hand import sent
from napari_ims_tumor.model.normalization import LIMIT, InputNormalization
from napari_ims_tumor.model.presets import Recipe

BENDS: Final = 6
"""Knots of a gain that changes along the axis."""


@dataclass(frozen=True, eq=False)
class Shown:
    """The spectra of a step.

    Attributes
    ----------
    inputs, targets
        Shape (N, B), and the weighted classes (N, K).
    normalization
        What centered and scaled them; ``None`` where they are shares as they are.
    before_head
        Whether they are not spectra but what lies before the head: no bins, so these are mixed and
        nothing else is done to them.
    """

    inputs: Tensor
    targets: Tensor
    normalization: InputNormalization | None = None
    before_head: bool = False


def augmented(shown: Shown, recipe: Recipe, draw: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Shifted, bent and mixed spectra with hidden peaks (N, B), and their classes (N, K)."""
    inputs, targets = shown.inputs, shown.targets
    if (recipe.shift or recipe.gain) and not shown.before_head:
        inputs = _measured_elsewhere(shown, recipe, draw)
    if recipe.mixing:
        share = float(draw.beta(recipe.mixing, recipe.mixing))
        partner = _beside(draw.permutation(len(inputs)), inputs)
        inputs = share * inputs + (1 - share) * inputs[partner]
        targets = share * targets + (1 - share) * targets[partner]
    if recipe.peak_dropout and not shown.before_head:
        # Hidden bins become 0: the mean of a centered input, and no ions of a share.
        inputs = inputs * _left(inputs, recipe.peak_dropout, draw)
    return inputs, targets


def _left(inputs: Tensor, hidden: float, draw: np.random.Generator) -> Tensor:
    """Which numbers of (N, B) are not hidden: drawn where they are."""
    if inputs.device.type == "cpu":
        return torch.from_numpy(draw.random(inputs.shape, np.float32) >= hidden)
    return _left_there(inputs, hidden, int(draw.integers(2**62)))


def _left_there(inputs: Tensor, hidden: float, seed: int) -> Tensor:
    """The same on a GPU, whose draws are others: to bring a mask there would take longer."""
    source = torch.Generator(inputs.device).manual_seed(seed)
    drawn = torch.rand(inputs.shape, generator=source, device=inputs.device)
    return drawn >= hidden


def _beside(values: NDArray[Any], other: Tensor) -> Tensor:
    """An array as a tensor on the device of another."""
    return sent(torch.from_numpy(values), other.device)


def _measured_elsewhere(shown: Shown, recipe: Recipe, draw: np.random.Generator) -> Tensor:
    """Each spectrum with a shift and a gain of its own, and the same total ion current as before.

    What was centered is measured again: shifted are the peaks, not what they differ by.
    """
    known = shown.normalization
    if known is None:
        return _bent(_shifted(shown.inputs, recipe.shift, draw), recipe.gain, draw)
    center, scale = (
        sent(torch.tensor(of), shown.inputs.device) for of in (known.center, known.scale)
    )
    shares = (shown.inputs * scale + center).clamp_min(0) ** 2
    moved = _bent(_shifted(shares, recipe.shift, draw), recipe.gain, draw)
    return ((moved.sqrt() - center) / scale).clamp(-LIMIT, LIMIT)


def _shifted(shares: Tensor, most: int, draw: np.random.Generator) -> Tensor:
    """Every peak of a spectrum so many bins higher or lower; what enters at an end is 0."""
    if not most:
        return shares
    n, bins = shares.shape
    moves = _beside(draw.integers(-most, most + 1, n), shares)
    origin = torch.arange(bins, device=shares.device) - moves[:, None]  # (N, B)
    inside = (origin >= 0) & (origin < bins)
    return shares.gather(1, origin.clamp(0, bins - 1)) * inside


def _bent(shares: Tensor, spread: float, draw: np.random.Generator) -> Tensor:
    """A gain that bends along the axis; ``spread`` is that of its logarithm."""
    if not spread:
        return shares
    n, bins = shares.shape
    knots = _beside(draw.standard_normal((n, 1, BENDS)).astype(np.float32), shares)
    curve = torch.nn.functional.interpolate(knots, bins, mode="linear", align_corners=True)
    changed = shares * torch.exp(spread * curve[:, 0])
    before, after = (values.sum(dim=1, keepdim=True) for values in (shares, changed))
    return changed * (before / after.clamp_min(1e-12))
