"""A dataset in memory behaves like one from a file."""

from __future__ import annotations

import numpy as np
import pytest

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.mass_axis import MassAxis, MassTolerance, MassWindow
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.spectrum import RaggedBlock, SharedAxisBlock, Spectrum
from napari_ims_tumor.msi.synthetic import in_memory
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset

PIXELS = PixelGrid(np.array([0, 0, 1]), np.array([0, 2, 1]), (2, 3))
MZ = np.array([500.0, 501.0, 502.0, 503.0])
MATRIX = np.array([[1, 0, 2, 0], [0, 0, 0, 0], [4, 5, 6, 7]], np.float32)


def continuous() -> InMemoryDataset:
    return InMemoryDataset.from_matrix(MassAxis(MZ), MATRIX, PIXELS, "cont")


def processed() -> InMemoryDataset:
    spectra = [Spectrum(MZ[row > 0], row[row > 0]) for row in MATRIX]
    return InMemoryDataset.from_spectra(spectra, PIXELS, "proc")


@pytest.mark.parametrize("make", [continuous, processed])
def test_it_is_a_dataset(make):
    dataset = make()
    assert isinstance(dataset, MsiDataset)
    assert dataset.n_spectra == 3
    assert dataset.source is None
    assert dataset.mass_range == (500.0, 503.0)
    assert dataset.total_ion_current().tolist() == [3, 0, 22]
    image = dataset.ion_images([MassWindow(501.5, MassTolerance(0.5))])[0]
    assert np.array_equal(image, [[2, np.nan, 0], [np.nan, 11, np.nan]], equal_nan=True)
    mean = dataset.mean_spectrum()
    assert mean.intensity.sum() * 3 == pytest.approx(25)


def test_layouts():
    assert (continuous().layout, continuous().mode) == ("continuous", "profile")
    assert continuous().mass_axis == MassAxis(MZ)
    assert (processed().layout, processed().mode) == ("processed", "centroid")
    assert processed().mass_axis is None
    assert processed().spectrum(0).mz.tolist() == [500.0, 502.0]
    assert len(processed().spectrum(1)) == 0


@pytest.mark.parametrize("make", [continuous, processed])
@pytest.mark.parametrize("size", [1, 5, 10**6])
@pytest.mark.parametrize("indices", [None, [2, 0, 2], [1], []])
def test_blocks_hold_the_spectra_in_order_whatever_their_size(make, size, indices, monkeypatch):
    monkeypatch.setattr(in_memory, "BLOCK_VALUES", size)
    dataset = make()
    found = []
    for block in dataset.blocks(None if indices is None else np.array(indices, np.int64)):
        for j, i in enumerate(block.indices):
            if isinstance(block, SharedAxisBlock):
                mz, intensity = block.mz, block.intensity[j]
            else:
                assert isinstance(block, RaggedBlock)
                part = slice(block.bounds[j], block.bounds[j + 1])
                mz, intensity = block.mz[part], block.intensity[part]
            assert np.array_equal(mz, dataset.spectrum(i).mz)
            assert np.array_equal(intensity, dataset.spectrum(i).intensity)
            found.append(int(i))
    assert found == (list(range(3)) if indices is None else indices)


def test_values_cannot_be_changed_and_do_not_follow_their_source():
    source = MATRIX.copy()
    dataset = InMemoryDataset.from_matrix(MassAxis(MZ), source, PIXELS)
    source[:] = 9
    assert dataset.spectrum(0).intensity.tolist() == [1, 0, 2, 0]
    with pytest.raises(ValueError, match="read-only"):
        dataset.content.intensity[0, 0] = 1


def test_no_spectra_and_no_peaks():
    none = InMemoryDataset.from_spectra([], PixelGrid(np.zeros(0), np.zeros(0), (0, 0)))
    assert list(none.blocks()) == []
    assert none.total_ion_current().size == 0
    assert np.isnan(none.mass_range).all()


def test_what_does_not_fit_is_refused():
    with pytest.raises(SlideError, match=r"\(3, 4\) for 3 spectra on 2"):
        InMemoryDataset.from_matrix(MassAxis(MZ[:2]), MATRIX, PIXELS)
    with pytest.raises(SlideError, match="1 spectra for 3 pixels"):
        InMemoryDataset.from_spectra([Spectrum(MZ, MATRIX[0])], PIXELS)
    with pytest.raises(SlideError, match="ascend"):
        InMemoryDataset.from_spectra([Spectrum(MZ[::-1], MATRIX[0])] * 3, PIXELS)
    for i in (-1, 3):
        with pytest.raises(SlideError, match=f"no spectrum {i}"):
            continuous().spectrum(i)
        with pytest.raises(SlideError, match="spectra 0 to 2"):
            list(continuous().blocks(np.array([i])))
