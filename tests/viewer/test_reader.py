from __future__ import annotations

from pathlib import Path

import napari
import npe2
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils.notifications import notification_manager
from npe2 import PluginManifest

import napari_ims_tumor
from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.io.imzml_writer import write_imzml
from napari_ims_tumor.viewer import reader
from napari_ims_tumor.viewer.reader import get_reader, one_per_slide, read_slides
from napari_ims_tumor.viewer.slide_tag import tag_in, tag_of
from napari_ims_tumor.viewer.writer import write_labels_layer

MANIFEST = Path(napari_ims_tumor.__file__).with_name("napari.yaml")
SLIDES = ("bladder_tma1/TMA1", "barley_101/barley")


@pytest.fixture
def window(monkeypatch):
    """The viewer model, as if it stood in a window."""
    viewer = ViewerModel()
    monkeypatch.setattr(napari, "current_viewer", lambda: viewer)
    return viewer


@pytest.fixture
def plugin(npe2pm):
    """The plugin as napari finds it; npe2 keeps tests from finding any by themselves."""
    with npe2pm.tmp_plugin(manifest=PluginManifest.from_file(MANIFEST)):
        yield


@pytest.fixture
def said():
    messages: list[str] = []

    def hear(notification):
        messages.append(notification.message)

    notification_manager.notification_ready.connect(hear)
    yield messages
    notification_manager.notification_ready.disconnect(hear)


@pytest.mark.parametrize("path", ["a.imzML", "a.IMZML", "a.ibd", Path("b/a.Ibd"), ["a.imzML"]])
def test_imzml_is_claimed(path):
    assert get_reader(path) is read_slides


@pytest.mark.parametrize("path", ["a.tif", [], ["a.imzML", "b.tif"], "imzml"])
def test_nothing_else_is(path):
    assert get_reader(path) is None


def test_a_pair_is_one_slide():
    paths = [Path(p) for p in ("x/a.ibd", "x/a.imzML", "x/b.IBD", "y/a.imzml", "y/a.ibd")]
    assert one_per_slide(paths) == [Path("x/a.imzML"), Path("x/b.IBD"), Path("y/a.imzml")]


def test_without_a_window_an_error_is_raised(tmp_path):
    with pytest.raises(SlideError):
        read_slides(str(tmp_path / "none.imzML"))


def test_in_a_window_an_error_is_one_message(tmp_path, window, said):
    bad = tmp_path / "bad.imzML"
    bad.write_text("<mzML>")
    assert read_slides(str(bad)) == [(None,)]
    assert len(said) == 1
    assert "bad" in said[0]
    assert "Traceback" not in said[0]


def test_two_files_dropped_together_are_one_slide(tmp_path, window, plugin, said, dataset):
    write_imzml(tmp_path / "slide.imzML", dataset)
    both = [str(tmp_path / f"slide{suffix}") for suffix in (".ibd", ".imzML")]
    for paths in (both, both[:1], both[1:]):
        window.open(paths, plugin="napari-ims-tumor")
        tags = [tag_of(layer) for layer in window.layers]
        assert [tag.role for tag in tags].count("tic") == 1
        assert len({tag.dataset for tag in tags}) == 1
        window.layers.selection.clear()
    assert said == ["slide is open already.", "slide is open already."]


@pytest.mark.real_data
def test_the_two_files_of_a_drop_open_once(real_data, window, plugin, said):
    both = [str(real_data / f"bladder_tma1/TMA1{suffix}") for suffix in (".imzML", ".ibd")]
    window.open(both, plugin="napari-ims-tumor")
    assert [tag_of(layer).role for layer in window.layers] == ["tic", "stack"] + ["peak"] * 3
    assert tag_of(window.layers.selection.active).role == "tic"
    no_size = "no pixel size is stated, so distances are in pixels. Export it with its pixel size"
    assert said == [f"TMA1.imzML: {no_size} to see µm."]
    window.layers.selection.clear()
    assert window.open(both[0], plugin="napari-ims-tumor") == []
    assert said[1:] == ["TMA1 is open already."]
    assert tag_of(window.layers.selection.active).role == "tic"


@pytest.mark.real_data
@pytest.mark.parametrize("name", SLIDES)
def test_real_slides_become_right_layers(real_data, plugin, name):
    layers = npe2.read([str(real_data / f"{name}.imzML")], stack=False)
    dataset = tag_in(layers[0][1]["metadata"]).dataset
    tic, stack = layers[0][0], layers[1][0]
    assert [kind for _, _, kind in layers] == ["image"] * 5
    np.testing.assert_array_equal(np.isfinite(tic), dataset.pixels.measured)
    np.testing.assert_allclose(
        dataset.pixels.as_vector(tic), dataset.total_ion_current(), rtol=1e-6
    )
    i = dataset.n_spectra // 2
    channel = len(stack) // 3
    row, column = dataset.pixels.rows[i], dataset.pixels.columns[i]
    assert stack[channel, row, column] == pytest.approx(dataset.spectrum(i).intensity[channel])


@pytest.mark.real_data
def test_several_slides_in_one_call(real_data, monkeypatch):
    opened: list[Path] = []
    monkeypatch.setattr(reader, "open_layers", lambda file: opened.append(file) or [])
    folder = real_data / "bladder_tma1/cores"
    pairs = [str(p) for p in sorted(folder.iterdir()) if p.suffix.lower() in reader.SUFFIXES][:4]
    read_slides(pairs)
    assert len(opened) == 2


@pytest.mark.parametrize("name", ["labels.npy", "labels.tif"])
def test_labels_are_written_and_read_back(tmp_path, dataset, name):
    from napari_ims_tumor.annotation.annotation import Annotation
    from napari_ims_tumor.io.annotation_file import read_labels
    from napari_ims_tumor.viewer.layers import labels_layer

    labels, meta, _ = labels_layer(dataset, Annotation.empty(dataset.pixels))
    labels[2, 3] = 2
    path = str(tmp_path / name)
    assert write_labels_layer(path, labels, meta) == [path]
    read, _ = read_labels(Path(path), dataset.pixels)
    np.testing.assert_array_equal(read.labels, labels)
    assert write_labels_layer(path, labels, {}) == []
