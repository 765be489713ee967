from __future__ import annotations

from typing import Any

import pytest
import torch

from napari_ims_tumor.model.config import NetworkConfig
from napari_ims_tumor.model.network import DilatedConv, DilatedNetwork, laid_out
from napari_ims_tumor.model.presets import build_network
from napari_ims_tumor.model.tuning import is_tuned


@pytest.mark.parametrize(
    ("dilations", "stride"), [((1,), 1), ((1, 4), 1), ((1, 4), 8), ((1, 4, 16), 8)]
)
def test_receptive_field_formula_equals_a_gradient_probe(
    build: Any, dilations: tuple[int, ...], stride: int
) -> None:
    bins = 4_000
    config = NetworkConfig("default", bins, 2, channels=4, stem_stride=stride, dilations=dilations)
    network = build_network(config, 0)
    assert build.probed_receptive_field(network, config.positions // 2) == config.receptive_field


@pytest.mark.parametrize("bins", [3, 17, 593, 1_999, 2_000, 12_000, 50_000])
def test_the_receptive_field_covers_every_axis(bins: int) -> None:
    config = NetworkConfig.for_axis("default", bins, 2)
    assert config.receptive_field >= bins
    assert config.stem_stride <= config.channels / 2
    assert config.stem_stride == 1 or config.positions >= 128


def test_one_unit_sees_the_whole_axis(build: Any) -> None:
    config = NetworkConfig.for_axis("default", 593, 2)
    assert build.probed_receptive_field(build_network(config, 0), config.positions // 2) == 593


@pytest.mark.parametrize(
    ("dilation", "length"), [(16, 593), (16, 5), (16, 200), (64, 593), (64, 640), (4, 600)]
)
def test_wide_convolutions_are_the_same_sum(dilation: int, length: int) -> None:
    conv = DilatedConv(4, 7, dilation)
    x = torch.randn(2, 4, 1, length, generator=torch.Generator().manual_seed(0))
    side, gain = 3 * dilation, torch.tensor(0.3)
    expected = torch.nn.functional.conv1d(
        x[:, :, 0], conv.weight, conv.bias, padding=side, dilation=dilation
    )[:, :, None]
    x = laid_out(x, x)
    assert torch.allclose(conv(x), expected, atol=1e-5)
    assert torch.allclose(conv(x, gain), gain * expected, atol=1e-5)
    with torch.no_grad():
        assert torch.allclose(conv(x), expected, atol=1e-5)


@pytest.mark.parametrize("bins", [593, 12_000])
def test_on_a_gpu_maps_keep_one_layout_from_the_stem_to_the_head(bins: int) -> None:
    """Without data: what is not a CPU is asked to lay out its maps as a GPU is."""
    config = NetworkConfig.for_axis("default", bins, 2)
    with torch.device("meta"):
        network, inputs = DilatedNetwork(config), torch.empty(4, bins)
    before: list[bool] = []
    for block in network.blocks:
        block.register_forward_pre_hook(lambda _, given: before.append(given[0].is_contiguous()))
    assert network._maps(inputs).is_contiguous()
    assert before == [True] * len(config.dilations)
    heard: list[bool] = []
    network.norm.register_forward_pre_hook(lambda _, given: heard.append(given[0].is_contiguous()))
    network.eval().of_rows(network.in_rows(inputs))
    assert heard == [True]


def test_absolute_position_matters() -> None:
    config = NetworkConfig.for_axis("default", 64, 2)
    network = build_network(config, 0).eval()
    assert isinstance(network, DilatedNetwork)
    torch.nn.init.normal_(network.output.weight, generator=torch.Generator().manual_seed(0))
    peak = torch.zeros(2, 64)
    peak[0, 10], peak[1, 50] = 3, 3
    logits = network(peak).detach()
    assert not torch.allclose(logits[0], logits[1], atol=1e-3)


def test_building_leaves_the_random_state_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    build_network(NetworkConfig.for_axis("default", 20, 2), 0)
    assert torch.equal(torch.rand(1), expected)


def test_what_fine_tuning_may_change() -> None:
    config = NetworkConfig.for_axis("default", 593, 2)
    names = [name for name, _ in build_network(config, 0).named_parameters()]
    head, last, everything = (
        {name for name in names if is_tuned(name, tune, len(config.dilations))}
        for tune in ("head", "last blocks", "all")
    )
    assert head < last < everything == set(names)
    assert "stem.weight" not in last
    assert "output.weight" in head
