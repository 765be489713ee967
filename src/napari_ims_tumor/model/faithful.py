"""A dilated CNN of stride 1: what the paper states, with nothing added. N spectra, B bins.

van Kersbergen et al. (Proc. SPIE 10956, 109560I, 2019) say that dilation enlarges the receptive
field "neither by increasing the network parameters nor by decreasing the input signal resolution".
Here every feature map keeps all B bins, kernels are 3 wide, dilations double until one unit sees
the whole axis, and the head is linear over all positions. The layer table is ours, not the paper's.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_ims_tumor.model.arithmetic import in_float32
from napari_ims_tumor.model.bin_conv import BinConv, bin_maps
from napari_ims_tumor.model.config import NetworkConfig
from napari_ims_tumor.model.dropout import SeededDropout


class FaithfulBlock(nn.Module):
    """ReLU–Conv3 of one dilation, added to its input with a learned weight.

    Nothing is normalized inside: spectra come in centered and scaled, and with weights that start
    at ½ 13 blocks are stable without. It halves the time of a step.
    """

    def __init__(self, config: NetworkConfig, dilation: int) -> None:
        super().__init__()
        self.conv = BinConv(config.channels, config.channels, config.kernel, dilation=dilation)
        self.bias = nn.Parameter(torch.zeros(config.channels, 1, 1))
        self.gain = nn.Parameter(torch.full((1,), 0.5))

    def forward(self, x: Tensor) -> Tensor:  # (N, C, 1, B) → (N, C, 1, B)
        """Add what the block found to what it was given."""
        result: Tensor = x + self.gain * self.conv(torch.relu(x + self.bias))
        return result


class FaithfulNetwork(nn.Module):
    """Centered and scaled spectrum in, class logits out."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = BinConv(1, config.channels, config.stem_kernel)
        self.blocks = nn.ModuleList(FaithfulBlock(config, d) for d in config.dilations)
        self.norm = nn.GroupNorm(4, config.channels)
        self.squeeze = BinConv(config.channels, 1, 1)
        self.dropout = SeededDropout(0.3)
        self.output = nn.Linear(config.bins, config.classes)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def features(self, inputs: Tensor) -> Tensor:
        """Feature maps of full resolution: (N, B) → (N, C, B)."""
        x = self.stem(bin_maps(inputs))  # (N, 1, 1, B) → (N, C, 1, B)
        for block in self.blocks:
            x = block(x)  # (N, C, 1, B), sees 2·d bins more
        maps: Tensor = x
        return maps.flatten(2)

    def forward(self, inputs: Tensor) -> Tensor:  # (N, B) → (N, K)
        """Class logits: one number per position, then a weight for each, so m/z is never lost."""
        x = torch.relu(self.norm(self.features(inputs)))[:, :, None]  # (N, C, 1, B)
        x = self.squeeze(x).flatten(1)  # (N, 1, 1, B) → (N, B)
        return in_float32(self.output, self.dropout(x))  # (N, B) → (N, K)
