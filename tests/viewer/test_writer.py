"""napari's own *Save*, for each layer of a slide and each ending."""

from __future__ import annotations

import csv
import warnings
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels
from PIL import Image as Picture

from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.io.annotation_file import read_labels
from napari_ims_tumor.io.image_file import read_planes
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow
from napari_ims_tumor.session.session import Session
from napari_ims_tumor.viewer.binding import Binding
from napari_ims_tumor.viewer.slide_tag import first_of

PLUGIN = "napari-ims-tumor"
IMAGES = ("tic", "peak", "ion", "tumor", "uncertainty")


@pytest.fixture(scope="module", autouse=True)
def plugins() -> None:
    from napari.plugins import _initialize_plugins

    _initialize_plugins()


@pytest.fixture
def shown(viewer: ViewerModel, session: Session, binding: Binding, dataset, build) -> ViewerModel:
    """A slide with an ion image, labels and a prediction."""
    from napari_ims_tumor.model.prediction import Prediction

    slide = session.adopt(dataset)
    labels = np.zeros((8, 12), np.uint8)
    labels[2:5, 3:7], labels[6, 6] = 2, 1
    session.annotate(labels)
    session.show_ion(MassWindow(700.0, MassTolerance(0.5)))
    fake = build.prediction(dataset.pixels)
    made = Prediction(fake.probabilities, fake.class_names, True, "model")
    changed = session.update(slide, prediction=made, prediction_revision=1)
    session.predicted.emit(changed)
    binding.overlays.look_as(changed, "uncertainty")
    return viewer


def layer(viewer: ViewerModel, dataset, role: str):
    found = first_of(viewer.layers, dataset, role)
    assert found is not None
    return found


@pytest.mark.parametrize("role", IMAGES)
@pytest.mark.parametrize("ending", [".ome.tif", ".npy", ".csv", ".png"])
def test_each_image_layer_is_saved(shown, dataset, tmp_path: Path, role: str, ending: str) -> None:
    one = layer(shown, dataset, role)
    path = tmp_path / f"a{ending}"
    assert one.save(str(path), plugin=PLUGIN) == [str(path)]
    if ending == ".png":
        assert "slide" in Picture.open(path).text["Title"]
    elif ending == ".csv":
        lines = [la for la in path.read_text().splitlines() if not la.startswith("#")]
        values = [float(list(row.values())[-1]) for row in csv.DictReader(lines)]
        assert np.array_equal(np.array(values, np.float32), one.data[dataset.pixels.measured])
    else:
        read = read_planes(path)
        assert np.array_equal(read.values[0] if ending != ".npy" else np.load(path), one.data,
                              equal_nan=True)  # fmt: skip
        assert read.pixel_size_um == (50.0, 25.0)
        assert read.about["slide"] == "slide"


@pytest.mark.parametrize("role", ["labels", "class"])
@pytest.mark.parametrize("ending", [".npy", ".tif", ".png", ".geojson"])
def test_each_labels_layer_is_saved(shown, dataset, tmp_path: Path, role: str, ending: str) -> None:
    one, path = layer(shown, dataset, role), tmp_path / f"a{ending}"
    assert one.save(str(path), plugin=PLUGIN) == [str(path)]
    assert np.array_equal(read_labels(path, dataset.pixels)[0].labels, one.data)


def test_the_ion_image_in_the_file_is_the_last_one_asked_for(
    shown, session: Session, dataset, tmp_path: Path
) -> None:
    window = MassWindow(900.0, MassTolerance(0.25))
    session.show_ion(window)
    layer(shown, dataset, "ion").save(str(tmp_path / "a.ome.tif"), plugin=PLUGIN)
    read = read_planes(tmp_path / "a.ome.tif")
    assert read.about["windows"] == [[window.low, window.high]]
    assert read.names == ("m/z 900.0000 ± 0.25 Da",)
    assert np.array_equal(read.values, dataset.ion_images([window]), equal_nan=True)


def test_several_layers_are_the_channels_of_one_image(shown, dataset, tmp_path: Path) -> None:
    selected = [layer(shown, dataset, role) for role in ("tic", "ion", "tumor")]
    shown.layers.selection = set(selected)
    path = str(tmp_path / "a.ome.tif")
    assert shown.layers.save(path, selected=True, plugin=PLUGIN) == [path]
    read = read_planes(path)
    assert read.names == ("total ion current", "m/z 700.0000 ± 0.5 Da", "tumor probability")
    for plane, one in zip(read.values, selected, strict=True):
        assert np.array_equal(plane, one.data, equal_nan=True)


def test_the_stack_is_refused_with_what_to_do_instead(shown, dataset, tmp_path: Path) -> None:
    stack = layer(shown, dataset, "stack")
    for ending in (".ome.tif", ".npy", ".csv", ".png"):
        with pytest.raises(ImsTumorError, match="click the peaks"):
            stack.save(str(tmp_path / f"a{ending}"), plugin=PLUGIN)
    shown.layers.selection = {stack, layer(shown, dataset, "tic")}
    with pytest.raises(ImsTumorError, match="click the peaks"):
        shown.layers.save(str(tmp_path / "a.ome.tif"), selected=True, plugin=PLUGIN)
    assert not list(tmp_path.iterdir())


def test_images_of_two_slides_are_refused(
    shown, session: Session, dataset, build, tmp_path: Path
) -> None:
    other = build.dataset(name="other")
    session.adopt(other)
    shown.layers.selection = {layer(shown, d, "tic") for d in (dataset, other)}
    with pytest.raises(ImsTumorError, match="several slides"):
        shown.layers.save(str(tmp_path / "a.ome.tif"), selected=True, plugin=PLUGIN)


def test_layers_of_others_go_to_naparis_own_writer(tmp_path: Path) -> None:
    image, labels = Image(np.eye(3)), Labels(np.eye(3, dtype=np.uint8))
    for one, ending in ((image, ".tif"), (image, ".png"), (labels, ".tif")):
        path = str(tmp_path / f"a{ending}")
        assert one.save(path) == [path]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert image.save(str(tmp_path / "a.npy"), plugin=PLUGIN) == []
        assert labels.save(str(tmp_path / "a.geojson"), plugin=PLUGIN) == []


def test_a_layer_that_no_longer_fits_its_slide_is_refused(shown, dataset, tmp_path: Path) -> None:
    one = layer(shown, dataset, "tic")
    one.data = np.zeros((3, 3), np.float32)
    with pytest.raises(ImsTumorError, match=r"\(3, 3\).*\(8, 12\)"):
        one.save(str(tmp_path / "a.npy"), plugin=PLUGIN)
