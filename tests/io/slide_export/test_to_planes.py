"""Ion images as one OME-TIFF: the images of the window, one plane each, cut to the choice."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import tifffile
from ome_types import from_tiff
from tests.io.slide_export.conftest import pixels, write

from napari_ims_tumor.errors import ImsTumorError, QueryError
from napari_ims_tumor.io.image_file import read_planes, write_planes
from napari_ims_tumor.io.image_stack import write_image_stack
from napari_ims_tumor.io.imzml import open_imzml
from napari_ims_tumor.io.slide_export import stored_rows
from napari_ims_tumor.io.slide_export.choosing import PixelChoice
from napari_ims_tumor.io.slide_export.job import export_job
from napari_ims_tumor.io.slide_export.request import ExportRequest
from napari_ims_tumor.job import STOP, JobStopped, run_inline
from napari_ims_tumor.msi.channels import ChannelChoice
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow
from napari_ims_tumor.msi.normalization import scale_factors

TOLERANCE = MassTolerance(0.5)
LAYOUTS = ["continuous", "processed"]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("normalize", ["none", "tic"])
def test_planes_are_the_slide_s_ion_images_where_pixels_are_chosen(tmp_path, layout, normalize):
    request = ExportRequest(
        pixels=PixelChoice(rows=(1, 3), columns=(1, 4)), normalize=normalize,
        channels=ChannelChoice(mz=(505.0, 502.0), tolerance=TOLERANCE),
    )  # fmt: skip
    with open_imzml(write(tmp_path, layout)) as slide:
        run_inline(export_job(slide, tmp_path / "b.ome.tif", request))
        images = slide.ion_images([MassWindow(mz, TOLERANCE) for mz in (505.0, 502.0)])
        images = images * slide.pixels.as_image(scale_factors(slide, normalize))
    read = read_planes(tmp_path / "b.ome.tif")
    assert read.names == ("m/z 505.0000", "m/z 502.0000")
    assert read.values.dtype == np.float64
    assert np.allclose(read.values, images[:, 1:, 1:5], rtol=1e-12, equal_nan=True)
    assert np.isnan(read.values[:, 1, 2]).all()
    assert (read.origin, read.pixel_size_um) == ((11, 21), (50.0, 25.5))
    assert read.about["windows"] == [[504.5, 505.5], [501.5, 502.5]]


@pytest.mark.parametrize("planes", [1, 3])
@pytest.mark.parametrize("n", [1, 4])
def test_image_by_image_is_the_file_of_all_at_once(tmp_path, n, planes):
    grid = pixels(planes)
    values = np.random.default_rng(0).random((n, *grid.image_shape))
    names = [f"ion {i}" for i in range(n)]
    write_planes(tmp_path / "one.ome.tif", values, names, grid, {"slide": "ä"})
    two = tmp_path / "two.ome.tif"
    run_inline(write_image_stack(two, lambda: iter(values), names, grid, {"slide": "ä"}))
    one, two = (read_planes(tmp_path / f"{name}.ome.tif") for name in ("one", "two"))
    assert np.array_equal(one.values, two.values)
    assert (one.names, one.about, one.origin) == (two.names, two.about, two.origin)
    texts = [
        tifffile.TiffFile(tmp_path / f"{name}.ome.tif").ome_metadata for name in ("one", "two")
    ]
    assert texts[0] == texts[1]
    described = from_tiff(tmp_path / "two.ome.tif").images[0]
    assert described.name == "ä"
    assert (described.pixels.size_c, described.pixels.size_z) == (n, planes)
    assert described.pixels.physical_size_x == 25.5


def test_peaks_of_the_mean_spectrum_in_order_of_m_z(tmp_path):
    request = ExportRequest(channels=ChannelChoice(peaks=3))
    with open_imzml(write(tmp_path, "continuous")) as slide:
        run_inline(export_job(slide, tmp_path / "b.ome.tif", request))
    names = read_planes(tmp_path / "b.ome.tif").names
    assert [float(name.split()[1]) for name in names] == pytest.approx(
        [502.0, 505.5, 508.85], abs=0.06
    )  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_does_not_fit_the_buffer_goes_through_a_file(tmp_path, layout, monkeypatch):
    request = ExportRequest(channels=ChannelChoice(bins=MassTolerance(0.5)))
    found = []
    for buffer in (1 << 20, 1):
        monkeypatch.setattr(stored_rows, "BUFFER", buffer)
        with open_imzml(write(tmp_path, layout)) as slide:
            run_inline(export_job(slide, tmp_path / "b.ome.tif", request))
        found.append(hashlib.sha256((tmp_path / "b.ome.tif").read_bytes()).hexdigest())
    assert found[0] == found[1]
    assert sorted(f.name for f in tmp_path.iterdir()) == ["a.ibd", "a.imzML", "b.ome.tif"]


@pytest.mark.parametrize("phase", ["Reading spectra", "Writing images"])
def test_a_stop_leaves_nothing(tmp_path, phase):
    request = ExportRequest(channels=ChannelChoice(mz=(502.0, 505.0)))
    with open_imzml(write(tmp_path, "continuous")) as slide:
        job = export_job(slide, tmp_path / "b.ome.tif", request)
        while next(job).phase != phase:
            pass
        with pytest.raises(JobStopped):
            job.send(STOP)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["a.ibd", "a.imzML"]


def test_a_disk_that_fills_up_leaves_nothing(tmp_path, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tifffile.TiffWriter.write", full)
    request = ExportRequest(channels=ChannelChoice(mz=(502.0,)))
    source, full_disk = write(tmp_path, "continuous"), pytest.raises(ImsTumorError, match="space")
    with open_imzml(source) as slide, full_disk:
        run_inline(export_job(slide, tmp_path / "b.ome.tif", request))
    assert sorted(f.name for f in tmp_path.iterdir()) == ["a.ibd", "a.imzML"]


def test_a_mean_spectrum_without_a_peak_is_refused(tmp_path):
    from napari_ims_tumor.msi.subset import MassRange

    request = ExportRequest(channels=ChannelChoice(peaks=3), mz_range=MassRange(506.9, 507.4))
    no_peak = pytest.raises(QueryError, match="no peak there")
    with open_imzml(write(tmp_path, "processed")) as slide, no_peak:
        run_inline(export_job(slide, tmp_path / "b.ome.tif", request))
