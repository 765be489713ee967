"""The floor under peaks is found, whatever stands on it."""

from __future__ import annotations

import numpy as np
import pytest

from napari_ims_tumor.msi.noise import floor_of


@pytest.mark.parametrize("share_of_peaks", [0.0, 0.1, 0.4])
def test_noise_and_level_of_a_known_floor(share_of_peaks: float) -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(20, 3, 20_000)
    peaks = rng.random(values.size // 10) < share_of_peaks
    values += np.repeat(peaks, 10) * np.tile(np.hanning(10), peaks.size) * 500
    floor = floor_of(values)
    assert np.median(floor.noise) == pytest.approx(3, rel=1.0 if share_of_peaks > 0.3 else 0.2)
    assert np.median(floor.level) == pytest.approx(20, abs=1 + 6 * share_of_peaks)


def test_the_floor_follows_a_slope() -> None:
    rng = np.random.default_rng(3)
    slope = np.linspace(100, 10, 30_000)
    floor = floor_of(slope + rng.normal(0, slope / 20))
    assert floor.noise[2000] / floor.noise[-2000] == pytest.approx(
        slope[2000] / slope[-2000], rel=0.4
    )
    assert np.abs(floor.level - slope).max() < 5


def test_nothing_scatters_where_all_is_zero() -> None:
    for n in (1, 2, 3, 1000):
        floor = floor_of(np.zeros(n))
        assert floor.noise.tolist() == [0] * n
        assert floor.level.tolist() == [0] * n


def test_noise_that_an_instrument_cut_off_at_zero_still_counts() -> None:
    rng = np.random.default_rng(6)
    floor = floor_of(np.maximum(rng.normal(0.3, 1, 20_000), 0))
    assert floor.noise.min() > 0.3
