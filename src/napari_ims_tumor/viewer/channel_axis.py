"""From where a viewer's slider stands to a channel of a stack."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_ims_tumor.msi.arrays import Float64Array

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer


def channel_at(viewer: ViewerModel, layer: Layer) -> int:
    """Return the channel of a stack that the viewer's slider stands at."""
    return ChannelAxis.of(layer).channel(viewer.dims.point)


@dataclass(frozen=True, eq=False)
class ChannelAxis:
    """Which channel of a stack lies at a place in the world: an affine map of its axes."""

    start: float
    weights: Float64Array
    n_channels: int

    @classmethod
    def of(cls, layer: Layer) -> ChannelAxis:
        """Read the map off a layer, wherever the user has put it."""
        ends = np.vstack([np.zeros(layer.ndim), np.eye(layer.ndim)])
        start, *moved = (float(layer.world_to_data(end)[0]) for end in ends)
        return cls(start, np.array(moved) - start, len(layer.data))

    def channel(self, world: Sequence[float]) -> int:
        """Return the nearest channel; the last numbers of ``world`` count."""
        return min(max(math.floor(self._position(world) + 0.5), 0), self.n_channels - 1)

    def holds(self, world: Sequence[float]) -> bool:
        """Whether there is a channel: the slider goes on for slides with more of them."""
        return -0.5 <= self._position(world) < self.n_channels - 0.5

    def _position(self, world: Sequence[float]) -> float:
        return self.start + float(self.weights @ np.array(world)[-self.weights.size :])
