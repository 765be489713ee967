"""OME-TIFFs of this program open in napari where their slide lies, with names and colors."""

from __future__ import annotations

from pathlib import Path

import napari
import npe2
import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from npe2 import PluginManifest

import napari_ims_tumor
from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.io.image_file import write_image, write_planes
from napari_ims_tumor.viewer.planes_reader import get_reader, read_files
from napari_ims_tumor.viewer.slide_frame import SlideFrame

MANIFEST = Path(napari_ims_tumor.__file__).with_name("napari.yaml")
ABOUT = {"classes": ["healthy", "tumor"], "slide": "ä <b>", "calibrated": True, "model_id": "x"}


@pytest.fixture
def plugin(npe2pm):
    with npe2pm.tmp_plugin(manifest=PluginManifest.from_file(MANIFEST)):
        yield


def write_prediction(path: Path, pixels, extra: tuple[str, ...] = ()) -> np.ndarray:
    names = ("healthy", "tumor", *extra)
    values = np.random.default_rng(0).random((len(names), *pixels.image_shape), np.float32)
    values[:, ~pixels.measured] = np.nan
    write_planes(path, values, names, pixels, ABOUT)
    return values


@pytest.mark.parametrize("suffix", [".ome.tif", ".ome.tiff", ".OME.TIF"])
def test_a_prediction_opens_on_its_slide(tmp_path, plugin, build, suffix):
    pixels = build.grid()
    path = tmp_path / f"x{suffix}"
    values = write_prediction(path, pixels)
    viewer = ViewerModel()
    viewer.open(str(path), plugin="napari-ims-tumor")
    healthy, tumor = viewer.layers
    assert [layer.name for layer in viewer.layers] == [
        "healthy probability · ä <b>", "tumor probability · ä <b>",
    ]  # fmt: skip
    np.testing.assert_array_equal(tumor.data, values[1])
    frame = SlideFrame.of_image(pixels)
    for layer in viewer.layers:
        assert tuple(layer.scale) == frame.scale == (50.0, 25.0)
        assert tuple(layer.translate) == frame.translate
        assert [str(unit) for unit in layer.units] == ["micrometer", "micrometer"]
        assert tuple(layer.contrast_limits) == (0.0, 1.0)
    assert (healthy.visible, tumor.visible) == (False, True)
    np.testing.assert_allclose(
        tumor.colormap.map(1.0).ravel()[:3], (213 / 255, 94 / 255, 0), atol=1e-6
    )


def test_a_stack_without_a_pixel_size(tmp_path, plugin, build):
    pixels = build.grid(planes=3, size_um=None)
    values = write_prediction(tmp_path / "x.ome.tif", pixels, ("uncertainty (entropy)",))
    (*_, (image, kwargs, kind)) = npe2.read([str(tmp_path / "x.ome.tif")], stack=False)
    np.testing.assert_array_equal(image, values[2])
    assert (kind, kwargs["name"]) == ("image", "uncertainty (entropy) · ä <b>")
    assert kwargs["scale"] == (1.0, 1.0, 1.0)
    assert kwargs["axis_labels"] == ("z", "y", "x")
    assert kwargs["contrast_limits"] == (0.0, 1.0)
    assert kwargs["colormap"].name == "uncertainty"


def test_ion_images_and_labels(tmp_path, build):
    pixels = build.grid()
    image = pixels.as_image(np.arange(len(pixels), dtype=np.float32))
    write_image(tmp_path / "a.ome.tif", image, "m/z 885.5", pixels, {"windows": [[885, 886]]})
    labels = np.ones((1, *pixels.image_shape), np.uint8)
    write_planes(tmp_path / "b.ome.tif", labels, ("labels",), pixels, {"kind": "labels"})
    ion, painted = read_files([tmp_path / "a.ome.tif", tmp_path / "b.ome.tif"])
    assert (ion[1]["name"], ion[1]["colormap"], ion[2]) == ("m/z 885.5 · a", "viridis", "image")
    assert 0 <= ion[1]["contrast_limits"][0] < ion[1]["contrast_limits"][1] <= len(pixels)
    assert (painted[1]["name"], painted[2]) == ("labels · b", "labels")


def test_of_several_ion_images_the_first_is_shown(tmp_path, build):
    pixels = build.grid()
    images = np.ones((3, *pixels.image_shape), np.float32)
    write_planes(tmp_path / "a.ome.tif", images, ("a", "b", "c"), pixels)
    layers = read_files(str(tmp_path / "a.ome.tif"))
    assert [kwargs["visible"] for _, kwargs, _ in layers] == [True, False, False]


def test_other_tiffs_are_left_to_other_readers(tmp_path, build):
    ours, foreign = tmp_path / "ours.ome.tif", tmp_path / "foreign.ome.tif"
    write_prediction(ours, build.grid())
    write_prediction(tmp_path / "ours.tif", build.grid())
    tifffile.imwrite(foreign, np.zeros((2, 4, 5), np.float32), ome=True, metadata={"axes": "CYX"})
    (tmp_path / "broken.ome.tif").write_bytes(b"II*\0")
    assert get_reader(str(ours)) is read_files
    for path in (
        foreign,
        tmp_path / "ours.tif",
        tmp_path / "broken.ome.tif",
        tmp_path / "no.ome.tif",
    ):
        assert get_reader(str(path)) is None
    assert get_reader([str(ours), str(foreign)]) is None
    assert get_reader([]) is None


def test_a_file_that_was_cut_off_is_one_message(tmp_path, build, monkeypatch):
    path = tmp_path / "cut.ome.tif"
    write_prediction(path, build.grid())
    with tifffile.TiffFile(path) as tiff:
        end = tiff.pages[0].dataoffsets[0]
    path.write_bytes(path.read_bytes()[: end + 3])
    with pytest.raises(ImsTumorError, match="cannot be read"):
        read_files(str(path))
    shown: list[str] = []
    monkeypatch.setattr("napari_ims_tumor.viewer.planes_reader.show_error", shown.append)
    monkeypatch.setattr(napari, "current_viewer", ViewerModel)
    assert read_files(str(path)) == [(None,)]
    assert len(shown) == 1
