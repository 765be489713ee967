"""What a fit is asked to do, and what a network looks like: plain numbers, no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

Network = Literal["default", "linear"]
Tune = Literal["all", "last blocks", "head"]

NETWORKS: Final[tuple[Network, ...]] = ("default", "linear")
POSITIONS: Final = 128
"""The stem folds bins together only as far as at least this many positions remain."""
MOST_STRIDE: Final = 8
"""And never more than 8 bins: 16 channels are more numbers than came in, so none is lost."""


@dataclass(frozen=True, slots=True)
class FitConfig:
    """How to fit.

    Attributes
    ----------
    network
        ``"default"`` (linear path plus dilated CNN) or ``"linear"`` alone.
    epochs
        Most passes over the labelled spectra; held-out groups may end a fit earlier.
    tune
        What of a base model's CNN may change when fine-tuning; ignored without a base.
    seed
        The same seed, spectra and machine give the same model, byte for byte.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"`` (Apple).
    time_limit_s
        The fit ends with its best model after this time; ``None`` = no limit.
    """

    network: Network = "default"
    epochs: int = 12
    tune: Tune = "all"
    seed: int = 0
    device: str = "auto"
    time_limit_s: float | None = None


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """The shape of a network: all that is needed to build it again from a file.

    Attributes
    ----------
    network
        Preset it came from; ``"linear"`` has no CNN and the rest is unused.
    bins, classes
        Length of the m/z axis, number of classes.
    channels, stem_kernel, stem_stride, kernel
        Feature channels, first convolution, and kernel of the dilated ones.
    dilations
        One residual block of two convolutions per entry.
    head_channels, hidden
        Low-rank head: channels kept per position, hidden units.
    """

    network: Network
    bins: int
    classes: int
    channels: int = 16
    stem_kernel: int = 17
    stem_stride: int = 8
    kernel: int = 7
    dilations: tuple[int, ...] = ()
    head_channels: int = 4
    hidden: int = 32

    @classmethod
    def for_axis(cls, network: Network, bins: int, classes: int) -> NetworkConfig:
        """The preset for an axis: as many dilated blocks as it takes to see all of it."""
        if network == "linear":
            return cls(network, bins, classes)
        stride = min(MOST_STRIDE, max(1, bins // POSITIONS))
        config = cls(network, bins, classes, stem_stride=stride, dilations=(1,))
        while config.receptive_field < bins:
            dilations = (*config.dilations, 4 * config.dilations[-1])
            config = cls(network, bins, classes, stem_stride=stride, dilations=dilations)
        return config

    @property
    def positions(self) -> int:
        """Length of the feature maps."""
        return math.ceil(self.bins / self.stem_stride)

    @property
    def receptive_field(self) -> int:
        """Bins that one unit of the last feature map can see: k_stem + 2 (k−1) · stride · Σd."""
        reach = 2 * (self.kernel - 1) * sum(self.dilations)
        return self.stem_kernel + self.stem_stride * reach
