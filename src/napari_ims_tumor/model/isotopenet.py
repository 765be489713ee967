"""IsotopeNet, the published network to compare with. N spectra, B bins, L positions, K classes.

Behrmann et al., *Deep learning for tumor classification in imaging mass spectrometry*,
Bioinformatics 34(7):1215 (2018). Written anew from the published sizes: small convolutions on
isotope patterns, two strides, and one locally connected layer that knows where on the axis it is.
It sees 109 bins at a time and adds up what it finds, so two distant peaks never decide together.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_ims_tumor.model.arithmetic import in_float32
from napari_ims_tumor.model.bin_conv import BinConv, bin_maps
from napari_ims_tumor.model.config import ISOTOPENET_LOCAL, ISOTOPENET_STRIDES, NetworkConfig
from napari_ims_tumor.model.dropout import SeededDropout


class ResidualBlock(nn.Module):
    """ReLU–Conv3–BN–ReLU–Conv3–BN beside a 1×1 convolution where the shape changes; no biases."""

    def __init__(self, before: int, after: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = BinConv(before, after, 3)
        self.norm1 = nn.BatchNorm2d(after)
        self.conv2 = BinConv(after, after, 3, stride)
        self.norm2 = nn.BatchNorm2d(after)
        same = before == after and stride == 1
        self.skip = nn.Identity() if same else BinConv(before, after, 1, stride)

    def forward(self, x: Tensor) -> Tensor:  # (N, before, 1, L) → (N, after, 1, ⌈L / stride⌉)
        """Add what the block found to what it was given."""
        found = self.norm1(self.conv1(torch.relu(x)))
        found = self.norm2(self.conv2(torch.relu(found)))
        result: Tensor = self.skip(x) + found
        return result


class LocallyConnected(nn.Module):
    """A convolution of 5 whose weights differ from position to position; no bias."""

    def __init__(self, positions: int) -> None:
        super().__init__()
        bound = ISOTOPENET_LOCAL**-0.5
        self.weight = nn.Parameter(torch.empty(positions, ISOTOPENET_LOCAL).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:  # (N, 1, L) → (N, 1, L)
        """Weigh each position's surroundings."""
        side = ISOTOPENET_LOCAL // 2
        around = nn.functional.pad(x, (side, side)).unfold(2, ISOTOPENET_LOCAL, 1)  # (N, 1, L, 5)
        return (around * self.weight).sum(dim=3)


class IsotopeNet(nn.Module):
    """Spectrum as shares of its total ion current in, class logits out."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        channels, (first, second) = config.channels, ISOTOPENET_STRIDES
        self.blocks = nn.Sequential(
            ResidualBlock(1, channels),
            ResidualBlock(channels, channels, first),
            ResidualBlock(channels, channels),
            ResidualBlock(channels, 1, second),
        )
        self.dropout = SeededDropout(0.3)
        self.local = LocallyConnected(config.positions)
        self.norm = nn.BatchNorm1d(1)
        self.output = nn.Linear(config.positions, config.classes)

    def features(self, inputs: Tensor) -> Tensor:
        """What each position found: (N, B) → (N, 1, L)."""
        x = self.blocks(bin_maps(inputs)).flatten(2)  # (N, 1, 1, B) → (N, 1, L)
        found: Tensor = self.local(self.dropout(torch.relu(x)))  # (N, 1, L)
        return found

    def forward(self, inputs: Tensor) -> Tensor:  # (N, B) → (N, K)
        """Class logits."""
        x = torch.relu(self.norm(self.features(inputs)))  # (N, 1, L)
        return in_float32(self.output, x.flatten(1))  # (N, L) → (N, K)
