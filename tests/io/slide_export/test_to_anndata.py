"""Pixels and channels as AnnData and SpatialData, read back by their own libraries."""

from __future__ import annotations

import numpy as np
import pytest
from tests.io.slide_export.conftest import labels, write

from napari_ims_tumor.io.imzml import open_imzml
from napari_ims_tumor.io.slide_export import stored_rows
from napari_ims_tumor.io.slide_export.choosing import PixelChoice
from napari_ims_tumor.io.slide_export.job import export_job
from napari_ims_tumor.io.slide_export.request import ExportRequest
from napari_ims_tumor.job import STOP, JobStopped, run_inline
from napari_ims_tumor.msi.channels import ChannelChoice
from napari_ims_tumor.msi.mass_axis import MassTolerance

anndata = pytest.importorskip("anndata")


def export(source, target, **request):
    with open_imzml(source) as slide:
        run_inline(export_job(slide, target, ExportRequest(**request)))


@pytest.mark.parametrize("buffer", [1 << 26, 100])
def test_every_spectrum_and_where_it_lies(tmp_path, buffer, monkeypatch):
    monkeypatch.setattr(stored_rows, "BUFFER", buffer)
    source = write(tmp_path, "continuous")
    groups = np.arange(24).reshape(4, 6) + 1
    export(
        source, tmp_path / "b.h5ad",
        pixels=PixelChoice(rows=(1, 2), labels=np.full((4, 6), 2), groups=groups),
    )  # fmt: skip
    read = anndata.read_h5ad(tmp_path / "b.h5ad")
    with open_imzml(source) as slide:
        chosen = np.flatnonzero((slide.pixels.rows >= 1) & (slide.pixels.rows <= 2))
        assert read.shape == (chosen.size, 201)
        assert np.array_equal(read.var["mz"], slide.mass_axis.mz)
        for k, i in enumerate(chosen.tolist()):
            assert np.array_equal(read.X[k], slide.spectrum(i).intensity)
            row, column = slide.pixels.rows[i], slide.pixels.columns[i]
            assert (read.obs["row"].iloc[k], read.obs["column"].iloc[k]) == (row, column)
            place = ((column + 20 + 0.5) * 25.5, (row + 10 + 0.5) * 50.0)
            assert read.obsm["spatial"][k].tolist() == list(place)
    assert read.X.dtype == np.float32
    assert set(read.obs["label"]) == {"tumor"}
    assert read.obs["group"].tolist() == [7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 18]
    assert read.var_names[0] == "m/z 500.0000"
    assert read.obs_names[0] == "row 1, column 0"
    assert read.uns["napari_ims_tumor"]["spatial_unit"] == "micrometer"


def test_windows_of_a_processed_slide(tmp_path):
    source = write(tmp_path, "processed")
    choice = ChannelChoice(mz=(502.0, 505.0), tolerance=MassTolerance(0.5))
    export(source, tmp_path / "b.h5ad", channels=choice, normalize="tic")
    read = anndata.read_h5ad(tmp_path / "b.h5ad")
    with open_imzml(source) as slide:
        tic = slide.total_ion_current()
        first = slide.spectrum(0)
    inside = first.intensity[np.abs(first.mz - 502) <= 0.5].sum() * tic.mean() / tic[0]
    assert read.X[0, 0] == pytest.approx(inside, rel=1e-6)
    assert read.uns["napari_ims_tumor"]["normalization"] == "tic"


def test_a_stop_leaves_nothing(tmp_path):
    with open_imzml(write(tmp_path, "continuous")) as slide:
        job = export_job(slide, tmp_path / "b.h5ad", ExportRequest())
        while next(job).phase != "Writing channels":
            pass
        with pytest.raises(JobStopped):
            job.send(STOP)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["a.ibd", "a.imzML"]


@pytest.mark.parametrize("planes", [1, 2])
def test_spatialdata_holds_images_pixels_classes_and_their_table(tmp_path, planes):
    spatialdata = pytest.importorskip("spatialdata")
    source = write(tmp_path, "continuous", planes=planes)
    painted = labels() if planes == 1 else np.stack([labels(), labels()])
    path = tmp_path / "b.spatialdata.zarr"
    export(source, path, pixels=PixelChoice(labels=painted), channels=ChannelChoice(peaks=3))
    read = spatialdata.read_zarr(path)
    ions, pixels = np.asarray(read["ions"]), np.asarray(read["pixels"])
    table = read["spectra"]
    assert ions.shape == (3, *painted.shape)
    assert np.array_equal(np.asarray(read["classes"]), painted)
    values = np.asarray(table.X)
    for number, instance in enumerate(table.obs["instance_id"]):
        assert np.array_equal(ions[:, pixels == instance][:, 0], values[number])
    assert np.isnan(ions[:, pixels == 0]).all()
    assert list(read["ions"].coords["c"].values) == list(table.var_names)
    to_slide = spatialdata.transformations.get_transformation(read["ions"])
    corner = to_slide.to_affine_matrix(("x", "y"), ("x", "y")) @ [0, 0, 1]
    assert corner[:2].tolist() == [20 * 25.5, 10 * 50.0]
    with open_imzml(source) as slide:
        assert table.n_obs == (slide.pixels.as_vector(painted) > 0).sum()
