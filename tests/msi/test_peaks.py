"""Peaks are found where they are, and tissue ions show structure."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from napari_ims_tumor.msi.mass_axis import MassAxis
from napari_ims_tumor.msi.peaks import pick_peaks, strongest_tissue_peaks
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.spectrum import Spectrum
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset


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


def tissue() -> InMemoryDataset:
    """A disc of tissue: channel 0 noise, 1 rim, 2 and 3 the same tissue, 4 another part of it."""
    rng = np.random.default_rng(5)
    rows, columns = np.mgrid[0:30, 0:30].reshape(2, -1)
    disc = np.hypot(rows - 15, columns - 15) < 10
    half = disc & (rows > 15)
    rng_noise = rng.gamma(1, 40, rows.size)
    channels = [rng_noise, 60 * ~disc, 50 * disc, 40 * disc, 45 * half]
    matrix = np.stack(channels, axis=1) + rng.gamma(1, 1, (rows.size, 5))
    axis = MassAxis(np.array([300.0, 400.0, 500.0, 501.0, 600.0]))
    return InMemoryDataset.from_matrix(
        axis, matrix, PixelGrid(rows, columns, (30, 30)), mode="centroid"
    )


def test_tissue_ions_come_before_noise_background_and_isotopes() -> None:
    found = [peak.mz for peak in strongest_tissue_peaks(tissue(), 2)]
    assert found == [500, 600]


def test_as_many_as_there_are() -> None:
    assert len(strongest_tissue_peaks(tissue(), 10)) == 5


@pytest.mark.real_data
def test_kidney_shows_its_known_lipid(real_data: Path) -> None:
    from napari_ims_tumor.io.imzml import open_imzml

    path = real_data / "kidney_timstof_healthy" / "kidney_processed_offsetcoords.imzML"
    with open_imzml(path) as slide:
        found = [peak.mz for peak in strongest_tissue_peaks(slide, 3)]
    assert any(abs(mz - 885.55) < 0.01 for mz in found)
