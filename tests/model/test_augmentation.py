from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from napari_ims_tumor.errors import FitRefused
from napari_ims_tumor.job import outcome_of
from napari_ims_tumor.model.augmentation import Shown, _left_there, augmented
from napari_ims_tumor.model.config import Augmentation, FitConfig, Network, NetworkConfig
from napari_ims_tumor.model.normalization import InputNormalization, root_of_shares
from napari_ims_tumor.model.presets import RECIPES, Recipe, recipe_of
from napari_ims_tumor.model.training import Trainer
from napari_ims_tumor.model.training_set import TrainingSet
from napari_ims_tumor.msi.mass_axis import MassAxis

BINS = 200
TARGETS = torch.eye(2).repeat(8, 1)


def raw(seed: int = 0) -> np.ndarray:
    """Peaks on a flat ground, none within 6 bins of an end."""
    draw = np.random.default_rng(seed)
    values = draw.poisson(2.0, (16, BINS)).astype(np.float32)
    values[:, :6] = values[:, -6:] = 0
    for row in values:
        row[draw.integers(10, BINS - 10, 5)] += 300
    return values


def only(*names: Augmentation, network: Network = "isotopenet") -> Recipe:
    return recipe_of(network, names)


def shares() -> torch.Tensor:
    return torch.from_numpy(root_of_shares(raw()) ** 2)


def changed(shown: Shown, recipe: Recipe, seed: int = 0) -> torch.Tensor:
    return augmented(shown, recipe, np.random.default_rng(seed))[0]


def test_a_shift_moves_a_whole_spectrum_by_a_few_bins_and_each_by_its_own() -> None:
    before = shares()
    after = changed(Shown(before, TARGETS), only("shift"))
    moves = []
    for one, other in zip(before, after, strict=True):
        fits = [k for k in range(-6, 7) if torch.equal(torch.roll(one, k), other)]
        assert len(fits) == 1, "not the same spectrum at another place"
        moves += fits
    assert len(set(moves)) > 4


def test_what_was_centered_is_shifted_as_it_was_measured() -> None:
    """The same as to shift the intensities and to center them again."""
    values = raw()
    known = InputNormalization.learn(root_of_shares(values))
    inputs = torch.from_numpy(known.apply(root_of_shares(values)))
    after = changed(Shown(inputs, TARGETS, known), only("shift"))
    for number, found in enumerate(after.numpy()):
        moved = np.stack([np.roll(values[number], k) for k in range(-6, 7)])
        apart = np.abs(known.apply(root_of_shares(moved)) - found).max(axis=1)
        # What was cut off at 6 deviations is not known any more, but for its place.
        assert np.sort(apart)[0] < 1.0 < np.sort(apart)[1]


def test_a_gain_bends_along_the_axis_and_keeps_the_total() -> None:
    after = changed(Shown(shares(), TARGETS), only("gain"))
    torch.testing.assert_close(after.sum(1), shares().sum(1))
    curve = changed(Shown(torch.ones(16, BINS), TARGETS), only("gain"))
    assert 0.15 < float(curve.log().std(dim=1).mean()) < 0.4
    assert float(np.abs(np.diff(curve.log().numpy(), axis=1)).max()) < 0.05, "it bends, no jumps"
    assert float(curve.log().std(dim=0).mean()) > 0.1, "each spectrum has its own"


def test_nothing_is_what_nothing_asks_for() -> None:
    inputs, targets = augmented(Shown(shares(), TARGETS), only(), np.random.default_rng(0))
    assert torch.equal(inputs, shares())
    assert torch.equal(targets, TARGETS)


def test_what_lies_before_the_head_is_mixed_and_nothing_else() -> None:
    rows = Shown(torch.rand(16, 40), TARGETS, before_head=True)
    assert torch.equal(changed(rows, only("shift", "gain", "peaks")), rows.inputs)
    assert not torch.equal(changed(rows, only("mixing")), rows.inputs)


@pytest.mark.parametrize("network", RECIPES)
def test_a_network_keeps_its_own_ways_unless_asked(network: Network) -> None:
    own = RECIPES[network]
    assert recipe_of(network) is own
    assert recipe_of(network, own.augmentation) == own
    assert recipe_of(network, ()).augmentation == ()
    every = recipe_of(network, ("shift", "gain", "peaks", "mixing"))
    assert every.augmentation == ("shift", "gain", "peaks", "mixing")
    assert (every.epochs, every.learning_rate) == (own.epochs, own.learning_rate)


@pytest.mark.parametrize("network", RECIPES)
def test_every_network_learns_with_every_augmentation_the_same_each_time(network: Network) -> None:
    found = []
    for augment in ((), ("shift", "gain", "peaks", "mixing"), ("shift", "gain", "peaks", "mixing")):
        config = NetworkConfig.for_axis(network, BINS, 2)
        known = None if network == "isotopenet" else InputNormalization.learn(root_of_shares(raw()))
        seen = known.apply(root_of_shares(raw())) if known else shares().numpy()
        data = TrainingSet(seen, np.arange(16) % 2, 2, normalization=known)
        trainer = Trainer(config, data, 0, "cpu", augment)
        assert np.isfinite(outcome_of(trainer.epoch()))
        found.append(trainer.weights())
    none, first, again = found
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert any(not np.array_equal(first[name], none[name]) for name in first)


def test_a_fit_says_on_its_card_what_it_was_asked_for(build: Any) -> None:
    axis = MassAxis(np.linspace(800.0, 810.0, 80))
    spectra = build.spectra(bins=80)
    spectra = type(spectra)(
        spectra.values, spectra.classes, spectra.groups, axis, group_kind="group"
    )
    how = {"network": "isotopenet", "epochs": 1}
    model = build.fitted(spectra, augment=("shift", "gain"), **how)
    assert model.card["augmentation"] == "shift, gain"
    assert build.fitted(spectra, augment=(), **how).card["augmentation"] == "none"
    assert "augmentation" not in build.fitted(spectra, **how).card


def test_ions_picked_one_by_one_cannot_be_shifted(build: Any) -> None:
    with pytest.raises(FitRefused, match="each bin is an ion of its own"):
        build.fitted(build.spectra(), network="faithful", augment=("shift",))
    assert FitConfig().augment is None


def test_what_a_gpu_hides_it_draws_itself_as_much_and_the_same_for_the_same_seed() -> None:
    inputs = torch.ones(50, BINS)
    first, same, other = (_left_there(inputs, 0.3, seed) for seed in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert float(first.float().mean()) == pytest.approx(0.7, abs=0.02)
