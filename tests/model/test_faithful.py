from __future__ import annotations

from typing import Any

import pytest
import torch

from napari_ims_tumor.model.config import NetworkConfig
from napari_ims_tumor.model.faithful import FaithfulNetwork
from napari_ims_tumor.model.presets import build_network
from napari_ims_tumor.model.weight_shapes import weight_shapes


@pytest.mark.parametrize("bins", [3, 593, 12_000])
def test_resolution_is_kept_and_dilations_double_until_all_is_seen(bins: int) -> None:
    config = NetworkConfig.for_axis("faithful", bins, 2)
    assert config.stem_stride == 1
    assert config.positions == bins
    assert config.dilations == tuple(2**i for i in range(len(config.dilations)))
    assert config.receptive_field >= bins
    assert len(config.dilations) == 1 or config.receptive_field / 2 - 2 < bins


def test_dilations_end_at_4096() -> None:
    assert NetworkConfig.for_axis("faithful", 100_000, 2).dilations[-1] == 4_096


@pytest.mark.parametrize("dilations", [(1,), (1, 2, 4), (1, 2, 4, 8, 16, 32)])
def test_receptive_field_formula_equals_a_gradient_probe(
    build: Any, dilations: tuple[int, ...]
) -> None:
    config = NetworkConfig(
        "faithful", 500, 2, channels=8, stem_kernel=3, stem_stride=1, kernel=3, dilations=dilations
    )
    found = build.probed_receptive_field(build_network(config, 0), 250)
    assert found == config.receptive_field == 3 + 2 * sum(dilations)


def test_dilation_costs_no_parameters() -> None:
    dense, dilated = (
        NetworkConfig("faithful", 500, 2, channels=8, kernel=3, dilations=dilations)
        for dilations in ((1, 1, 1, 1), (1, 2, 4, 8))
    )
    assert weight_shapes(dense) == weight_shapes(dilated)
    assert dense.receptive_field < dilated.receptive_field


def test_absolute_position_matters() -> None:
    network = build_network(NetworkConfig.for_axis("faithful", 64, 2), 0).eval()
    assert isinstance(network, FaithfulNetwork)
    torch.nn.init.normal_(network.output.weight, generator=torch.Generator().manual_seed(0))
    peak = torch.zeros(2, 64)
    peak[0, 10], peak[1, 50] = 3, 3
    logits = network(peak).detach()
    assert not torch.allclose(logits[0], logits[1], atol=1e-3)
