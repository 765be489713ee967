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

from napari_ims_tumor.model.arithmetic import in_float32
from napari_ims_tumor.model.bin_conv import side_by_side
from napari_ims_tumor.model.config import NetworkConfig
from napari_ims_tumor.model.dropout import SeededDropout
from napari_ims_tumor.model.rectified_norm import rectified_norm

POLYPHASE_FROM: Final = 16
LONG: Final = 512
"""Positions from which on channels lie side by side in memory on a CPU: quicker, below slower."""


class DilatedConv(nn.Conv1d):
    """A dilated convolution that keeps the length; wide ones may run on a CPU as dense ones.

    Every d-th position convolved with a dense kernel is the same sum: (N, C, 1, L) is read as
    (N, C, L/d, d). For d of 16 and more a step takes about 0.7 of the time, below it is slower.
    """

    def __init__(self, channels: int, kernel: int, dilation: int) -> None:
        super().__init__(channels, channels, kernel, dilation=dilation)

    def forward(self, x: Tensor, gain: Tensor | None = None) -> Tensor:  # (N, C, 1, L) → the same
        """Convolve, and multiply by a learned number: the weights are, which is the same sum."""
        weight, bias = self.weight, self.bias
        if gain is not None and bias is not None:
            weight, bias = gain * weight, gain * bias
        step, side, length = self.dilation[0], (self.kernel_size[0] - 1) // 2, x.shape[3]
        # A long map without a gradient is quicker as it is.
        dense = torch.is_grad_enabled() or not is_long(x)
        if step >= POLYPHASE_FROM and x.device.type == "cpu" and dense:
            phases = _in_rows(nn.functional.pad(x, (0, -length % step)), step)
            kernel = laid_out(weight[..., None], x)  # (C, C, k, 1)
            found = nn.functional.conv2d(phases, kernel, bias, padding=(side, 0))
            return _in_rows(found, found.shape[2] * step)[..., :length]
        kernel = laid_out(weight[:, :, None], x)  # (C, C, 1, k)
        padding, dilation = (0, step * side), (1, step)
        return nn.functional.conv2d(x, kernel, bias, padding=padding, dilation=dilation)


def is_long(x: Tensor) -> bool:
    """Whether a map (N, C, 1, L) has its channels side by side on a CPU."""
    return x.shape[3] >= LONG


def laid_out(values: Tensor, x: Tensor) -> Tensor:
    """Lay a kernel or a map out in memory as the map it meets.

    A GPU normalizes into maps with each channel in one piece: with any other layout, as the stem
    leaves it, every block would copy the map there and back.
    """
    side = is_long(x) and x.device.type == "cpu"
    return side_by_side(values) if side else values.contiguous()


def _in_rows(x: Tensor, width: int) -> Tensor:
    """Break one row of positions into several, or join them: no copy in either layout.

    (N, C, 1, L) → (N, C, L/d, d): every d-th position then lies below the one before.
    """
    n, channels, rows, columns = x.shape
    shape = (n, rows * columns // width, width, channels)
    if x.is_contiguous():
        return x.reshape(n, channels, *shape[1:3])
    return x.permute(0, 2, 3, 1).reshape(shape).permute(0, 3, 1, 2)


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

    def forward(self, x: Tensor) -> Tensor:  # (N, C, 1, L) → (N, C, 1, L)
        """Add what the block found to what it was given."""
        found = self.conv1(rectified_norm(self.norm1, x))
        found = self.conv2(rectified_norm(self.norm2, found), self.gain)
        # Without a gradient nobody needs what was found apart: no third map is made.
        in_place = not torch.is_grad_enabled() and found.dtype == x.dtype
        result: Tensor = found.add_(x) if in_place else x + found
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
        self.dropout = SeededDropout(0.3)
        self.hidden = nn.Linear(config.head_channels * config.positions, config.hidden)
        self.output = nn.Linear(config.hidden, config.classes)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def features(self, inputs: Tensor) -> Tensor:
        """Feature maps that still know their m/z: (N, B) → (N, C, L)."""
        return self._maps(inputs).flatten(2)

    def _maps(self, inputs: Tensor) -> Tensor:
        x = self._stem(inputs)  # (N, B) → (N, C, 1, L)
        x = laid_out(x, x) * laid_out(1 + self.position[None, :, None], x)  # (N, C, 1, L)
        for block in self.blocks:
            x = block(x)  # (N, C, 1, L), sees 12·d·stride bins more
        return x

    def _stem(self, inputs: Tensor) -> Tensor:
        """The first convolution, as one product of every window with the kernels."""
        (kernel,), (stride,) = self.stem.kernel_size, self.stem.stride
        padded = nn.functional.pad(inputs, (kernel // 2, kernel // 2))
        windows = padded.unfold(1, kernel, stride)  # (N, L, 17)
        found = nn.functional.linear(windows, self.stem.weight[:, 0], self.stem.bias)
        return found.transpose(1, 2)[:, :, None]  # (N, L, C) → (N, C, 1, L)

    def in_rows(self, inputs: Tensor) -> Tensor:
        """What the head is given, one row per spectrum: (N, B) → (N, L C)."""
        return self._maps(inputs).permute(0, 2, 3, 1).flatten(1)

    def of_rows(self, rows: Tensor) -> Tensor:
        """Class logits of rows that :meth:`in_rows` made: (N, L C) → (N, classes)."""
        maps = rows.view(len(rows), 1, -1, self.config.channels).permute(0, 3, 1, 2)
        return self._head(laid_out(maps, maps))

    def forward(self, inputs: Tensor) -> Tensor:  # (N, B) → (N, classes)
        """Class logits, zero before the first step."""
        return self._head(self._maps(inputs))

    def _head(self, maps: Tensor) -> Tensor:
        x = rectified_norm(self.norm, maps)  # (N, C, 1, L)
        x = nn.functional.conv2d(x, self.squeeze.weight[..., None], self.squeeze.bias)
        x = x.flatten(1)  # (N, 4, 1, L) → (N, 4 L): low rank, position kept
        x = nn.functional.gelu(self.hidden(self.dropout(x)))  # (N, 32)
        return in_float32(self.output, x)
