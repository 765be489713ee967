"""Planes come back with their values, names, place and scale."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile

from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.io.image_file import read_planes, write_planes
from napari_ims_tumor.msi.pixel_grid import PixelGrid

FLAT = PixelGrid(np.array([0, 1, 3]), np.array([0, 2, 4]), (4, 5), (50.0, 25.0), (7, 9))
STACK = PixelGrid(np.array([0, 3]), np.array([0, 4]), (4, 5), None, (7, 9), np.array([0, 1]))
NAMES = {1: ("m/z 885.55 ± 20 ppm",), 2: ("healthy", "tumör <&>"), 3: ("a", "b", "c")}


@pytest.mark.parametrize("file", ["a.npy", "a.ome.tif", "a.tiff"])
@pytest.mark.parametrize("pixels", [FLAT, STACK], ids=["flat", "stack"])
@pytest.mark.parametrize("k", NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_round_trip(tmp_path, file, pixels, k, dtype):
    planes = np.random.default_rng(0).random((k, *pixels.image_shape)).astype(dtype)
    planes[..., 0, 1] = np.nan
    about = {"slide": "ä", "windows": [[1.0, 2.0]], "model": None}
    write_planes(tmp_path / file, planes, NAMES[k], pixels, about)
    read = read_planes(tmp_path / file)
    assert read.values.dtype == dtype
    assert np.array_equal(read.values, planes, equal_nan=True)
    assert read.names == NAMES[k]
    assert read.origin == (7, 9)
    assert read.pixel_size_um == pixels.pixel_size_um
    assert dict(read.about) == about


def test_other_programs_find_names_and_scale_in_the_ome_metadata(tmp_path):
    write_planes(tmp_path / "a.ome.tif", np.zeros((2, 4, 5)), ("healthy", "tumor"), FLAT)
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tiff:
        image = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]
    pixels = image["Pixels"]
    assert [c["Name"] for c in pixels["Channel"]] == ["healthy", "tumor"]
    assert (pixels["PhysicalSizeY"], pixels["PhysicalSizeX"]) == (50.0, 25.0)
    assert pixels["PhysicalSizeXUnit"] == "µm"
    assert json.loads(image["Description"])["origin"] == [7, 9]
    assert tifffile.imread(tmp_path / "a.ome.tif").shape == (2, 4, 5)


def test_shapes_and_endings_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(ImsTumorError, match=r"\(2, 4, 5\).*1 names"):
        write_planes(tmp_path / "a.npy", np.zeros((2, 4, 5)), ("one",), FLAT)
    with pytest.raises(ImsTumorError, match=r"\.npy or \.ome\.tif"):
        write_planes(tmp_path / "a.csv", np.zeros((1, 4, 5)), ("one",), FLAT)
    assert not list(tmp_path.iterdir())


def test_a_foreign_or_damaged_file_gives_one_sentence(tmp_path):
    np.save(tmp_path / "bare.npy", np.zeros((1, 4, 5)))
    tifffile.imwrite(tmp_path / "bare.tif", np.zeros((4, 5)))
    (tmp_path / "cut.npy").write_bytes(b"\x93NUM")
    for name in ("bare.npy", "bare.tif", "cut.npy", "none.npy"):
        with pytest.raises(ImsTumorError, match="cannot be read"):
            read_planes(tmp_path / name)
