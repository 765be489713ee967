"""What a fit is asked to do, and what a network looks like: plain numbers, no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

from napari_ims_tumor.errors import FitRefused
from napari_ims_tumor.model.asked_for import (
    LARGEST_SEED,
    number,
    one_of,
    some_of,
    whole_number,
    yes_or_no,
)
from napari_ims_tumor.model.computing import Computing, Precision

Network = Literal["default", "linear", "isotopenet", "faithful"]
Tune = Literal["all", "last blocks", "head"]

Augmentation = Literal["shift", "gain", "peaks", "mixing"]
"""Spectra moved by a few bins; a gain that bends along the axis; hidden bins; mixed spectra."""
AUGMENTATIONS: Final[tuple[Augmentation, ...]] = get_args(Augmentation)

TUNES: Final[tuple[Tune, ...]] = get_args(Tune)
NETWORKS: Final[tuple[Network, ...]] = ("default", "linear", "isotopenet", "faithful")
PLAIN: Final[tuple[Network, ...]] = ("isotopenet", "faithful")
"""Networks that answer alone: nothing linear is mixed in, held-out groups choose nothing."""
POSITIONS: Final = 128
"""The stem folds bins together only as far as at least this many positions remain."""
MOST_STRIDE: Final = 8
"""And never more than 8 bins: 16 channels are more numbers than came in, so none is lost."""
REGION_SHARE: Final = 0.3
"""Least share of a roughly labelled region that is of its class."""

USUAL_ACCURACY: Final = 0.95
"""Share of right answers that abstaining aims at, unless another is asked for."""
MAX_BINS: Final = 2_000_000
ISOTOPENET_STRIDES: Final = (5, 3)
"""Of its second and fourth block."""
ISOTOPENET_LOCAL: Final = 5
"""Width of its locally connected layer."""
ISOTOPENET_RECEPTIVE_FIELD: Final = 109
"""5 bins after block 1, 9 after 2, 29 after 3, 49 after 4 and 4 · 15 more in the last layer."""


@dataclass(frozen=True, slots=True)
class FitConfig:
    """How to fit.

    Attributes
    ----------
    network
        ``"default"`` (linear path plus dilated CNN), ``"linear"`` alone, or for comparison the
        published ``"isotopenet"`` and the dilated ``"faithful"`` of stride 1, each alone.
    epochs
        Passes over the labelled spectra, at most; ``None`` = as many as the network usually needs.
    tune
        What of a base model's CNN may change when fine-tuning; ignored without a base.
    seed
        The same seed, spectra and machine give the same model, byte for byte.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"`` (Apple).
    precision
        ``"auto"``, ``"float32"`` or ``"bfloat16"``: of the network, see :class:`.Computing`.
    deterministic
        Whether a GPU shall give the same numbers every time, and refuse where it cannot.
    time_limit_s
        The fit ends with its best model after this time; ``None`` = no limit.
    steps
        Steps of each CNN of ``default`` at most, in epochs as short as that asks; ``None`` = no
        limit.
    smooth, align
        Whether intensities are summed over a peak, and spectra moved into place, where the axis is
        fine enough; ``None`` = as the network does: ``default`` and ``linear`` do.
    augment
        How spectra are changed before the network is shown them, see :data:`Augmentation`;
        ``None`` = as the network usually is: ``default`` and ``faithful`` with ``"peaks"`` and
        ``"mixing"``, ``isotopenet`` with nothing.
    doubt_labels
        Whether to leave out labels made by hand that seem wrong, where held-out groups say that
        many may be, see :mod:`.label_doubt`.
    region_share
        What "roughly" stands for at the least: this share of a region that was labelled as a whole
        is of its class, 0 to 1. Healthy regions are healthy throughout.

    Raises
    ------
    FitRefused
        Something asked for that cannot be: no epochs, a time below 0, an unknown word.
    """

    network: Network = "default"
    epochs: int | None = None
    tune: Tune = "all"
    seed: int = 0
    device: str = "auto"
    time_limit_s: float | None = None
    smooth: bool | None = None
    align: bool | None = None
    region_share: float = REGION_SHARE
    steps: int | None = None
    precision: Precision = "auto"
    deterministic: bool = False
    augment: tuple[Augmentation, ...] | None = None
    doubt_labels: bool = False

    def __post_init__(self) -> None:
        one_of("network", self.network, NETWORKS)
        one_of("way to fine-tune", self.tune, TUNES)
        if not isinstance(self.device, str):
            raise FitRefused(f"the device is {self.device!r}: give a name, such as 'cpu'")
        keep = {"seed": whole_number("the seed", self.seed, 0, LARGEST_SEED)}
        keep |= {
            name: whole_number(name, value, 1)
            for name, value in (("epochs", self.epochs), ("steps", self.steps))
            if value is not None
        }
        for name, value in keep.items():
            object.__setattr__(self, name, value)
        self._refuse_shares_and_times()
        self._refuse_neither_yes_nor_no()
        if self.augment is not None:
            augment = some_of("augmentation", self.augment, AUGMENTATIONS)
            object.__setattr__(self, "augment", augment)

    def _refuse_shares_and_times(self) -> None:
        number("region_share", self.region_share, 0, 1)
        if self.time_limit_s is not None and not number("time_limit_s", self.time_limit_s, 0):
            raise FitRefused("time_limit_s is 0: give seconds above 0, or None for no limit")

    def _refuse_neither_yes_nor_no(self) -> None:
        for name in ("deterministic", "doubt_labels"):
            object.__setattr__(self, name, yes_or_no(name, getattr(self, name)))
        for name in ("smooth", "align"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, yes_or_no(name, getattr(self, name)))

    @property
    def is_plain(self) -> bool:
        """Whether its network answers alone, see :data:`PLAIN`."""
        return self.network in PLAIN

    @property
    def computing(self) -> Computing:
        """What computes the network, and how."""
        return Computing(self.device, self.precision, self.deterministic)


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """The shape of a network: all that is needed to build it again from a file.

    Attributes
    ----------
    network
        Preset it came from; ``"linear"`` has no CNN and the rest is unused.
    bins, classes
        Length of the m/z axis, number of classes.
    channels, kernel
        Feature channels, and kernel of the dilated convolutions (in ``isotopenet``: of all).
    stem_kernel, stem_stride
        First convolution.
    dilations
        One residual block per entry.
    head_channels, hidden
        Low-rank head of ``default``: channels kept per position, hidden units.
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
        config = cls(network, bins, classes)
        if network in PLAIN:
            config = replace(config, channels=8, stem_kernel=3, stem_stride=1, kernel=3)
        if network == "default":
            stride = min(MOST_STRIDE, max(1, bins // POSITIONS))
            config = replace(config, stem_stride=stride)
        if network in ("linear", "isotopenet"):
            return config
        growth, most = _DILATIONS[network]
        config = replace(config, dilations=(1,))
        while config.receptive_field < bins and config.dilations[-1] < most:
            config = replace(config, dilations=(*config.dilations, growth * config.dilations[-1]))
        return config

    @property
    def is_plain(self) -> bool:
        """Whether it answers alone, see :data:`PLAIN`."""
        return self.network in PLAIN

    @property
    def positions(self) -> int:
        """Length of the last feature maps."""
        if self.network == "isotopenet":
            return math.ceil(math.ceil(self.bins / ISOTOPENET_STRIDES[0]) / ISOTOPENET_STRIDES[1])
        return math.ceil(self.bins / self.stem_stride)

    @property
    def widest(self) -> int:
        """Numbers in the largest feature map of one spectrum."""
        length = self.bins if self.network == "isotopenet" else self.positions
        return self.channels * length

    @property
    def receptive_field(self) -> int:
        """Bins that one unit of the last feature map can see.

        k_stem + m (k − 1) · stride · Σd, with m convolutions per block: 2, in ``faithful`` 1.
        """
        if self.network == "isotopenet":
            return ISOTOPENET_RECEPTIVE_FIELD
        per_block = 1 if self.network == "faithful" else 2
        reach = per_block * (self.kernel - 1) * sum(self.dilations)
        return self.stem_kernel + self.stem_stride * reach


_DILATIONS: Final[dict[Network, tuple[int, int]]] = {
    "default": (4, MAX_BINS),
    "faithful": (2, 4096),
}
"""By what dilations grow from block to block, and the most they grow to."""


def why_not_fine_tune(network: Network) -> str | None:
    """Say why a fit with this network cannot start from an earlier model; ``None`` if it can."""
    if network not in PLAIN:
        return None
    return (
        f"{network} is a network to compare with and is always fitted anew: "
        "start new, or use default or linear on both sides"
    )
