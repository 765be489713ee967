"""Group normalization with a ReLU behind it, laid out so that a CPU is quick.

torch's own gradient of a group normalization is several times slower where channels lie side by
side in memory than where they do not. This is the same gradient in six passes over the map.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from napari_ims_tumor.model.bin_conv import side_by_side


def rectified_norm(norm: nn.Module, x: Tensor) -> Tensor:  # (N, C, 1, L) → (N, C, 1, L)
    """Normalize, then cut off what is negative."""
    if not isinstance(norm, nn.GroupNorm):
        return torch.relu(norm(x))
    if not torch.is_grad_enabled():
        return torch.relu_(norm(x))
    if x.device.type == "cpu" and x.dtype == torch.float32 and not x.is_contiguous():
        found: Tensor = _RectifiedNorm.apply(x, norm.weight, norm.bias, norm)  # type: ignore[no-untyped-call]
        return found
    return torch.relu(norm(x))


class _RectifiedNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, norm: nn.GroupNorm) -> Tensor:
        x = side_by_side(x)
        n, channels, _, length = x.shape
        out, mean, spread = torch.native_group_norm(
            x, weight, bias, n, channels, length, norm.num_groups, norm.eps
        )
        out.relu_()
        ctx.save_for_backward(x, out, mean, spread, weight)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None]:
        x, out, mean, spread, weight = ctx.saved_tensors
        n, channels, _, length = x.shape
        each = channels // mean.shape[1]
        slope = _rows(torch.ops.aten.threshold_backward(grad, out, 0))
        maps = _rows(x)
        # Sums over the length: (N, C).
        total, moment = slope.sum(1), (slope * maps).sum(1)
        wide_mean, wide_spread = (v.repeat_interleave(each, 1) for v in (mean, spread))
        of_weight = ((moment - wide_mean * total) * wide_spread).sum(0)
        if not ctx.needs_input_grad[0]:
            return None, of_weight, total.sum(0), None
        by_group = [(s * weight).view(n, -1, each).sum(2) for s in (total, moment)]
        of_maps = (by_group[0] * mean - by_group[1]) * spread**3 / (each * length)
        constant = -of_maps * mean - by_group[0] * spread / (each * length)
        of_maps, constant = (v.repeat_interleave(each, 1)[:, None] for v in (of_maps, constant))
        back = torch.addcmul(constant, slope, (wide_spread * weight)[:, None])
        back.addcmul_(maps, of_maps)
        return back.permute(0, 2, 1)[:, :, None], of_weight, total.sum(0), None


def _rows(x: Tensor) -> Tensor:
    """(N, C, 1, L) → (N, L, C), without a copy where channels lie side by side."""
    return x[:, :, 0].permute(0, 2, 1)
