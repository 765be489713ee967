"""Tissue ions show structure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_ims_tumor.msi.mass_axis import MassAxis
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset
from napari_ims_tumor.msi.tissue_ions import strongest_tissue_peaks


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
