"""An export needs memory for some blocks, whatever the size of the slide."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from napari_ims_tumor.io.imzml import open_imzml
from napari_ims_tumor.io.imzml_writer import write_imzml
from napari_ims_tumor.io.slide_export import stored_rows
from napari_ims_tumor.io.slide_export.job import export_job
from napari_ims_tumor.io.slide_export.request import ExportRequest
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.msi.channels import ChannelChoice
from napari_ims_tumor.msi.mass_axis import MassTolerance
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.spectrum import SharedAxisBlock

MB = 1 << 20


@dataclass(frozen=True)
class Large:
    """A slide of 64 MB that is made while it is written."""

    n_spectra: int = 2048
    name: str = "large"
    layout: str = "continuous"
    mode: str = "profile"

    @property
    def pixels(self) -> PixelGrid:
        return PixelGrid(np.repeat(np.arange(32), 64), np.tile(np.arange(64), 32), (32, 64))

    def blocks(self) -> Iterator[SharedAxisBlock]:
        mz = np.linspace(500, 900, 8192)
        for first in range(0, self.n_spectra, 64):
            values = np.full((64, 8192), first + 1, np.float32)
            yield SharedAxisBlock(np.arange(first, first + 64), mz, values)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory):
    path = write_imzml(tmp_path_factory.mktemp("large") / "large.imzML", Large())
    with open_imzml(path, memory_budget=0) as slide:
        yield slide


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("b.imzML", ChannelChoice()),
        ("b.csv", ChannelChoice()),
        ("b.ome.tif", ChannelChoice(bins=MassTolerance(0.5))),
    ],
)
def test_a_slide_of_64_mb_is_exported_within_a_third_of_it(
    large, tmp_path, name, channels, monkeypatch
):
    monkeypatch.setattr(stored_rows, "BUFFER", 2 * MB)
    job = export_job(large, tmp_path / name, ExportRequest(channels=channels))
    tracemalloc.start()
    try:
        run_inline(job)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 21 * MB
