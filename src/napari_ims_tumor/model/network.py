"""The dilated CNN, in the order the data flows. N spectra, B bins, L positions, C channels.

After van Kersbergen et al., *Cancer detection in mass spectrometry imaging data by dilated
convolutional neural networks*, Proc. SPIE 10956, 109560I (2019). The paper does not publish its
layer table: this one is ours. The stem folds up to 8 bins into 16 channels on long axes, fewer on
short ones (peak lists), none below 256 bins.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from napari_ims_tumor.model.config import NetworkConfig

POLYPHASE_FROM: Final = 16


class DilatedConv(nn.Conv1d):
    """A dilated convolution that keeps the length; wide ones on a CPU run as dense ones.

    Every d-th position convolved with a dense kernel is the same sum: (N, C, L) is read as
    (N, C, L/d, d). Measured 2.2 times as fast for d of 16 and more, slower below.
    """

    def __init__(self, channels: int, kernel: int, dilation: int) -> None:
        padding = dilation * (kernel - 1) // 2
        super().__init__(channels, channels, kernel, padding=padding, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:  # (N, C, L) → (N, C, L)
        """Convolve."""
        n, channels, length = x.shape
        step = self.dilation[0]
        if step < POLYPHASE_FROM or x.is_cuda:
            return super().forward(x)
        phases = nn.functional.pad(x, (0, -length % step)).view(n, channels, -1, step)
        kernel = self.weight[..., None]  # (C, C, k, 1)
        padding = ((self.kernel_size[0] - 1) // 2, 0)
        dense = nn.functional.conv2d(phases, kernel, self.bias, padding=padding)
        return dense.reshape(n, channels, -1)[..., :length]


class DilatedBlock(nn.Module):
    """GN–ReLU–Conv d–GN–ReLU–Conv d, added to its input with a learned weight."""

    def __init__(self, config: NetworkConfig, dilation: int) -> None:
        super().__init__()
        channels, kernel = config.channels, config.kernel
        self.norm1 = nn.GroupNorm(4, channels)
        self.conv1 = DilatedConv(channels, kernel, dilation)
        self.norm2 = nn.GroupNorm(4, channels)
        self.conv2 = DilatedConv(channels, kernel, dilation)
        self.gain = nn.Parameter(torch.full((1,), 0.5))

    def forward(self, x: Tensor) -> Tensor:  # (N, C, L) → (N, C, L)
        """Add what the block found to what it was given."""
        found = self.conv1(torch.relu(self.norm1(x)))
        found = self.conv2(torch.relu(self.norm2(found)))
        result: Tensor = x + self.gain * found
        return result


class DilatedNetwork(nn.Module):
    """Centered and scaled spectrum in, class logits out (to be added to the linear path's)."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = nn.Conv1d(
            1, config.channels, config.stem_kernel, config.stem_stride, config.stem_kernel // 2
        )
        # Convolutions do not know where they are; absolute m/z matters, so every position has a
        # gain of its own, 1 at the start.
        self.position = nn.Parameter(torch.zeros(config.channels, config.positions))
        self.blocks = nn.ModuleList(DilatedBlock(config, d) for d in config.dilations)
        self.norm = nn.GroupNorm(4, config.channels)
        self.squeeze = nn.Conv1d(config.channels, config.head_channels, 1)
        self.dropout = nn.Dropout(0.3)
        self.hidden = nn.Linear(config.head_channels * config.positions, config.hidden)
        self.output = nn.Linear(config.hidden, config.classes)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def features(self, inputs: Tensor) -> Tensor:
        """Feature maps that still know their m/z: (N, B) → (N, C, L)."""
        x = self.stem(inputs[:, None, :])  # (N, 1, B) → (N, C, L)
        x = x * (1 + self.position)  # (N, C, L)
        for block in self.blocks:
            x = block(x)  # (N, C, L), sees 12·d·stride bins more
        maps: Tensor = x
        return maps

    def forward(self, inputs: Tensor) -> Tensor:  # (N, B) → (N, classes)
        """Class logits, zero before the first step."""
        x = torch.relu(self.norm(self.features(inputs)))  # (N, C, L)
        x = self.squeeze(x).flatten(1)  # (N, 4, L) → (N, 4 L): low rank, position kept
        x = nn.functional.gelu(self.hidden(self.dropout(x)))  # (N, 32)
        logits: Tensor = self.output(x)
        return logits
