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
