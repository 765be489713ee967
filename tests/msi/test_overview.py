"""What the m/z slider steps through."""

from __future__ import annotations

import numpy as np
import pytest

from napari_ims_tumor.msi.overview import N_WINDOWS, channel_windows
from napari_ims_tumor.msi.peak_table import PeakTable
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.spectrum import Spectrum
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset

NO_PEAKS = PeakTable(*[np.zeros(0)] * 5)


def processed(low: float, high: float) -> InMemoryDataset:
    grid = PixelGrid(np.array([0, 0]), np.array([0, 1]), (1, 2))
    spectra = [Spectrum(np.array([mz]), np.array([1.0])) for mz in (low, high)]
    return InMemoryDataset.from_spectra(spectra, grid)


def test_a_slide_without_peaks_is_stepped_through_from_end_to_end() -> None:
    windows = channel_windows(processed(300.0, 1500.0), NO_PEAKS)
    assert len(windows) == N_WINDOWS
    low = np.array([window.low for window in windows])
    high = np.array([window.high for window in windows])
    assert low[0] == pytest.approx(300)
    assert high[-1] == pytest.approx(1500)
    assert np.allclose(high[:-1], low[1:], rtol=1e-12), "nothing lies between two windows"


def test_a_single_mass_has_no_range_to_step_through() -> None:
    assert channel_windows(processed(300.0, 300.0), NO_PEAKS) == ()
