from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer
from tests.viewer.conftest import make_dataset

from napari_ims_tumor.errors import LabelsError
from napari_ims_tumor.io.imzml_writer import write_imzml
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow
from napari_ims_tumor.viewer.binding import Binding
from napari_ims_tumor.viewer.canvas_overlays import scale_bar, text_overlay
from napari_ims_tumor.viewer.layers import slide_layers
from napari_ims_tumor.viewer.picking import Pixel, world_at
from napari_ims_tumor.viewer.slide_tag import first_of, tag_of


def roles(viewer):
    return [tag.role if (tag := tag_of(layer)) else None for layer in viewer.layers]


def read_into(viewer, dataset, overview):
    """Add layers one by one, as napari does for a reader."""
    for made in slide_layers(dataset, overview):
        viewer.add_layer(Layer.create(*made))


OPENED = ["tic", "stack", "peak", "peak", "peak"]


# ---- open -----------------------------------------------------------------------------------


def test_a_slide_opened_by_the_session_becomes_layers(binding, session, viewer, dataset):
    session.adopt(dataset)
    assert roles(viewer) == OPENED
    assert session.active.dataset is dataset
    assert viewer.layers.selection.active is viewer.layers[0]


def test_reader_layers_are_taken_in_after_and_before_the_dock(session, viewer, dataset, build):
    overview = build.overview(dataset)
    other = build.dataset(name="other")
    read_into(viewer, dataset, overview)
    binding = Binding(viewer, session)
    assert [slide.overview for slide in session.slides] == [overview]
    read_into(viewer, other, build.overview(other))
    assert [slide.name for slide in session.slides] == ["slide", "other"]
    assert roles(viewer) == OPENED * 2
    binding.close()


def test_reader_and_panel_end_in_the_same_state(tmp_path, dataset, build, session):
    def shown(viewer):
        return [
            (la.name, la.visible, tuple(la.scale), str(la.blending), la.colormap.name)
            for la in viewer.layers
        ]

    by_panel, by_reader = ViewerModel(), ViewerModel()
    first = Binding(by_panel, session)
    session.adopt(dataset)
    first.close()
    session.close_slide(session.active)
    second = Binding(by_reader, session)
    read_into(by_reader, dataset, build.overview(dataset))
    assert shown(by_panel) == shown(by_reader)
    second.close()


def test_the_second_file_of_a_dropped_pair_adds_nothing(
    binding, session, viewer, dataset, build, tmp_path
):
    one = build.from_file(dataset, tmp_path / "a.imzML")
    two = build.from_file(dataset, tmp_path / "a.ibd")
    read_into(viewer, one, build.overview(one))
    read_into(viewer, two, build.overview(two))
    assert len(session.slides) == 1
    assert roles(viewer) == OPENED


def test_a_new_dock_on_a_running_session_shows_everything(session, dataset, build):
    slide = session.adopt(dataset)
    labels = np.zeros(dataset.pixels.image_shape, np.uint8)
    labels[3, 3] = 2
    session.annotate(labels)
    session.update(slide, prediction=build.prediction(dataset.pixels))
    viewer = ViewerModel()
    binding = Binding(viewer, session)
    assert sorted(roles(viewer)) == sorted([*OPENED, "labels", "tumor", "class"])
    assert roles(viewer)[-1] == "labels"
    binding.close()


def test_the_scale_bar_stands_where_the_pixel_size_is_known(binding, session, viewer, build):
    session.adopt(build.dataset(build.grid(size_um=None)))
    assert not scale_bar(viewer).visible
    session.close_slide(session.active)
    session.adopt(build.dataset())
    assert scale_bar(viewer).visible


# ---- let go ---------------------------------------------------------------------------------


def test_deleting_all_layers_closes_the_slide_and_keeps_the_strokes(
    binding, session, viewer, dataset
):
    session.adopt(dataset)
    binding.new_labels_layer().data[2, 2] = 1
    viewer.layers.select_all()
    viewer.layers.remove_selected()
    assert session.slides == ()
    found = session.files._autosave
    assert len(list(found.folder.glob("*.npz"))) == 1


def test_deleting_some_layers_keeps_the_slide(binding, session, viewer, dataset):
    session.adopt(dataset)
    del viewer.layers[0]
    assert len(session.slides) == 1


def test_closing_a_slide_takes_its_layers_along(binding, session, viewer, dataset, build):
    slide = session.adopt(dataset)
    binding.new_labels_layer()
    session.adopt(build.dataset(name="other"))
    session.close_slide(slide)
    assert roles(viewer) == OPENED
    assert {la.name.rpartition(" · ")[2] for la in viewer.layers} == {"other"}
    assert viewer.layers[0].visible


def test_close_cuts_every_tie(binding, session, viewer, dataset, build):
    session.adopt(dataset)
    layer = binding.new_labels_layer()
    n_keys = len(viewer.keymap)
    binding.close()
    assert len(viewer.keymap) < n_keys
    layer.paint((3, 3), 2)
    assert session.active.annotation.revision == 0
    session.adopt(build.dataset(name="other"))
    assert "other" not in {la.name.rpartition(" · ")[2] for la in viewer.layers}
    assert len(viewer.mouse_drag_callbacks) == len(ViewerModel().mouse_drag_callbacks)


def test_a_closed_viewer_is_not_kept_alive(session, dataset):
    viewer = ViewerModel()
    binding = Binding(viewer, session)
    session.adopt(dataset)
    binding.close()
    gone = weakref.ref(viewer)
    del viewer, binding
    gc.collect()
    assert gone() is None


# ---- several slides -------------------------------------------------------------------------


def test_only_the_active_slide_is_seen(binding, session, viewer, dataset, build):
    first = session.adopt(dataset)
    viewer.layers[2].visible = True
    second = session.adopt(build.dataset(name="other"))
    seen = [la.visible for la in viewer.layers]
    assert seen == [False] * 5 + [True] + [False] * 4
    session.activate(first)
    assert [la.visible for la in viewer.layers] == [True, False, True] + [False] * 7
    viewer.layers.selection.active = viewer.layers[-1]
    assert session.active.key == second.key


# ---- paint ----------------------------------------------------------------------------------


def painted(session):
    return np.argwhere(session.active.annotation.labels).tolist()


@pytest.mark.parametrize("corner", [(0, 0), (0, 11), (7, 0), (7, 11)])
def test_strokes_at_corners_land_on_the_exact_pixels(binding, session, dataset, corner):
    session.adopt(dataset)
    layer = binding.new_labels_layer()
    layer.brush_size = 1
    place = layer.world_to_data((corner[0] * 50.0, corner[1] * 25.0))
    layer.paint(place, 2)
    assert painted(session) == [list(corner)]


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 7), st.integers(0, 11), st.floats(-0.49, 0.49), st.floats(-0.49, 0.49))
def test_the_pixel_painted_is_the_pixel_picked(tmp_path_factory, build, row, column, down, right):
    from napari_ims_tumor.session.autosave import Autosave
    from napari_ims_tumor.session.jobs import InlineRunner
    from napari_ims_tumor.session.session import Session

    session = Session(InlineRunner(), Autosave(tmp_path_factory.getbasetemp() / "laws"))
    viewer = ViewerModel()
    binding = Binding(viewer, session)
    session.adopt(build.dataset())
    picked = []
    session.spectrum_picked.connect(lambda p: picked.append([p.row, p.column]))
    session.nothing_picked.connect(lambda _: picked.append([0, 0]))
    layer = binding.new_labels_layer()
    layer.brush_size = 1
    world = ((row + down) * 50.0, (column + right) * 25.0)
    binding.pick((3.0, *world))
    layer.paint(layer.world_to_data(world), 1)
    assert picked == painted(session) == [[row, column]]


def test_undo_and_redo_reach_the_session(binding, session, dataset):
    session.adopt(dataset)
    layer = binding.new_labels_layer()
    layer.brush_size = 1
    layer.paint((3, 3), 2)
    layer.undo()
    assert painted(session) == []
    layer.redo()
    assert painted(session) == [[3, 3]]


def test_a_stroke_waits_for_its_end_and_flush_does_not(session, viewer, dataset, waiting):
    binding = Binding(viewer, session, waiting)
    session.adopt(dataset)
    layer = binding.new_labels_layer()
    layer.brush_size = 1
    layer.paint((3, 3), 2)
    layer.paint((3, 4), 2)
    assert painted(session) == []
    waiting.run()
    assert painted(session) == [[3, 3], [3, 4]]
    assert session.active.annotation.revision == 1
    layer.paint((5, 5), 1)
    binding.flush()
    assert [5, 5] in painted(session)
    layer.paint((6, 6), 1)
    binding.close()
    assert [6, 6] in painted(session)
    revision = session.active.annotation.revision
    layer.paint((7, 7), 1)
    waiting.run()
    assert session.active.annotation.revision == revision


def test_loaded_labels_are_shown_and_painting_goes_on(binding, session, viewer, dataset):
    session.adopt(dataset)
    labels = np.zeros(dataset.pixels.image_shape, np.uint8)
    labels[1, 1] = 1
    session.annotate(labels)
    layer = first_of(viewer.layers, dataset, "labels")
    np.testing.assert_array_equal(layer.data, labels)
    layer.brush_size = 1
    layer.paint((2, 2), 2)
    assert painted(session) == [[1, 1], [2, 2]]
    labels[5, 5] = 2
    session.annotate(labels)
    assert first_of(viewer.layers, dataset, "labels") is layer
    np.testing.assert_array_equal(layer.data, labels)


def test_the_button_finds_the_layer_again(binding, session, viewer, dataset):
    session.adopt(dataset)
    layer = binding.new_labels_layer()
    assert (layer.mode, layer.selected_label) == ("paint", 2)
    layer.name, layer.visible = "mine", False
    viewer.layers.selection.active = viewer.layers[0]
    assert binding.new_labels_layer() is layer
    assert layer.visible
    assert viewer.layers.selection.active is layer


def test_without_a_slide_the_button_says_so(binding, heard):
    assert binding.new_labels_layer() is None
    assert heard == ["Open a slide first."]


# ---- row 25 ---------------------------------------------------------------------------------


def test_a_renamed_layer_is_still_the_labels_layer(binding, session, dataset):
    session.adopt(dataset)
    layer = binding.new_labels_layer()
    layer.name = "Dr. Miller"
    layer.paint((3, 3), 2)
    assert session.active.annotation.labels[3, 3] == 2


@pytest.mark.parametrize(
    "wrong", [np.zeros((3, 3), np.uint8), np.full((8, 12), 7), np.full((8, 12), 258)]
)
def test_wrong_content_is_put_back_with_a_message(binding, session, dataset, heard, wrong):
    session.adopt(dataset)
    layer = binding.new_labels_layer()
    layer.brush_size = 1
    layer.paint((3, 3), 2)
    layer.data = wrong
    assert layer.data.shape == (8, 12)
    assert np.argwhere(layer.data).tolist() == painted(session) == [[3, 3]]
    assert "The last good labels are back" in heard[-1]


def test_a_deleted_layer_comes_back_with_its_strokes(binding, session, viewer, dataset, heard):
    session.adopt(dataset)
    layer = binding.new_labels_layer()
    layer.brush_size = 1
    layer.paint((3, 3), 2)
    viewer.layers.remove(layer)
    assert "1 painted pixels of slide are kept" in heard[-1]
    again = binding.new_labels_layer()
    assert again is not layer
    assert again.data[3, 3] == 2
    again.paint((4, 4), 1)
    assert painted(session) == [[3, 3], [4, 4]]


def test_a_replaced_layer_takes_over(binding, session, viewer, dataset):
    session.adopt(dataset)
    viewer.layers.remove(binding.new_labels_layer())
    mine = viewer.add_labels(np.zeros((8, 12), np.int32))
    assert tag_of(mine).role == "labels"
    assert tuple(mine.scale) == (50.0, 25.0)
    mine.brush_size = 1
    mine.paint((3, 3), 1)
    assert painted(session) == [[3, 3]]


def test_a_moved_layer_is_put_back(binding, session, dataset, heard):
    session.adopt(dataset)
    layer = binding.new_labels_layer()
    layer.scale = (1, 1)
    assert tuple(layer.scale) == (50.0, 25.0)
    layer.affine = np.array([[1, 0, 9], [0, 1, 0], [0, 0, 1.0]])
    assert tuple(layer.data_to_world((0, 0))) == (0.0, 0.0)
    assert "exactly over slide" in heard[-1]


def test_labels_follow_a_rescaled_slide(binding, session, viewer, dataset):
    session.adopt(dataset)
    for layer in viewer.layers:
        layer.scale = (*layer.scale[:-2], 10, 10)
    layer = binding.new_labels_layer()
    assert tuple(layer.scale) == (10, 10)


def test_a_second_labels_layer_is_a_note_of_the_users(binding, session, viewer, dataset):
    session.adopt(dataset)
    binding.new_labels_layer()
    note = viewer.add_labels(np.ones((8, 12), int))
    assert tag_of(note) is None
    note.paint((3, 3), 2)
    assert painted(session) == []


def test_a_duplicate_of_the_labels_layer_is_a_note_too(binding, session, viewer, dataset):
    import copy

    session.adopt(dataset)
    layer = binding.new_labels_layer()
    twin = viewer.add_layer(Layer.create(*copy.deepcopy(layer.as_layer_data_tuple())))
    assert tag_of(twin) is None
    assert first_of(viewer.layers, dataset, "labels") is layer


def test_other_layers_are_refused_with_both_shapes(binding, session, viewer, dataset):
    session.adopt(dataset)
    with pytest.raises(LabelsError, match=r"\(3, 3\).*\(8, 12\)"):
        binding.annotating.use_layer(Labels(np.zeros((3, 3), int)))
    with pytest.raises(LabelsError, match="no labels layer"):
        binding.annotating.use_layer(Image(np.zeros((8, 12))))


def test_new_labels_on_the_stack_gives_one_image(binding, session, viewer, dataset, heard):
    session.adopt(dataset)
    viewer.layers.selection.active = first_of(viewer.layers, dataset, "stack")
    viewer._new_labels()
    labels = [la for la in viewer.layers if isinstance(la, Labels)]
    assert [la.data.shape for la in labels] == [(8, 12)]
    assert tag_of(labels[0]).role == "labels"
    assert "One labels layer" in heard[-1]


# ---- keys and clicks ------------------------------------------------------------------------


def press(viewer, key):
    bound = {str(k): action for k, action in viewer.keymap.items()}
    bound[key](viewer)


def test_keys_take_up_the_brush(binding, session, viewer, dataset):
    session.adopt(dataset)
    press(viewer, "H")
    layer = first_of(viewer.layers, dataset, "labels")
    assert (layer.mode, layer.selected_label) == ("paint", 1)
    press(viewer, "T")
    assert (layer.mode, layer.selected_label) == ("paint", 2)
    press(viewer, "E")
    assert layer.mode == "erase"


def test_keys_are_given_back(session, viewer):
    def mine(_):
        return None

    viewer.bind_key("T", mine)
    Binding(viewer, session).close()
    assert {str(k): f for k, f in viewer.keymap.items()}["T"] is mine


def test_the_keys_are_free_on_a_labels_layer():
    from napari.utils.shortcuts import default_shortcuts

    taken = {
        str(key)
        for action, keys in default_shortcuts.items()
        if "label" in action or "brush" in action
        for key in keys
    }
    assert not {"T", "H"} & taken


def test_picks_go_through_the_layer_that_is_seen(binding, session, viewer, dataset, heard):
    picked = []
    session.spectrum_picked.connect(lambda p: picked.append((p.row, p.column)))
    binding.pick((0.0, 0.0))
    session.adopt(dataset)
    tic, stack = viewer.layers[0], viewer.layers[1]
    for layer in (tic, stack):
        layer.scale = (*layer.scale[:-2], 7, 3)
        viewer.layers.selection.active = layer
        binding.pick(world_at(layer, dataset.pixels, Pixel(5, 9)))
    assert picked == [(5, 9)] * 2
    binding.pick((0, 0, 0))
    binding.pick((0, -900, 0))
    assert "was not measured" in heard[-1]


# ---- look -----------------------------------------------------------------------------------


def test_the_window_of_the_slider_is_always_written(binding, session, viewer, dataset):
    assert not text_overlay(viewer).visible
    session.adopt(dataset)
    stack = first_of(viewer.layers, dataset, "stack")
    assert text_overlay(viewer).visible
    assert not stack.visible
    assert text_overlay(viewer).text == "slider at m/z 600.0000   (1 of 5), hidden"
    viewer.dims.set_point(0, 3)
    assert text_overlay(viewer).text == "m/z 750.2500   (4 of 5)"
    assert stack.visible
    high = stack.contrast_limits[1]
    assert high == pytest.approx(np.nanpercentile(stack.data.image(3), 99.5), rel=1e-5)
    stack.visible = False
    assert text_overlay(viewer).text == "slider at m/z 750.2500   (4 of 5), hidden"
    stack.contrast_limits = (0, 1)
    viewer.dims.set_point(0, 2)
    assert stack.contrast_limits == [0, 1]
    session.close_slide(session.active)
    assert not text_overlay(viewer).visible


def test_jumping_to_a_window_finds_the_nearest_channel(binding, session, viewer, build):
    for mz in (np.linspace(500, 504, 9), np.array([500.0, 501.0, 509.0])):
        session.adopt(build.dataset(mz=mz, name=f"{mz.size}"))
        binding.jump_to_window(MassWindow(501.1, MassTolerance(0.1)))
        assert text_overlay(viewer).text.startswith("m/z 501.0000")
        assert first_of(viewer.layers, session.active.dataset, "stack").visible
        viewer.layers.clear()


def test_an_ion_image_is_one_layer_updated_in_place(binding, session, viewer, dataset):
    session.adopt(dataset)
    binding.new_labels_layer()
    session.show_ion(MassWindow(600, MassTolerance(0.5)))
    layer = first_of(viewer.layers, dataset, "ion")
    layer.opacity = 0.5
    session.show_ion(MassWindow(900, MassTolerance(20, "ppm")))
    assert roles(viewer) == [*OPENED, "ion", "labels"]
    assert layer.name == "m/z 900.0000 ± 20 ppm · slide"
    np.testing.assert_allclose(
        layer.data, dataset.ion_images([MassWindow(900, MassTolerance(20, "ppm"))])[0], rtol=1e-6
    )
    assert layer.opacity == 0.5
    assert layer.visible
    viewer.dims.set_point(0, 3)
    assert not layer.visible


# ---- predictions ----------------------------------------------------------------------------


def predict(session, build, tumor=0.8):
    slide = session.active
    made = build.prediction(slide.dataset.pixels, tumor)
    changed = session.update(slide, prediction=made, prediction_revision=slide.annotation.revision)
    session.predicted.emit(changed)


def test_a_prediction_arrives_below_the_labels_without_taking_the_brush(
    binding, session, viewer, dataset, build
):
    session.adopt(dataset)
    labels = binding.new_labels_layer()
    predict(session, build)
    assert roles(viewer) == [*OPENED, "tumor", "class", "labels"]
    assert viewer.layers.selection.active is labels
    assert labels.mode == "paint"
    tumor = first_of(viewer.layers, dataset, "tumor")
    tumor.opacity = 0.2
    predict(session, build, 0.3)
    assert first_of(viewer.layers, dataset, "tumor") is tumor
    assert tumor.opacity == 0.2
    assert np.nanmax(tumor.data) == pytest.approx(0.3)


def test_what_was_asked_for_last_is_seen_without_other_colors_over_it(
    binding, session, viewer, dataset, build
):
    session.adopt(dataset)
    session.show_ion(MassWindow(600, MassTolerance(0.5)))
    predict(session, build)
    ion, tumor, tic = (first_of(viewer.layers, dataset, role) for role in ("ion", "tumor", "tic"))
    assert (ion.visible, tumor.visible, tic.visible) == (False, True, True)
    session.show_ion(MassWindow(600, MassTolerance(0.5)))
    assert (ion.visible, tumor.visible, tic.visible) == (True, False, True)
    viewer.dims.set_point(0, 3)
    stack = first_of(viewer.layers, dataset, "stack")
    assert (ion.visible, tumor.visible, stack.visible) == (False, False, True)


def test_strokes_after_the_fit_make_the_prediction_stale(binding, session, viewer, dataset, build):
    session.adopt(dataset)
    layer = binding.new_labels_layer()
    predict(session, build)
    tumor = first_of(viewer.layers, dataset, "tumor")
    assert "changed" not in tumor.name
    layer.paint((3, 3), 2)
    assert tumor.name == "tumor probability · slide (strokes changed since)"
    assert tumor.metadata["stale"]
    predict(session, build)
    assert tumor.name == "tumor probability · slide"


def test_the_threshold_redraws_the_class_layer(binding, session, viewer, dataset, build):
    session.adopt(dataset)
    predict(session, build, 0.6)
    classes = first_of(viewer.layers, dataset, "class")
    assert set(np.unique(classes.data)) == {0, 2}
    binding.set_threshold(0.7)
    assert set(np.unique(classes.data)) == {0, 1}
    binding.set_threshold(0.7, abstain=0.2)
    assert set(np.unique(classes.data)) == {0}
    assert not session.active.annotation.labels.any()


def test_no_wrong_prediction_layer(binding, session, viewer, dataset, build, heard):
    session.adopt(dataset)
    made = build.prediction(dataset.pixels)
    object.__setattr__(made, "class_names", ("a", "b"))
    session.predicted.emit(session.update(session.active, prediction=made))
    assert roles(viewer) == OPENED
    assert "no class named 'tumor'" in heard[-1]


def test_sections_can_be_painted_and_picked(binding, session, viewer, build):
    session.adopt(build.dataset(build.grid(planes=3)))
    layer = binding.new_labels_layer()
    assert layer.data.shape == (3, 8, 12)
    layer.brush_size = 1
    layer.paint((2, 4, 5), 2)
    assert painted(session) == [[2, 4, 5]]
    picked = []
    session.spectrum_picked.connect(lambda p: picked.append((p.plane, p.row, p.column)))
    binding.pick((0.0, 2.0, 200.0, 125.0))
    assert picked == [(2, 4, 5)]


# ---- without needless work ------------------------------------------------------------------


def test_every_slide_is_brought_into_view(binding, session, viewer, build):
    def corner_on_canvas():
        layer = first_of(viewer.layers, session.active.dataset, "tic")
        camera, size = viewer.scene.camera, np.array(viewer.canvas.size)
        low, high = layer.extent.world
        half = size / camera.zoom / 2
        assert (low >= np.array(camera.center[-2:]) - half).all()
        assert (high <= np.array(camera.center[-2:]) + half).all()
        return camera.zoom

    large = session.adopt(build.dataset(build.grid(size_um=(500.0, 500.0)), name="large"))
    first = corner_on_canvas()
    session.adopt(build.dataset(name="small"))
    assert corner_on_canvas() > 5 * first
    session.activate(large)
    assert corner_on_canvas() == pytest.approx(first)


def test_a_slide_of_planes_beside_a_flat_one_is_brought_into_view(binding, session, viewer, build):
    session.adopt(build.dataset(build.grid(planes=2), name="planes"))
    session.adopt(build.dataset(name="flat"))
    assert session.active.name == "flat"
    assert roles(viewer) == OPENED * 2


def test_a_step_of_the_slider_draws_only_what_changes(binding, session, viewer, dataset):
    session.adopt(dataset)
    stack = first_of(viewer.layers, dataset, "stack")
    viewer.dims.set_current_step(0, 1)
    changed = []
    for layer in viewer.layers:
        layer.events.visible.connect(lambda event: changed.append(event.source))
    viewer.dims.set_current_step(0, 2)
    assert stack.visible
    assert changed == []


def test_the_layers_of_a_closed_slide_go_together(binding, session, viewer, dataset):
    session.adopt(dataset)
    batches = []
    viewer.layers.events.end_batch.connect(batches.append)
    session.close_slide(session.active)
    assert not viewer.layers
    assert len(batches) == 1


def test_lost_labels_are_no_news_once_the_binding_is_closed(session, viewer, dataset, waiting):
    heard = []
    session.noticed.connect(heard.append)
    binding = Binding(viewer, session, waiting)
    session.adopt(dataset)
    layer = binding.new_labels_layer()
    layer.data[2, 2] = 2
    viewer.layers.remove(layer)
    binding.close()
    waiting.run()
    assert heard == []


def test_a_changed_byte_is_told_in_the_metadata_of_every_layer(
    binding, viewer, session, tmp_path
) -> None:
    path = write_imzml(tmp_path / "slide.imzML", make_dataset())
    ibd = path.with_suffix(".ibd")
    data = bytearray(ibd.read_bytes())
    data[-4] ^= 1
    ibd.write_bytes(data)
    session.open(path)
    assert len(viewer.layers) > 1
    for layer in viewer.layers:
        assert any("whose SHA-1 is stated" in text for text in layer.metadata["warnings"])
