from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
import torch

from napari_ims_tumor.model.config import NetworkConfig
from napari_ims_tumor.model.isotopenet import LocallyConnected
from napari_ims_tumor.model.normalization import root_of_shares
from napari_ims_tumor.model.presets import build_network
from napari_ims_tumor.model.scores import balanced_accuracy
from napari_ims_tumor.model.training import Trainer
from napari_ims_tumor.model.training_set import TrainingSet
from napari_ims_tumor.model.weight_shapes import parameter_count


@pytest.mark.parametrize(("bins", "count"), [(6_000, 3_995), (12_000, 6_795), (27_286, 13_935)])
def test_it_has_the_published_number_of_parameters(bins: int, count: int) -> None:
    config = NetworkConfig.for_axis("isotopenet", bins, 2)
    built = sum(p.numel() for p in build_network(config, 0).parameters())
    assert built == parameter_count(config) == count


def test_its_maps_have_the_published_lengths() -> None:
    network: Any = build_network(NetworkConfig.for_axis("isotopenet", 27_286, 2), 0)
    x, shapes = torch.zeros(1, 1, 1, 27_286), []
    for block in network.blocks:
        x = block(x)
        shapes.append((x.shape[1], x.shape[3]))
    assert shapes == [(8, 27_286), (8, 5_458), (8, 5_458), (1, 1_820)]
    assert network.config.positions == 1_820


def test_one_unit_sees_109_bins(build: Any) -> None:
    config = NetworkConfig.for_axis("isotopenet", 6_000, 2)
    network = build_network(config, 0)
    found = build.probed_receptive_field(network, config.positions // 2)
    assert found == config.receptive_field == 109


def test_the_local_layer_weighs_each_position_with_weights_of_its_own() -> None:
    layer = LocallyConnected(6)
    x = torch.randn(2, 1, 6, generator=torch.Generator().manual_seed(0))
    padded = torch.nn.functional.pad(x, (2, 2))
    expected = [(padded[:, 0, p : p + 5] * layer.weight[p]).sum(dim=1) for p in range(6)]
    assert torch.allclose(layer(x)[:, 0], torch.stack(expected, dim=1), atol=1e-6)


def test_no_convolution_has_a_bias() -> None:
    network = build_network(NetworkConfig.for_axis("isotopenet", 600, 2), 0)
    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv1d)]
    assert len(convolutions) == 11
    assert all(c.bias is None for c in convolutions)


def test_a_distant_gate_is_beyond_its_sight(build: Any) -> None:
    """Peaks that decide together lie 160 bins apart; what it sees at once it can only add up."""
    train, test = (build.distant_gate(400, 400, seed) for seed in (0, 1))
    shown = [root_of_shares(spectra.values) ** 2 for spectra in (train, test)]
    config = NetworkConfig.for_axis("isotopenet", 400, 2)
    trainer = Trainer(config, TrainingSet(shown[0], train.classes, 2), 0, "cpu")
    for _ in range(15):
        run_steps(trainer.epoch())
    score = balanced_accuracy(run_steps(trainer.logits(shown[1])), test.classes)
    assert 0.65 <= score <= 0.80


def run_steps(steps: Generator[Any, None, Any]) -> Any:
    try:
        while True:
            next(steps)
    except StopIteration as end:
        return end.value
