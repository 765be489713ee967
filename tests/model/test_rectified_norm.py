from __future__ import annotations

import torch

from napari_ims_tumor.model.rectified_norm import rectified_norm


def test_gradients_are_those_of_torch() -> None:
    draw = torch.Generator().manual_seed(0)
    norm = torch.nn.GroupNorm(4, 16)
    torch.nn.init.normal_(norm.weight, generator=draw)
    torch.nn.init.normal_(norm.bias, generator=draw)
    plain = torch.randn(3, 16, 1, 50, generator=draw) * 5 + 2
    weights = torch.randn(3, 16, 1, 50, generator=draw)
    found = []
    for layer in (lambda x: torch.relu(norm(x)), lambda x: rectified_norm(norm, x)):
        x = plain.contiguous(memory_format=torch.channels_last).requires_grad_()
        norm.zero_grad()
        (layer(x) * weights).sum().backward()
        found.append([x.grad, norm.weight.grad, norm.bias.grad])
    for expected, own in zip(*found, strict=True):
        assert expected is not None
        assert own is not None
        assert torch.allclose(expected, own, rtol=1e-4, atol=1e-4)
