from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ims_tumor.model.region_mixture import RegionShare, region_shares
from napari_ims_tumor.msi.arrays import Float64Array


def drawn(
    shares: list[float], move: float, seed: int = 0, n: int = 80
) -> tuple[list[Float64Array], list[Float64Array], list[Float64Array]]:
    """Regions around 0 and 4, healthy groups around 0, each moved by its own patient."""
    rng = np.random.default_rng(seed)
    truth = [(rng.random(n) < share).astype(np.float64) for share in shares]
    regions = [rng.normal(4 * t, 1) + move * rng.normal() for t in truth]
    healthy = [rng.normal(0, 1, n) + move * rng.normal() for _ in range(6)]
    return regions, healthy, truth


def found(shares: list[float], move: float, least: float = 0.3) -> list[RegionShare]:
    regions, healthy, _ = drawn(shares, move)
    return region_shares(regions, healthy, least)


@pytest.mark.parametrize("move", [0.1, 0.8])
def test_each_region_gets_its_own_share(move: float) -> None:
    told = [0.35, 0.5, 0.7, 1.0, 1.0]
    for region, share in zip(found(told, move), told, strict=True):
        assert region.share == pytest.approx(share, abs=0.15)


def test_pure_regions_are_found_pure() -> None:
    assert all(region.share > 0.9 for region in found([1.0] * 5, 0.5))


def test_pixels_are_told_apart_inside_a_moved_region() -> None:
    regions, healthy, truth = drawn([0.5] * 6, 1.0)
    for region, known in zip(region_shares(regions, healthy, 0.3), truth, strict=True):
        right = (region.of_class > 0.5) == (known > 0.5)
        assert right.mean() > 0.85
        assert region.of_class.shape == known.shape


def test_regions_far_from_home_are_seen_by_their_shape() -> None:
    """Moved by more than a spread, half of a region would pass for all or none of it."""
    shares = [region.share for region in found([0.5] * 6, 1.8)]
    assert np.abs(np.array(shares) - 0.5).max() < 0.2


def test_no_share_is_below_the_least() -> None:
    assert all(region.share >= 0.3 for region in found([0.0, 0.05, 0.6, 0.9], 0.2))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.lists(st.floats(-30, 30), min_size=1, max_size=9), min_size=1, max_size=3),
    st.lists(st.lists(st.floats(-30, 30), min_size=1, max_size=9), min_size=1, max_size=3),
)
def test_any_numbers_give_probabilities(
    regions: list[list[float]], healthy: list[list[float]]
) -> None:
    arrays = [np.array(numbers) for numbers in regions]
    for one in region_shares(arrays, [np.array(numbers) for numbers in healthy], 0.3):
        assert 0.3 <= one.share <= 1 + 1e-9
        assert ((one.of_class >= 0) & (one.of_class <= 1 + 1e-9)).all()
