"""Channels: what is summed where, many windows at once as one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ims_tumor.errors import QueryError
from napari_ims_tumor.msi.channels import (
    ChannelChoice,
    Channels,
    bin_edges,
    choose_channels,
    of_windows,
)
from napari_ims_tumor.msi.ion_image import ion_vectors
from napari_ims_tumor.msi.mass_axis import MassAxis, MassTolerance, MassWindow
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.spectrum import Spectrum
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset

PIXELS = PixelGrid(np.zeros(6), np.arange(6), (1, 6))


def continuous() -> InMemoryDataset:
    matrix = np.random.default_rng(0).random((6, 101), np.float32)
    return InMemoryDataset.from_matrix(MassAxis(np.linspace(500, 510, 101)), matrix, PIXELS)


def processed() -> InMemoryDataset:
    rng = np.random.default_rng(1)
    sizes = (0, 3, 200, 50, 1, 80)
    return InMemoryDataset.from_spectra(
        [Spectrum(np.sort(rng.uniform(500, 510, n)), rng.random(n, np.float32)) for n in sizes],
        PIXELS,
    )


def values(dataset, channels):
    return np.concatenate([channels.values(block) for block in dataset.blocks()], axis=1)


def test_a_continuous_slide_has_its_own_axis_by_default():
    slide = continuous()
    channels = choose_channels(slide, ChannelChoice())
    assert channels.exact
    assert np.array_equal(channels.mz, slide.mass_axis.mz)
    found = values(slide, channels)
    assert found.dtype == np.float32
    assert np.array_equal(found, slide.content.intensity.T)


def test_a_processed_slide_has_its_peaks_by_default():
    # Masses that all spectra share: stray centroids are no peaks.
    masses = np.arange(501.0, 509.0)
    spectra = [Spectrum(masses, np.full(8, 5.0)) for _ in range(len(PIXELS))]
    slide = InMemoryDataset.from_spectra(spectra, PIXELS)
    channels = choose_channels(slide, ChannelChoice(peaks=7))
    assert len(channels) == 7
    assert (np.diff(channels.mz) > 0).all()


@pytest.mark.parametrize("slide", [continuous, processed])
@settings(max_examples=30)
@given(centers=st.lists(st.floats(499, 511), min_size=1, max_size=40, unique=True))
def test_many_windows_at_once_are_the_sums_one_by_one(slide, centers):
    dataset = slide()
    windows = [MassWindow(mz, MassTolerance(0.05)) for mz in sorted(centers)]
    found = values(dataset, of_windows(windows))
    assert np.allclose(found, ion_vectors(dataset, windows), rtol=1e-12, atol=1e-12)


def test_windows_with_gaps_between_them_and_values_that_are_not_finite():
    matrix = np.random.default_rng(4).random((6, 101), np.float32)
    matrix[2, 50], matrix[3, 7] = np.nan, np.inf
    dataset = InMemoryDataset.from_matrix(MassAxis(np.linspace(500, 510, 101)), matrix, PIXELS)
    windows = [MassWindow(mz, MassTolerance(0.12)) for mz in np.arange(499.0, 510.6, 0.5)]
    found = values(dataset, of_windows(windows))
    assert np.allclose(found, ion_vectors(dataset, windows), rtol=1e-12)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("slide", [continuous, processed])
@pytest.mark.parametrize("width", ["0.13Da", "150ppm", "100Da"])
def test_bins_hold_every_point_once(slide, width):
    dataset = slide()
    channels = choose_channels(dataset, ChannelChoice(bins=MassTolerance.parse(width)))
    total = values(dataset, channels).sum(axis=0)
    assert total == pytest.approx(dataset.total_ion_current(), rel=1e-6)


@settings(max_examples=30)
@given(low=st.floats(1, 3000), span=st.floats(0, 50), ppm=st.booleans())
def test_bins_cover_the_range_and_do_not_overlap(low, span, ppm):
    width = MassTolerance(300, "ppm") if ppm else MassTolerance(0.3)
    edges = bin_edges(low, low + span, width)
    assert edges[0] <= low
    assert edges[-1] > low + span
    assert (np.diff(edges) > 0).all()


def test_names_differ_however_close_the_channels_are():
    mz = np.array([500.00001, 500.00002, 500.00002])
    names = Channels(mz, mz, mz).names
    assert len(set(names)) == 3
    assert Channels(mz[:1] + 1, mz[:1], mz[:1]).names == ("m/z 501.0000",)


def test_what_makes_no_sense_is_refused():
    with pytest.raises(QueryError, match="exclude each other"):
        ChannelChoice(mz=(1.0,), peaks=3)
    with pytest.raises(QueryError, match="tolerance is for"):
        ChannelChoice(tolerance=MassTolerance(1))
    with pytest.raises(QueryError, match="1 or more"):
        ChannelChoice(peaks=0)
    with pytest.raises(QueryError, match="above 0"):
        ChannelChoice(bins=MassTolerance(0))
    with pytest.raises(QueryError, match="no peak to bin"):
        bin_edges(np.nan, np.nan, MassTolerance(1))
    with pytest.raises(QueryError, match="at most"):
        choose_channels(continuous(), ChannelChoice(bins=MassTolerance(1e-7)))
