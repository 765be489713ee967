"""Planes come back with their values, names, place and scale."""

from __future__ import annotations

import contextlib
import json

import numpy as np
import ome_types
import pytest
import tifffile
from ome_types.model import UnitsLength

from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.io.image_file import is_planes_file, read_planes, write_planes
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


@pytest.mark.parametrize("pixels", [FLAT, STACK], ids=["flat", "stack"])
@pytest.mark.parametrize("k", NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.uint16])
def test_the_ome_metadata_are_valid_and_tell_the_planes(tmp_path, pixels, k, dtype):
    planes = np.random.default_rng(0).random((k, *pixels.image_shape)).astype(dtype)
    if np.issubdtype(dtype, np.floating):
        planes[..., 0, 1] = np.nan
    write_planes(tmp_path / "a.ome.tif", planes, NAMES[k], pixels, {"slide": "ä & b"})
    ome = ome_types.from_tiff(tmp_path / "a.ome.tif", validate=True)
    (image,) = ome.images
    found = image.pixels
    sections = pixels.n_planes
    assert image.name == "ä & b"
    assert (found.size_c, found.size_z, found.size_t) == (k, sections, 1)
    assert (found.size_y, found.size_x) == (4, 5)
    assert tuple(channel.name for channel in found.channels) == NAMES[k]
    if pixels.pixel_size_um is not None:
        assert (found.physical_size_y, found.physical_size_x) == (50.0, 25.0)
        assert found.physical_size_x_unit == found.physical_size_y_unit == UnitsLength.MICROMETER
    else:
        assert found.physical_size_x is None
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tiff:
        pages = [page.asarray() for page in tiff.pages]
        assert (tiff.is_ome, len(pages)) == (True, k * sections)
    # What a reader finds that goes by the metadata alone, one IFD per plane.
    order = found.dimension_order.value.index("Z") < found.dimension_order.value.index("C")
    wanted = planes.reshape(k, sections, 4, 5)
    for c in range(k):
        for z in range(sections):
            ifd = c * sections + z if order else z * k + c
            np.testing.assert_array_equal(pages[ifd], wanted[c, z])
    np.testing.assert_array_equal(
        tifffile.imread(tmp_path / "a.ome.tif").reshape(planes.shape), planes
    )


def test_classes_have_their_colors_in_other_viewers(tmp_path):
    names = ("healthy", "tumor", "uncertainty")
    write_planes(tmp_path / "a.ome.tif", np.zeros((3, 4, 5), np.float32), names, FLAT)
    channels = ome_types.from_tiff(tmp_path / "a.ome.tif").images[0].pixels.channels
    colors = [channel.color.as_rgb_tuple() for channel in channels]
    assert colors == [(0, 114, 178), (213, 94, 0), (255, 255, 255)]


def test_the_same_image_is_the_same_file(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_planes(tmp_path / name / "x.ome.tif", np.ones((1, 4, 5)), ("one",), FLAT)
    first, second = (tmp_path / name / "x.ome.tif" for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()


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


def test_a_damaged_tiff_gives_one_sentence_wherever_the_damage_is(tmp_path, caplog):
    caplog.set_level("CRITICAL", "tifffile")
    write_planes(tmp_path / "a.ome.tif", np.ones((2, 4, 5), np.float32), ("a", "b"), FLAT)
    whole, path = (tmp_path / "a.ome.tif").read_bytes(), tmp_path / "b.ome.tif"
    random = np.random.default_rng(0)
    cut = [whole[:n] for n in range(0, len(whole) - 1, 37)]
    changed = [bytearray(whole) for _ in range(150)]
    for content in changed:
        content[random.integers(len(content))] = random.integers(256)
    for content in [*cut, *changed]:
        path.write_bytes(content)
        assert is_planes_file(path) in (True, False)
        with contextlib.suppress(ImsTumorError):
            read_planes(path)


def test_control_characters_in_names_leave_the_metadata_readable(tmp_path):
    file = tmp_path / "a.ome.tif"
    write_planes(file, np.zeros((1, 4, 5)), ("m/z\x07",), FLAT, {"slide": "a\x01b"})
    with tifffile.TiffFile(file) as tiff:
        image = ome_types.from_xml(tiff.ome_metadata).images[0]
    assert (image.name, image.pixels.channels[0].name) == ("ab", "m/z")
    assert read_planes(file).about["slide"] == "a\x01b"


def test_a_name_with_half_a_letter_is_written_and_read(tmp_path):
    pixels = PixelGrid(np.zeros(2, int), np.arange(2), (1, 2))
    write_planes(tmp_path / "a.npy", np.ones((1, 1, 2)), ("x",), pixels, {"slide": "sl\udce9"})
    assert read_planes(tmp_path / "a.npy").about["slide"] == "sl\udce9"
