"""Peaks are found where they are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from napari_ims_tumor.msi.peaks import pick_peaks
from napari_ims_tumor.msi.spectrum import Spectrum


def test_profile_tops_strongest_first() -> None:
    mz = np.linspace(100, 200, 5001)
    curve = 5 * np.exp(-(((mz - 120) / 0.1) ** 2)) + 9 * np.exp(-(((mz - 180) / 0.2) ** 2))
    peaks = pick_peaks(Spectrum(mz, curve, "profile"), 5)
    assert [round(peak.mz, 1) for peak in peaks] == [180, 120]
    for peak in peaks:
        assert peak.window.low < peak.mz < peak.window.high
        assert peak.window.high - peak.window.low < 2


def test_noise_is_not_a_peak() -> None:
    rng = np.random.default_rng(0)
    mz = np.linspace(100, 200, 5001)
    curve = rng.normal(0, 0.01, mz.size) + 5 * np.exp(-(((mz - 150) / 0.1) ** 2))
    assert [round(p.mz, 1) for p in pick_peaks(Spectrum(mz, curve, "profile"), 3)][:1] == [150]


def test_peak_lists_rank_by_intensity_with_windows_apart() -> None:
    spectrum = Spectrum([100.0, 100.1, 101.0, 300.0], [1.0, 4.0, 2.0, 3.0])
    peaks = pick_peaks(spectrum, 3)
    assert [peak.mz for peak in peaks] == [100.1, 300, 101]
    everything = sorted(pick_peaks(spectrum, 10), key=lambda peak: peak.mz)
    for one, other in itertools.pairwise(everything):
        assert one.window.high < other.window.low


def test_scattered_centroids_are_gathered() -> None:
    rng = np.random.default_rng(1)
    mz = np.sort(np.concatenate([m * (1 + rng.normal(0, 3e-6, 400)) for m in (400.0, 800.0)]))
    peaks = pick_peaks(Spectrum(mz, np.ones(800)), 2)
    assert sorted(round(peak.mz, 2) for peak in peaks) == [400, 800]
    for peak in peaks:
        inside = ((mz >= peak.window.low) & (mz <= peak.window.high)).sum()
        assert inside > 380
        assert peak.intensity == pytest.approx(inside, rel=0.02)


def test_nothing_to_find() -> None:
    assert pick_peaks(Spectrum(np.zeros(0), np.zeros(0)), 3) == ()
    assert pick_peaks(Spectrum([1.0, 2.0], [0.0, np.nan]), 3) == ()
    assert pick_peaks(Spectrum([1.0], [2.0]), 0) == ()
    flat = Spectrum(np.arange(1.0, 100.0), np.ones(99), "profile")
    assert len(pick_peaks(flat, 3)) <= 1


AXES = {
    "uniform": np.linspace(300, 900, 30_001),
    "time of flight": np.linspace(np.sqrt(300), np.sqrt(900), 30_001) ** 2,
    "Fourier transform": np.linspace(300**-0.5, 900**-0.5, 30_001)[::-1].copy() ** -2,
}


def planted(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Masses at least 1 Da apart, and heights from 8 to 800 times the noise."""
    rng = np.random.default_rng(seed)
    masses = 305 + np.arange(n) * (590 / n) + rng.uniform(0, 590 / n - 1, n)
    return masses, 8 * 10 ** rng.uniform(0, 2, n)


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("seed", [0, 1])
def test_planted_peaks_of_profiles_are_found_and_nothing_else(axis: str, seed: int) -> None:
    """Of 200 peaks above eight times the noise, at least 98 % are found; 98 % of those are true."""
    mz = AXES[axis]
    masses, heights = planted(200, seed)
    curve = np.random.default_rng(seed + 9).normal(0, 1, mz.size) + 50 * np.exp(-mz / 300)
    for mass, height in zip(masses, heights, strict=True):
        curve += height * np.exp(-(((mz - mass) / (2e-4 * mass)) ** 2))
    found = np.array([peak.mz for peak in pick_peaks(Spectrum(mz, curve, "profile"), 10_000)])
    away = np.abs(found[:, None] - masses[None, :]) / masses[None, :]
    assert (away.min(axis=0) < 2e-4).mean() >= 0.98
    assert (away.min(axis=1) < 2e-4).mean() >= 0.98


@pytest.mark.parametrize("seed", [0, 1])
def test_planted_masses_of_centroids_are_found_among_stray_ones(seed: int) -> None:
    """200 masses in 300 spectra, each scattered by 3 ppm, among as many stray centroids."""
    rng = np.random.default_rng(seed)
    masses, heights = planted(200, seed)
    hits = np.concatenate([m * (1 + rng.normal(0, 3e-6, 300)) for m in masses])
    strays = rng.uniform(300, 900, hits.size)
    mz = np.concatenate([hits, strays])
    intensity = np.concatenate([np.repeat(heights, 300) / 300, rng.gamma(1, 0.002, strays.size)])
    order = np.argsort(mz)
    found = pick_peaks(Spectrum(mz[order], intensity[order]), 10_000)
    away = np.abs(np.array([p.mz for p in found])[:, None] - masses[None, :]) / masses[None, :]
    assert (away.min(axis=0) < 5e-6).mean() >= 0.98
    assert (away.min(axis=1) < 1.5e-5).mean() >= 0.98


def test_bins_that_call_themselves_centroids_are_a_profile() -> None:
    mz = np.linspace(500, 520, 201)
    curve = 10 * np.exp(-(((mz - 510) / 0.3) ** 2)) + 1e-3
    assert [round(peak.mz, 1) for peak in pick_peaks(Spectrum(mz, curve, "centroid"), 50)] == [510]


def test_a_rough_top_is_one_peak() -> None:
    rng = np.random.default_rng(4)
    mz = np.linspace(500, 520, 2001)
    curve = rng.poisson(2 + 900 * np.exp(-(((mz - 510) / 0.4) ** 2))).astype(float)
    peaks = pick_peaks(Spectrum(mz, curve, "profile"), 50)
    assert len(peaks) == 1
    assert peaks[0].mz == pytest.approx(510, abs=0.2)
    assert peaks[0].signal_to_noise > 300
