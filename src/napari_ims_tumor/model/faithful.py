"""A dilated CNN of stride 1: what the paper states, with nothing added. N spectra, B bins.

van Kersbergen et al. (Proc. SPIE 10956, 109560I, 2019) say that dilation enlarges the receptive
field "neither by increasing the network parameters nor by decreasing the input signal resolution".
Here every feature map keeps all B bins, kernels are 3 wide, dilations double until one unit sees
the whole axis, and the head is linear over all positions. The layer table is ours, not the paper's.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_ims_tumor.model.config import NetworkConfig
from napari_ims_tumor.model.network import DilatedConv


class FaithfulBlock(nn.Module):
    """GN–ReLU–Conv3 of one dilation, added to its input with a learned weight."""

    def __init__(self, config: NetworkConfig, dilation: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(4, config.channels)
        self.conv = DilatedConv(config.channels, config.kernel, dilation)
        self.gain = nn.Parameter(torch.full((1,), 0.5))

    def forward(self, x: Tensor) -> Tensor:  # (N, C, B) → (N, C, B)
        """Add what the block found to what it was given."""
        result: Tensor = x + self.gain * self.conv(torch.relu(self.norm(x)))
        return result


class FaithfulNetwork(nn.Module):
    """Centered and scaled spectrum in, class logits out."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        channels, kernel = config.channels, config.stem_kernel
        self.stem = nn.Conv1d(1, channels, kernel, padding=kernel // 2)
        self.blocks = nn.ModuleList(FaithfulBlock(config, d) for d in config.dilations)
        self.norm = nn.GroupNorm(4, channels)
        self.squeeze = nn.Conv1d(channels, 1, 1)
        self.dropout = nn.Dropout(0.3)
        self.output = nn.Linear(config.bins, config.classes)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def features(self, inputs: Tensor) -> Tensor:
        """Feature maps of full resolution: (N, B) → (N, C, B)."""
        x = self.stem(inputs[:, None, :])  # (N, 1, B) → (N, C, B)
        for block in self.blocks:
            x = block(x)  # (N, C, B), sees 2·d bins more
        maps: Tensor = x
        return maps

    def forward(self, inputs: Tensor) -> Tensor:  # (N, B) → (N, K)
        """Class logits: one number per position, then a weight for each, so m/z is never lost."""
        x = self.squeeze(torch.relu(self.norm(self.features(inputs))))  # (N, 1, B)
        logits: Tensor = self.output(self.dropout(x.flatten(1)))  # (N, B) → (N, K)
        return logits
