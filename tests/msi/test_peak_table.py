"""The table of picked peaks says where peaks are and how high."""

from __future__ import annotations

import numpy as np
import pytest

from napari_ims_tumor.msi.mean_spectrum import MeanAndMax
from napari_ims_tumor.msi.peak_table import NO_PEAKS, pick_table
from napari_ims_tumor.msi.spectrum import Spectrum


def profile(heights: dict[float, float]) -> Spectrum:
    mz = np.linspace(100, 200, 5001)
    rng = np.random.default_rng(0)
    curve = rng.normal(10, 0.1, mz.size)
    for center, height in heights.items():
        curve += height * np.exp(-(((mz - center) / 0.1) ** 2))
    return Spectrum(mz, curve, "profile")


@pytest.fixture
def pair() -> MeanAndMax:
    return MeanAndMax(profile({120: 50, 150: 30}), profile({120: 80, 150: 90, 170: 200}))


def test_rows_ascend_and_hold_the_height_in_both_spectra(pair: MeanAndMax) -> None:
    table = pick_table(pair, "mean")
    assert table.mz == pytest.approx([120, 150], abs=0.03)
    assert table.mean == pytest.approx([60, 40], abs=1)
    assert table.max == pytest.approx([90, 100], abs=1)
    assert table.signal_to_noise == pytest.approx([500, 300], rel=0.3)


def test_the_maximum_has_peaks_that_the_mean_has_not(pair: MeanAndMax) -> None:
    table = pick_table(pair, "max")
    assert table.mz == pytest.approx([120, 150, 170], abs=0.03)
    assert table.mean[2] == pytest.approx(10, abs=1)


def test_centroids_are_summed_in_the_mean() -> None:
    rng = np.random.default_rng(1)
    mz = np.sort(500 * (1 + rng.normal(0, 3e-6, 200)))
    mean = Spectrum(np.concatenate([mz, [900.0]]), np.ones(201))
    highest = Spectrum(mean.mz, np.where(np.arange(201) == 100, 7.0, 2.0))
    table = pick_table(MeanAndMax(mean, highest), "mean")
    near = np.abs(table.mz - 500) < 0.01
    assert table.mean[near] == pytest.approx([200], rel=0.02)
    assert table.max[near].tolist() == [7]


def test_peaks_beside_an_mz(pair: MeanAndMax) -> None:
    table = pick_table(pair, "max")
    steps = []
    here: float | None = 100.0
    while here is not None and (peak := table.beside(here, forward=True)) is not None:
        steps.append(peak.mz)
        here = peak.mz
    assert steps == table.mz.tolist()
    assert table.beside(table.mz[0], forward=False) is None
    before = table.beside(table.mz[2], forward=False)
    assert before is not None
    assert before.mz == table.mz[1]
    assert before.window == table.window(1)
    assert NO_PEAKS.beside(500, forward=True) is None


def test_rows_near_an_mz(pair: MeanAndMax) -> None:
    table = pick_table(pair, "max")
    assert table.near(150.8, 1.0).tolist() == [1]
    assert table.near(150.8, 0.1).tolist() == []
    assert table.near(150.05, 0.0).tolist() == [1]
    assert table.near(145, 100.0).tolist() == [0, 1, 2]
