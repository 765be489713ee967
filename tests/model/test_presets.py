from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_ims_tumor.model.config import NETWORKS, FitConfig, Network, NetworkConfig
from napari_ims_tumor.model.normalization import InputNormalization, root_of_shares
from napari_ims_tumor.model.presets import (
    RECIPES,
    build_network,
    epochs_of,
    inputs_of,
    largest_batch,
    load_weights,
)
from napari_ims_tumor.model.weight_shapes import RUNNING, parameter_count, weight_shapes

CNNS = [network for network in NETWORKS if network != "linear"]


@pytest.mark.parametrize("network", CNNS)
@pytest.mark.parametrize("bins", [3, 100, 2_500])
def test_shapes_are_known_without_building(network: Network, bins: int) -> None:
    config = NetworkConfig.for_axis(network, bins, 3)
    built = build_network(config, 0).eval()
    expected = {
        "cnn." + name: tuple(values.shape)
        for name, values in built.state_dict().items()
        if values.is_floating_point()
    }
    shapes = weight_shapes(config)
    assert {k: v for k, v in shapes.items() if k.startswith("cnn.")} == expected
    assert built(torch.zeros(2, bins)).shape == (2, 3)
    assert parameter_count(config) == sum(p.numel() for p in built.parameters())


@pytest.mark.parametrize("network", CNNS)
def test_weights_of_a_file_make_the_same_network(network: Network) -> None:
    config = NetworkConfig.for_axis(network, 60, 2)
    rng = np.random.default_rng(0)
    weights = {
        name: np.abs(rng.normal(size=shape)).astype(np.float32)
        for name, shape in weight_shapes(config).items()
    }
    built = build_network(config, 0)
    load_weights(built, weights)
    state = built.state_dict()
    for name in ("output.weight", *(n for n in state if n.endswith(RUNNING))):
        assert np.array_equal(state[name].numpy(), weights["cnn." + name]), name


def test_isotopenet_is_shown_shares_and_the_others_centered_roots() -> None:
    values = np.random.default_rng(0).poisson(9, (20, 30)).astype(np.float32)
    roots = root_of_shares(values)
    normalization = InputNormalization.learn(roots)
    shares = inputs_of("isotopenet", normalization, roots)
    assert np.allclose(shares, 30 * values / values.sum(axis=1, keepdims=True), rtol=1e-5)
    assert np.array_equal(inputs_of("faithful", normalization, roots), normalization.apply(roots))


def test_long_axes_are_shown_fewer_spectra_at_a_time() -> None:
    for network in CNNS:
        sizes = [
            largest_batch(NetworkConfig.for_axis(network, n, 2)) for n in (600, 12_000, 60_000)
        ]
        assert sizes[0] >= sizes[1] >= sizes[2] >= 4
        assert sizes[0] >= 32


def test_each_network_has_its_own_number_of_epochs_unless_one_is_named() -> None:
    assert [epochs_of(FitConfig(network)) for network in CNNS] == [
        RECIPES[network].epochs for network in CNNS
    ]
    assert epochs_of(FitConfig("isotopenet")) == 100
    assert epochs_of(FitConfig("isotopenet", epochs=7)) == 7
