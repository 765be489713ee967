"""Tables of spectra: each number is what NumPy says of the same pixels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.io.slide_export.conftest import COLUMNS, ROWS, labels, write

from napari_ims_tumor.io.imzml import open_imzml
from napari_ims_tumor.io.slide_export.choosing import PixelChoice
from napari_ims_tumor.io.slide_export.job import export_job
from napari_ims_tumor.io.slide_export.request import ExportRequest
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.msi.channels import ChannelChoice
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow
from napari_ims_tumor.msi.mean_spectrum import region_mean_spectrum


def table(tmp_path, layout, **request):
    with open_imzml(write(tmp_path, layout)) as slide:
        run_inline(export_job(slide, tmp_path / "b.csv", ExportRequest(**request)))
        return slide, pd.read_csv(tmp_path / "b.csv", comment="#")


def test_means_and_maxima_of_classes_on_the_slide_s_own_axis(tmp_path):
    with open_imzml(write(tmp_path, "continuous")) as slide:
        request = ExportRequest(pixels=PixelChoice(labels=labels()))
        run_inline(export_job(slide, tmp_path / "b.csv", request))
        found = pd.read_csv(tmp_path / "b.csv", comment="#")
        assert list(found) == ["region", "pixels", "mz", "mean", "max"]
        for name, value in (("healthy", 1), ("tumor", 2)):
            own = np.flatnonzero(slide.pixels.as_vector(labels()) == value)
            rows = found[found.region == name]
            assert (rows.pixels == own.size).all()
            assert np.array_equal(rows.mz, slide.mass_axis.mz)
            mean = region_mean_spectrum(slide, own).intensity
            assert np.allclose(rows["mean"], mean, rtol=1e-12)
            matrix = np.stack([slide.spectrum(i).intensity for i in own])
            assert np.array_equal(rows["max"].astype(np.float32), matrix.max(axis=0))


@pytest.mark.parametrize("layout", ["continuous", "processed"])
def test_windows_of_groups_side_by_side(tmp_path, layout):
    cores = np.repeat([[1, 1, 2, 2, 0, 7]], ROWS, axis=0)
    windows = [MassWindow(mz, MassTolerance(0.5)) for mz in (502.0, 505.0)]
    with open_imzml(write(tmp_path, layout)) as slide:
        request = ExportRequest(
            pixels=PixelChoice(groups=cores, numbers=(1, 7)), table="wide",
            channels=ChannelChoice(mz=(502.0, 505.0), tolerance=MassTolerance(0.5)),
        )  # fmt: skip
        run_inline(export_job(slide, tmp_path / "b.csv", request))
        images = slide.ion_images(windows)
    found = pd.read_csv(tmp_path / "b.csv", comment="#")
    assert list(found) == [
        "mz", "mz_low", "mz_high", "mean group 1", "max group 1", "mean group 7", "max group 7",
    ]  # fmt: skip
    for group in (1, 7):
        inside = images[:, cores == group]
        assert np.allclose(found[f"mean group {group}"], np.nanmean(inside, axis=1))
        assert np.allclose(found[f"max group {group}"], np.nanmax(inside, axis=1))


def test_the_whole_choice_and_pieces_of_tissue(tmp_path):
    request = {"channels": ChannelChoice(mz=(505.5,)), "pixels": PixelChoice(columns=(0, 1))}
    _, whole = table(tmp_path, "continuous", **request)
    assert whole.region.tolist() == ["a"]
    assert whole.pixels.tolist() == [2 * ROWS]
    _, pieces = table(tmp_path, "continuous", by="region", **request)
    assert pieces.region.tolist() == ["region 1"]
    assert pieces["mean"].tolist() == pytest.approx(whole["mean"].tolist())


def test_the_head_says_what_it_is(tmp_path):
    table(tmp_path, "processed", normalize="tic", channels=ChannelChoice(peaks=2))
    head = [line for line in (tmp_path / "b.csv").read_text().splitlines() if line[0] == "#"]
    assert "# normalization: tic" in head
    assert f"# regions: a ({ROWS * COLUMNS - 1} pixels)" in head
