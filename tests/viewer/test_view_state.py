"""How a session looked in one viewer, it looks in the next."""

from __future__ import annotations

import json

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils.colormaps import Colormap

from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow
from napari_ims_tumor.msi.synthetic.recipe import SlideRecipe
from napari_ims_tumor.msi.synthetic.slide import simulate_slide
from napari_ims_tumor.session.autosave import Autosave
from napari_ims_tumor.session.jobs import InlineRunner
from napari_ims_tumor.session.session import Session
from napari_ims_tumor.viewer.binding import Binding
from napari_ims_tumor.viewer.slide_tag import first_of, tag_of

RECIPE = SlideRecipe(16, 20, 60)


@pytest.fixture
def sample():
    return simulate_slide(RECIPE).dataset


@pytest.fixture
def again(tmp_path):
    """Another viewer, as empty as the first one was."""
    session = Session(InlineRunner(), Autosave(tmp_path / "autosave"))
    return Binding(ViewerModel(), session)


def reopen(session, again, path):
    session.files.save_session(path)
    again.session.files.open_session(path)
    return again.viewer


def looks(viewer):
    return [(tag_of(layer).role, layer.name, layer.visible) for layer in viewer.layers]


def test_all_that_was_set_by_hand_comes_back(
    binding, session, viewer, sample, build, again, tmp_path
):
    session.adopt(sample)
    session.show_ion(MassWindow(790.0, MassTolerance(0.5)))
    made = build.prediction(sample.pixels)
    session.predicted.emit(session.update(session.active, prediction=_whole(made)))
    labels = binding.new_labels_layer()
    labels.brush_size, labels.contour = 3, 1
    labels.selected_label = 1
    binding.look_as("uncertainty")
    tic, ion, peak = (first_of(viewer.layers, sample, role) for role in ("tic", "ion", "peak"))
    tic.opacity, tic.gamma, tic.interpolation2d = 0.35, 0.7, "linear"
    tic.contrast_limits = (1.0, 99.0)
    ion.colormap, ion.blending, ion.visible = "magma", "additive", True
    ion.name = "my ion"
    peak.colormap = Colormap([[0, 0, 0, 1], [0.2, 0.9, 0.4, 1]], name="mine")
    viewer.layers.move(0, 2)
    viewer.layers.remove(viewer.layers[-3])
    viewer.dims.set_point(0, 785.0)
    viewer.scene.camera.center, viewer.scene.camera.zoom = (0.0, 300.0, 500.0), 0.31
    viewer.canvas.overlays.scale_bar.visible = False
    viewer.theme = "light"
    binding.set_threshold(0.3, 0.1)
    before = binding.view.capture()
    seen = reopen(session, again, tmp_path / "a.imstumor")
    assert again.view.capture() == before
    assert looks(seen) == looks(viewer)
    assert (again.overlays.threshold, again.overlays.abstain) == (0.3, 0.1)
    for role in ("tic", "ion", "peak", "labels"):
        one, other = (first_of(v.layers, again.session.active.dataset if v is seen else sample,
                               role) for v in (viewer, seen))  # fmt: skip
        assert np.array_equal(one.data, other.data, equal_nan=role != "labels")


def _whole(made):
    object.__setattr__(made, "calibrated", True)
    object.__setattr__(made, "model_id", "0")
    object.__setattr__(made, "annotation_revision", 0)
    return made


def test_a_view_is_json(binding, session, sample):
    session.adopt(sample)
    binding.new_labels_layer()
    state = binding.view.capture()
    assert json.loads(json.dumps(state, allow_nan=False)) == state


def test_each_slide_keeps_its_own_look(binding, session, viewer, sample, again, tmp_path):
    session.adopt(sample)
    first_of(viewer.layers, sample, "tic").visible = False
    second = simulate_slide(RECIPE, 1).dataset
    session.adopt(second)
    seen = reopen(session, again, tmp_path / "a.imstumor")
    assert looks(seen) == looks(viewer)
    one, two = again.session.slides
    again.session.activate(one)
    assert not first_of(seen.layers, one.dataset, "tic").visible
    again.session.activate(two)
    assert first_of(seen.layers, two.dataset, "tic").visible


def test_layers_of_the_users_own_are_left_alone_and_named(
    binding, session, viewer, sample, again, heard, tmp_path
):
    session.adopt(sample)
    viewer.add_points(np.zeros((2, 2)), name="notes")
    again.viewer.add_points(np.zeros((1, 2)), name="mine")
    seen = reopen(session, again, tmp_path / "a.imstumor")
    assert "1 layer of your own" in heard[-1]
    names = [layer.name for layer in seen.layers]
    assert "mine" in names
    assert "notes" not in names


def test_the_layers_of_the_session_before_are_gone(
    binding, session, viewer, sample, again, build, tmp_path
):
    session.adopt(sample)
    again.session.adopt(build.dataset(name="before"))
    again.new_labels_layer()
    seen = reopen(session, again, tmp_path / "a.imstumor")
    assert not [layer.name for layer in seen.layers if "before" in layer.name]


@pytest.mark.parametrize(
    "change",
    [
        {"layers": None},
        {"layers": [{"layer": [7, "tic", 0], "opacity": 3}]},
        {"layers": [{"layer": [0, "tic", 0], "opacity": -3, "colormap": {"name": "none such"}}]},
        {"layers": [{"layer": [0, "tic", 0], "contrast_limits": [9, 1], "visible": "so so"}]},
        {"layers": [{"layer": [0, "tic", 0], "place": {"scale": ["a"], "affine": [[1e999]]}}]},
        {"selected": [99]},
        {"dims": {"point": [1], "order": [5, 5], "ndisplay": 9}},
        {"camera": {"zoom": "large", "center": [], "angles": None}},
        {"camera": 3, "grid": [], "theme": "none such", "threshold": "x"},
    ],
)
def test_what_is_not_understood_is_passed_over(binding, session, viewer, sample, change):
    session.adopt(sample)
    state = {**binding.view.capture(), **change}
    binding.view.restore(state)
    tic = first_of(viewer.layers, sample, "tic")
    assert tic is not None
    assert 0 <= tic.opacity <= 1
