"""The mean spectrum loses nothing and invents nothing."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ims_tumor.msi.mass_axis import MassAxis
from napari_ims_tumor.msi.mean_spectrum import (
    mean_and_max,
    mean_spectrum,
    region_mean_spectrum,
)
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.spectrum import Mode, Spectrum
from napari_ims_tumor.msi.synthetic import in_memory
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset


def line(n: int) -> PixelGrid:
    return PixelGrid(np.zeros(n, int), np.arange(n), (1, max(n, 1)))


def slide_of(spectra: list[Spectrum]) -> InMemoryDataset:
    return InMemoryDataset.from_spectra(spectra, line(len(spectra)))


def random_slide(seed: int, mode: Mode, n: int, low: float) -> InMemoryDataset:
    rng = np.random.default_rng(seed)
    spectra = []
    for _ in range(n):
        k = int(rng.integers(0, 50))
        mz = np.sort(rng.uniform(low, 2000, k))
        intensity = rng.normal(5, 10, k)
        intensity[rng.random(k) < 0.05] = np.nan
        spectra.append(Spectrum(mz, intensity, mode))
    return slide_of(spectra)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from(["profile", "centroid"]),
    st.integers(1, 12),
    st.sampled_from([-5.0, 0.0, 0.5, 100.0]),
)
def test_total_is_conserved(seed: int, mode: Mode, n: int, low: float) -> None:
    slide = random_slide(seed, mode, n, low)
    mean = mean_spectrum(slide)
    total = slide.total_ion_current().sum()
    scale = max(abs(total), 100.0)
    assert abs(mean.intensity.sum() * n - total) <= 1e-9 * scale
    assert (np.diff(mean.mz) > 0).all()
    assert np.isfinite(mean.intensity).all()


def test_continuous_keeps_its_axis_exactly() -> None:
    axis = MassAxis(np.array([100.0, 101.0, 150.0]))
    matrix = np.array([[1.0, 2.0, np.nan], [3.0, np.inf, 5.0]], np.float32)
    slide = InMemoryDataset.from_matrix(axis, matrix, line(2))
    mean = mean_spectrum(slide)
    assert np.array_equal(mean.mz, axis.mz)
    assert mean.intensity.tolist() == [2, 1, 2.5]


def test_centroids_keep_their_mass() -> None:
    spectra = [Spectrum([500.0, 700.0], [1.0, 2.0]), Spectrum([500.0002], [3.0])]
    mean = mean_spectrum(slide_of(spectra))
    near = np.abs(mean.mz - 500) < 0.01
    assert mean.intensity[near].sum() == pytest.approx(2)
    assert np.average(mean.mz[near], weights=mean.intensity[near]) == pytest.approx(500.00015)
    assert mean.mz[-1] == 700


def test_profiles_of_different_axes_add_up_without_a_comb() -> None:
    """A smooth curve sampled on shifted axes must average to a smooth curve."""
    rng = np.random.default_rng(0)
    spectra = []
    for _ in range(60):
        mz = np.sqrt(np.arange(1000, 4000) * 100.0 + rng.uniform(0, 100))
        curve = 10 + 1000 * np.exp(-(((mz - 500) / 2.0) ** 2))
        spectra.append(Spectrum(mz, curve, "profile"))
    mean = mean_spectrum(slide_of(spectra))
    inner = (mean.mz > 400) & (mean.mz < 600)
    values = mean.intensity[inner]
    steps = np.diff(mean.mz[inner])
    assert np.allclose(np.median(steps), np.median(np.diff(spectra[0].mz)), rtol=0.3)
    flat = values[np.abs(mean.mz[inner] - 500) > 20]
    assert flat.std() / flat.mean() < 0.1
    assert abs(mean.mz[np.argmax(mean.intensity)] - 500) < 0.2


def test_samples_are_split_so_that_their_mass_stays() -> None:
    mz = np.linspace(400, 600, 2001)
    for shift in (0.0, 0.013, 0.05, 0.09):
        intensity = np.zeros(mz.size)
        intensity[1000] = 1
        mean = mean_spectrum(slide_of([Spectrum(mz + shift, intensity, "profile")]))
        assert np.average(mean.mz, weights=mean.intensity) == pytest.approx(500 + shift, abs=1e-4)


def test_region_is_the_mean_of_its_spectra() -> None:
    slide = random_slide(3, "centroid", 8, 100.0)
    region = region_mean_spectrum(slide, [1, 5, 6])
    total = slide.total_ion_current()[[1, 5, 6]].sum()
    assert region.intensity.sum() * 3 == pytest.approx(total)
    assert region_mean_spectrum(slide, []).intensity.sum() == 0


def test_a_slide_of_empty_spectra_has_an_empty_mean() -> None:
    for mode in ("profile", "centroid"):
        empty = Spectrum(np.zeros(0), np.zeros(0), mode)
        assert len(mean_spectrum(slide_of([empty, empty]))) == 0


def test_one_point_is_its_own_mean() -> None:
    for mode in ("profile", "centroid"):
        mean = mean_spectrum(slide_of([Spectrum([500.0], [3.0], mode)]))
        assert mean.mz.tolist() == [pytest.approx(500)]
        assert mean.intensity.tolist() == [3]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["profile", "centroid"]), st.integers(1, 12))
def test_no_point_is_higher_than_the_maximum_and_each_top_is_a_point(
    seed: int, mode: Mode, n: int
) -> None:
    slide = random_slide(seed, mode, n, 100.0)
    pair = mean_and_max(slide)
    assert np.array_equal(pair.max.mz, pair.mean.mz)
    points = np.concatenate([slide.spectrum(i).intensity for i in range(n)])
    points = points[np.isfinite(points)]
    assert pair.max.intensity.max(initial=0) == max(points.max(initial=-np.inf), 0)
    assert np.isin(pair.max.intensity, [*points, 0]).all()


def test_the_maximum_of_a_shared_axis_is_that_of_each_channel() -> None:
    axis = MassAxis(np.array([100.0, 101.0, 150.0, 160.0]))
    matrix = np.array([[1, 2, np.nan, np.inf], [3, -np.inf, 5, np.nan]], np.float32)
    slide = InMemoryDataset.from_matrix(axis, matrix, line(2))
    assert slide.max_spectrum().intensity.tolist() == [3, 2, 5, 0]


def test_the_maximum_is_that_of_all_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_memory, "BLOCK_VALUES", 4)
    rng = np.random.default_rng(7)
    axis, matrix = MassAxis(np.array([100.0, 101.0, 150.0])), rng.gamma(1, 1, (20, 3))
    slide = InMemoryDataset.from_matrix(axis, matrix, line(20))
    assert len(list(slide.blocks())) > 5
    assert np.array_equal(slide.max_spectrum().intensity, matrix.max(axis=0))


def test_a_peak_of_one_pixel_is_as_high_in_the_maximum_as_there() -> None:
    common = Spectrum([500.0, 700.0], [1.0, 2.0])
    pair = mean_and_max(slide_of([*[common] * 99, Spectrum([600.0], [40.0])]))
    rare = np.abs(pair.max.mz - 600) < 0.01
    assert pair.max.intensity[rare].tolist() == [40]
    assert pair.mean.intensity[rare] == pytest.approx([0.4])


def test_profiles_of_different_axes_leave_no_holes_in_the_maximum() -> None:
    spectra = []
    rng = np.random.default_rng(8)
    for _ in range(2):
        mz = np.linspace(400, 600, 2001) + rng.uniform(-0.04, 0.04, 2001)
        spectra.append(Spectrum(mz, 10 + np.exp(-(((mz - 500) / 1.0) ** 2)), "profile"))
    top = mean_and_max(slide_of(spectra)).max
    inner = (top.mz > 401) & (top.mz < 599)
    assert top.intensity[inner].min() >= 10
    assert top.intensity.max() == pytest.approx(11, abs=1e-2)


def test_the_maximum_of_a_region_is_that_of_its_spectra() -> None:
    slide = random_slide(3, "centroid", 8, 100.0)
    region = mean_and_max(slide, [1, 5])
    points = np.concatenate([slide.spectrum(i).intensity for i in (1, 5)])
    assert region.max.intensity.max() == np.nanmax(points)
    assert mean_and_max(slide, []).max.intensity.sum() == 0


@pytest.mark.parametrize("mz", [1e20, 1e300, -1e300, 1e-300])
@pytest.mark.parametrize("height", [5.0, 1e306])
def test_a_damaged_point_takes_no_memory_and_loses_no_intensity(mz: float, height: float) -> None:
    """One flipped bit makes such an m/z: bins up to there would take gigabytes."""
    order = np.argsort([100.0, mz])
    spectra = [
        Spectrum(np.array([100.0, 200.0]), np.array([1.0, 2.0]), "centroid"),
        Spectrum(np.array([100.0, mz])[order], np.array([3.0, height])[order], "centroid"),
    ]
    grid = PixelGrid(np.zeros(2, int), np.arange(2), (1, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = mean_spectrum(InMemoryDataset.from_spectra(spectra, grid, "damaged"))
    assert np.isfinite(found.mz).all()
    assert np.isclose(found.intensity.sum() * 2, 6 + height)
    assert (np.diff(found.mz) > 0).all()
