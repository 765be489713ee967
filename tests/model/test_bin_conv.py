from __future__ import annotations

import pytest
import torch

from napari_ims_tumor.model.bin_conv import BinConv, bin_maps


@pytest.mark.parametrize("length", [3, 16, 593])
@pytest.mark.parametrize(
    ("before", "after", "kernel", "stride", "dilation"),
    [(1, 8, 3, 1, 1), (8, 8, 3, 5, 1), (8, 8, 1, 5, 1), (8, 1, 1, 3, 1), (8, 8, 3, 1, 64)],
)
def test_it_is_the_usual_convolution_and_gradient(
    before: int, after: int, kernel: int, stride: int, dilation: int, length: int
) -> None:
    conv = BinConv(before, after, kernel, stride, dilation)
    x = torch.randn(4, before, length, generator=torch.Generator().manual_seed(0))
    usual = torch.nn.functional.conv1d(
        x, conv.weight, None, stride, dilation * (kernel // 2), dilation
    )
    usual.square().sum().backward()
    assert conv.weight.grad is not None
    expected = conv.weight.grad.clone()
    conv.weight.grad = None
    found = conv(x[:, :, None])
    found.square().sum().backward()
    assert torch.allclose(found[:, :, 0], usual, atol=1e-5)
    assert torch.allclose(conv.weight.grad, expected, rtol=1e-3, atol=1e-3)


def test_spectra_become_maps_of_one_channel() -> None:
    inputs = torch.arange(10.0).reshape(2, 5)
    assert torch.equal(bin_maps(inputs)[:, 0, 0], inputs)
