"""A subset is what is left when the rest is thrown away: the same numbers, fewer of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ims_tumor.errors import QueryError, SlideError
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.mass_axis import MassAxis, MassTolerance, MassWindow
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.spectrum import SharedAxisBlock, Spectrum
from napari_ims_tumor.msi.subset import MassRange, Subset, grid_of
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset

PIXELS = PixelGrid(
    np.repeat(np.arange(4), 5), np.tile(np.arange(5), 4), (4, 5), (50.0, 25.0), (10, 20)
)


def slide(layout: str) -> InMemoryDataset:
    rng = np.random.default_rng(3)
    if layout == "continuous":
        axis = MassAxis(np.linspace(500, 600, 41))
        return InMemoryDataset.from_matrix(axis, rng.random((20, 41), np.float32), PIXELS, "a")
    spectra = [
        Spectrum(np.sort(rng.uniform(500, 600, n)), rng.random(n, np.float32))
        for n in rng.integers(0, 30, 20)
    ]
    return InMemoryDataset.from_spectra(spectra, PIXELS, "a")


CHOICES = st.lists(st.integers(0, 19), min_size=1, max_size=20, unique=True).map(sorted)
BOUNDS = st.lists(st.floats(490, 610), min_size=2, max_size=2).map(sorted)


@pytest.mark.parametrize("layout", ["continuous", "processed"])
@settings(max_examples=30)
@given(chosen=CHOICES, bounds=BOUNDS)
def test_each_spectrum_is_the_slide_s_own_cut_to_the_range(layout, chosen, bounds):
    whole = slide(layout)
    mz_range = MassRange(*bounds)
    if layout == "continuous" and not mz_range.inside(whole.mass_axis.mz).any():
        return
    part = Subset(whole, np.array(chosen), mz_range)
    assert part.n_spectra == len(chosen)
    read = dict(_spectra(part))
    for i, j in enumerate(chosen):
        own = whole.spectrum(j)
        inside = (own.mz >= bounds[0]) & (own.mz <= bounds[1])
        for mz, intensity in ((part.spectrum(i).mz, part.spectrum(i).intensity), read[i]):
            assert np.array_equal(mz, own.mz[inside])
            assert np.array_equal(intensity, own.intensity[inside])
            assert intensity.dtype == own.intensity.dtype


def _spectra(dataset: MsiDataset):
    for block in dataset.blocks():
        for k, i in enumerate(block.indices.tolist()):
            if isinstance(block, SharedAxisBlock):
                yield i, (block.mz.copy(), block.intensity[k].copy())
            else:
                part = slice(block.bounds[k], block.bounds[k + 1])
                yield i, (block.mz[part].copy(), block.intensity[part].copy())


@settings(max_examples=30)
@given(chosen=CHOICES)
def test_a_chosen_pixel_stays_where_it_was_in_the_slide_s_own_coordinates(chosen):
    grid = grid_of(PIXELS, chosen)
    assert (grid.rows + grid.origin[0]).tolist() == (PIXELS.rows[chosen] + 10).tolist()
    assert (grid.columns + grid.origin[1]).tolist() == (PIXELS.columns[chosen] + 20).tolist()
    assert grid.rows.min() == grid.columns.min() == 0
    assert grid.shape == (grid.rows.max() + 1, grid.columns.max() + 1)
    assert grid.pixel_size_um == (50.0, 25.0)


@pytest.mark.parametrize("layout", ["continuous", "processed"])
def test_images_of_a_subset_are_cut_from_the_slide_s(layout):
    whole = slide(layout)
    chosen = np.flatnonzero((PIXELS.rows >= 1) & (PIXELS.columns <= 2))
    windows = [MassWindow(520, MassTolerance(5)), MassWindow(580, MassTolerance(10))]
    images = Subset(whole, chosen, MassRange(510, 590)).ion_images(windows)
    assert images.shape == (2, 3, 3)
    assert np.allclose(images, whole.ion_images(windows)[:, 1:, :3], rtol=1e-12)


@pytest.mark.parametrize("layout", ["continuous", "processed"])
def test_everything_chosen_is_the_slide(layout):
    whole = slide(layout)
    part = Subset(whole, np.arange(20))
    assert part.layout == whole.layout
    assert part.mass_range == whole.mass_range
    assert np.array_equal(part.total_ion_current(), whole.total_ion_current())
    assert np.array_equal(part.mean_spectrum().intensity, whole.mean_spectrum().intensity)


def test_a_range_that_holds_no_channel_is_refused_with_the_axis():
    with pytest.raises(QueryError, match=r"no m/z value of a lies in m/z 1 to 2: .* 500\.0000 to"):
        _ = Subset(slide("continuous"), np.arange(3), MassRange(1, 2)).mass_axis


def test_what_is_not_there_is_refused():
    with pytest.raises(QueryError, match="give the lower one first"):
        MassRange(600, 500)
    with pytest.raises(SlideError, match="spectra 0 to 19, not all asked for"):
        Subset(slide("processed"), np.array([3, 20]))
    with pytest.raises(SlideError, match="no pixel is chosen"):
        grid_of(PIXELS, [])
