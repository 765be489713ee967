"""Channels as zarr arrays: the slide's ion images, with axes, names, units and place."""

from __future__ import annotations

import numpy as np
import pytest
from tests.io.slide_export.conftest import labels, write

from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.io.imzml import open_imzml
from napari_ims_tumor.io.slide_export.choosing import PixelChoice
from napari_ims_tumor.io.slide_export.job import export_job
from napari_ims_tumor.io.slide_export.request import ExportRequest
from napari_ims_tumor.job import STOP, JobStopped, run_inline
from napari_ims_tumor.msi.channels import ChannelChoice
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow

zarr = pytest.importorskip("zarr", minversion="3")


def export(source, target, **request):
    with open_imzml(source) as slide:
        run_inline(export_job(slide, target, ExportRequest(**request)))
    return zarr.open_group(str(target), mode="r")


def test_every_channel_of_a_continuous_slide_exactly(tmp_path):
    source = write(tmp_path, "continuous")
    group = export(source, tmp_path / "b.zarr")
    with open_imzml(source) as slide:
        assert np.array_equal(group["mz"][:], slide.mass_axis.mz)
        assert group["0"].dtype == np.float32
        assert group["0"].shape == (201, 4, 6)
        for i in range(slide.n_spectra):
            place = (slide.pixels.rows[i], slide.pixels.columns[i])
            assert np.array_equal(group["0"][:, *place], slide.spectrum(i).intensity)
        assert np.isnan(group["0"][:][:, ~slide.pixels.measured]).all()
    # An image is one chunk, and small images share one.
    assert group["0"].chunks == (201, 4, 6)


def test_windows_with_axes_units_names_and_place(tmp_path):
    source = write(tmp_path, "processed")
    group = export(
        source, tmp_path / "b.zarr", pixels=PixelChoice(rows=(1, 3), columns=(2, 5)),
        channels=ChannelChoice(mz=(502.0, 505.0), tolerance=MassTolerance(0.5)),
    )  # fmt: skip
    with open_imzml(source) as slide:
        images = slide.ion_images([MassWindow(m, MassTolerance(0.5)) for m in (502.0, 505.0)])
    assert np.allclose(group["0"][:], images[:, 1:, 2:], rtol=1e-6, equal_nan=True)
    assert group["0"].metadata.dimension_names == ("c", "y", "x")
    assert group["mz_low"][:].tolist() == [501.5, 504.5]
    [scales] = group.attrs["ome"]["multiscales"]
    assert [(axis["name"], axis.get("unit")) for axis in scales["axes"]] == [
        ("c", None), ("y", "micrometer"), ("x", "micrometer"),
    ]  # fmt: skip
    scale, shift = scales["datasets"][0]["coordinateTransformations"]
    assert scale["scale"] == [1, 50.0, 25.5]
    assert shift["translation"] == [0, 11 * 50.0, 22 * 25.5]
    channels = group.attrs["ome"]["omero"]["channels"]
    assert [channel["label"] for channel in channels] == ["m/z 502.0000", "m/z 505.0000"]
    assert channels[0]["window"]["max"] == np.nanmax(group["0"][0])
    assert group.attrs["napari-ims-tumor"]["slide"] == "a"


def test_classes_are_a_label_image(tmp_path):
    choice = PixelChoice(labels=labels())
    group = export(write(tmp_path, "continuous"), tmp_path / "b.zarr", pixels=choice)
    assert np.array_equal(group["labels/classes/0"][:], labels())
    about = group["labels/classes"].attrs["ome"]["image-label"]
    assert {p["label-value"]: p["class"] for p in about["properties"]} == {1: "healthy", 2: "tumor"}


def test_pixels_by_channels(tmp_path):
    groups = np.arange(24).reshape(4, 6)
    source = write(tmp_path, "continuous")
    group = export(
        source, tmp_path / "b.zarr", array="pixels",
        pixels=PixelChoice(groups=groups, numbers=(3, 7, 8), labels=np.ones((4, 6), int)),
    )  # fmt: skip
    with open_imzml(source) as slide:
        for k, (row, column) in enumerate([(0, 3), (1, 1), (1, 2)]):
            i = slide.pixels.index_at(row, column)
            assert np.array_equal(group["intensity"][k], slide.spectrum(i).intensity)
            assert (group["row"][k], group["column"][k]) == (row, column)
            assert (group["x"][k], group["y"][k]) == (21 + column, 11 + row)
    assert group["group"][:].tolist() == [3, 7, 8]
    assert group["label"][:].tolist() == [1, 1, 1]


def test_sections_of_a_stack(tmp_path):
    source = write(tmp_path, "continuous", planes=2)
    group = export(source, tmp_path / "b.zarr", channels=ChannelChoice(mz=(505.5,)))
    assert group["0"].shape == (1, 2, 4, 6)
    assert group["0"].metadata.dimension_names == ("c", "z", "y", "x")
    with open_imzml(source) as slide:
        image = slide.ion_images([MassWindow(505.5, MassTolerance(0.1))])
    assert np.allclose(group["0"][:], image, rtol=1e-6, equal_nan=True)


def test_ome_zarr_reads_it(tmp_path):
    reader = pytest.importorskip("ome_zarr.reader")
    from ome_zarr.io import parse_url

    choice = PixelChoice(labels=labels())
    export(write(tmp_path, "continuous"), tmp_path / "b.zarr", pixels=choice)
    image, *others = reader.Reader(parse_url(str(tmp_path / "b.zarr")))()
    assert image.data[0].shape == (201, 4, 6)
    assert image.metadata["channel_names"][0] == "m/z 500.0000"
    assert any("classes" in str(node.zarr) for node in others)


def test_an_older_store_is_replaced_whole_and_a_foreign_folder_is_not(tmp_path):
    source = write(tmp_path, "continuous")
    export(source, tmp_path / "b.zarr")
    group = export(source, tmp_path / "b.zarr", array="pixels")
    assert "0" not in group
    foreign = tmp_path / "thesis.zarr"
    foreign.mkdir()
    (foreign / "chapter.txt").write_text("years of work")
    with pytest.raises(ImsTumorError, match="a folder with other things in it"):
        export(source, foreign)
    assert (foreign / "chapter.txt").read_text() == "years of work"


def test_a_stop_keeps_the_older_store(tmp_path):
    source = write(tmp_path, "continuous")
    export(source, tmp_path / "b.zarr", channels=ChannelChoice(peaks=2))
    with open_imzml(source) as slide:
        job = export_job(slide, tmp_path / "b.zarr", ExportRequest())
        while next(job).phase != "Writing images":
            pass
        with pytest.raises(JobStopped):
            job.send(STOP)
    assert zarr.open_group(str(tmp_path / "b.zarr"), mode="r")["0"].shape[0] == 2
    assert sorted(f.name for f in tmp_path.iterdir()) == ["a.ibd", "a.imzML", "b.zarr"]
