"""What the window and the command line say and check, Python says and checks as well."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.cohort.conftest import Cohorts

import napari_ims_tumor as ims
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset


def begins_at(row: int, column: int) -> InMemoryDataset:
    """A slide whose own coordinates begin somewhere."""
    made = Cohorts.slide(0).slide
    grid = made.pixels
    pixels = PixelGrid(grid.rows, grid.columns, grid.shape, None, (row, column))
    values = made.content.intensity
    return InMemoryDataset.from_matrix(made.mass_axis, values, pixels, "slide0")


def test_what_was_done_to_labels_is_a_warning(tmp_path: Path) -> None:
    larger = np.zeros((20, 20), np.uint8)
    larger[2:8, 3:11] = Cohorts.slide(0).labels.labels
    larger[15, 15] = 2
    np.save(tmp_path / "whole.npy", larger)
    with pytest.warns(UserWarning, match="1 labelled pixels lay outside and were left out"):
        ims.fit(begins_at(2, 3), tmp_path / "whole.npy", network="linear")
    with pytest.raises(ims.ImsTumorError, match=r"29 of 45 labelled pixels of whole.npy"):
        ims.fit(begins_at(0, 0), tmp_path / "whole.npy", network="linear")
