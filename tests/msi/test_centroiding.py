"""Peaks found in curves whose peaks are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ims_tumor.errors import QueryError
from napari_ims_tumor.msi.centroided import Centroided
from napari_ims_tumor.msi.centroiding import CentroidMethod, find_centroids, noise_of
from napari_ims_tumor.msi.mass_axis import MassAxis
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.spectrum import Spectrum
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset

ALL = CentroidMethod(noise=0)
AREA = CentroidMethod(measure="area", noise=0)
MEAN = CentroidMethod(position="mean", noise=0)
AXES = {
    "uniform": np.arange(500, 510, 0.02),
    "time of flight": np.linspace(np.sqrt(500), np.sqrt(510), 500) ** 2,
    "uneven": 500 + np.cumsum(np.random.default_rng(0).uniform(0.01, 0.03, 500)),
}


def gaussian(mz, center, height=100.0, sigma=0.05):
    return height * np.exp(-(((mz - center) / sigma) ** 2) / 2)


@pytest.mark.parametrize("axis", AXES)
@settings(max_examples=30)
@given(center=st.floats(501, 507))
def test_the_parabola_finds_a_gaussian_exactly(axis, center):
    mz = AXES[axis]
    place, height = find_centroids(mz, gaussian(mz, center), ALL)
    assert place == pytest.approx([center], abs=1e-7)
    assert height == pytest.approx([100.0], rel=1e-7)


@pytest.mark.parametrize("axis", AXES)
@settings(max_examples=30)
@given(center=st.floats(501, 507), sigma=st.floats(0.04, 0.2))
def test_the_area_is_the_integral_of_the_curve(axis, center, sigma):
    mz = AXES[axis]
    _, area = find_centroids(mz, gaussian(mz, center, sigma=sigma), AREA)
    rel = 0.05 if axis == "uneven" else 0.005
    assert area == pytest.approx([100 * sigma * math.sqrt(2 * math.pi)], rel=rel)


@settings(max_examples=30)
@given(center=st.floats(501, 507))
def test_the_mean_of_the_upper_half_is_within_a_tenth_of_a_sample(center):
    mz = AXES["uniform"]
    place, height = find_centroids(mz, gaussian(mz, center), MEAN)
    assert place == pytest.approx([center], abs=0.1 * 0.02)
    assert height[0] == gaussian(mz, center).max()


@settings(max_examples=30)
@given(
    st.lists(st.floats(0, 1000), min_size=4, max_size=60),
    st.integers(0, 1000),
)
def test_areas_without_a_threshold_are_the_whole_integral(values, seed):
    curve = np.array(values)
    mz = 500 + np.cumsum(np.random.default_rng(seed).uniform(0.01, 0.012, curve.size))
    _, area = find_centroids(mz, curve, AREA)
    whole = np.trapezoid(curve, mz)
    if area.size:
        assert area.sum() == pytest.approx(whole, rel=1e-9, abs=1e-12)


def test_neighbors_are_told_apart_and_in_order():
    mz = AXES["uniform"]
    curve = gaussian(mz, 503.0) + gaussian(mz, 503.35, 50) + gaussian(mz, 507.123, 10)
    place, height = find_centroids(mz, curve, ALL)
    assert place == pytest.approx([503.0, 503.35, 507.123], abs=1e-3)
    assert height == pytest.approx([100, 50, 10], rel=1e-3)
    assert (np.diff(place) > 0).all()


def test_a_lorentzian_is_found_within_a_hundredth_of_a_sample():
    mz = AXES["uniform"]
    place, height = find_centroids(mz, 100 / (1 + ((mz - 504.0071) / 0.1) ** 2), ALL)
    assert place == pytest.approx([504.0071], abs=0.01 * 0.02)
    assert height == pytest.approx([100], rel=1e-3)


def test_a_cut_off_top_lies_in_the_middle_of_the_plateau():
    mz = AXES["uniform"]
    curve = np.minimum(gaussian(mz, mz[200]), 60)
    place, height = find_centroids(mz, curve, ALL)
    assert place == pytest.approx([mz[200]], abs=0.02)
    assert height == pytest.approx([60])


def test_peaks_at_both_ends_count():
    mz = 500 + np.arange(6) / 10
    place, height = find_centroids(mz, np.array([9.0, 4, 1, 1, 5, 8]), ALL)
    assert place.tolist() == [mz[0], mz[-1]]
    assert height.tolist() == [9, 8]


def test_noise_gives_no_peaks_and_a_peak_in_noise_is_found():
    mz = AXES["uniform"]
    noise = np.random.default_rng(1).normal(100, 2, mz.size)
    assert noise_of(noise) == pytest.approx(2, rel=0.2)
    place, _ = find_centroids(mz, noise + gaussian(mz, 504.5, 200), CentroidMethod(noise=8))
    assert place == pytest.approx([504.5], abs=0.005)


def test_a_gap_where_zeros_were_left_out_is_no_signal():
    mz = AXES["uniform"]
    curve = gaussian(mz, 503.0) + gaussian(mz, 507.0)
    kept = curve > 1e-3
    whole, sparse = (find_centroids(*pair, AREA) for pair in ((mz, curve), (mz[kept], curve[kept])))
    assert sparse[0] == pytest.approx(whole[0], abs=1e-9)
    assert sparse[1] == pytest.approx(whole[1], rel=1e-4)


@pytest.mark.parametrize("values", [[], [0.0], [np.nan, np.nan], [0, 0, 0], [-1, -5, -2]])
def test_nothing_there_gives_no_peak(values):
    curve = np.array(values, np.float64)
    place, height = find_centroids(np.arange(curve.size, dtype=np.float64), curve)
    assert place.size == height.size == 0


def test_what_is_not_finite_counts_as_nothing():
    mz = np.arange(5.0)
    place, _ = find_centroids(mz, np.array([0, 3, np.inf, 0, np.nan]), ALL)
    assert place.tolist() == [1.0]


@pytest.mark.parametrize("layout", ["continuous", "processed"])
def test_a_slide_of_curves_becomes_one_of_peaks(layout):
    mz = AXES["uniform"]
    curves = [gaussian(mz, c).astype(np.float32) for c in (502.5, 503.5, 504.5)]
    pixels = PixelGrid(np.zeros(3), np.arange(3), (1, 3))
    if layout == "continuous":
        slide = InMemoryDataset.from_matrix(MassAxis(mz), np.stack(curves), pixels)
    else:
        slide = InMemoryDataset.from_spectra([Spectrum(mz, c, "profile") for c in curves], pixels)
    peaks = Centroided(slide, ALL)
    assert (peaks.layout, peaks.mode, peaks.mass_axis) == ("processed", "centroid", None)
    [block] = peaks.blocks()
    assert block.intensity.dtype == np.float32
    found = [block.mz[a:b] for a, b in zip(block.bounds[:-1], block.bounds[1:], strict=True)]
    for i, mz_of_peaks in enumerate(found):
        strongest = mz_of_peaks[block.intensity[block.bounds[i] : block.bounds[i + 1]].argmax()]
        assert strongest == pytest.approx(502.5 + i, abs=1e-3)
        assert np.array_equal(peaks.spectrum(i).mz, mz_of_peaks)
    with pytest.raises(QueryError, match="centroids already"):
        Centroided(peaks)


def test_methods_that_do_not_exist_are_refused():
    for options in ({"position": "x"}, {"measure": "x"}, {"noise": -1}, {"noise": math.nan}):
        with pytest.raises(QueryError):
            CentroidMethod(**options)
