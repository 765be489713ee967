"""What napari can do to a large stack, on its model without a window."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image, Labels, Layer
from napari.layers.utils import stack_utils
from napari.utils.notifications import (
    ErrorNotification,
    Notification,
    NotificationSeverity,
    notification_manager,
)

from napari_ims_tumor.errors import ImsTumorError, QueryError
from napari_ims_tumor.viewer import lazy_stack
from napari_ims_tumor.viewer.binding import Binding
from napari_ims_tumor.viewer.layers import slide_layers
from napari_ims_tumor.viewer.mass_readout import readout_of
from napari_ims_tumor.viewer.slide_tag import first_of, tag_of


@pytest.fixture
def large(monkeypatch):
    """Call stacks of more than two images large."""
    monkeypatch.setattr(lazy_stack, "WHOLE_BYTES", 2 * 8 * 12 * 4)


@pytest.fixture
def said():
    before = len(notification_manager.records)
    return lambda: [str(note.message) for note in notification_manager.records[before:]]


@pytest.fixture
def stack(viewer, dataset, build, large):
    readout_of(viewer)
    for made in slide_layers(dataset, build.overview(dataset)):
        viewer.add_layer(Layer.create(*made))
    found = first_of(viewer.layers, dataset, "stack")
    found.visible = True
    viewer.layers.selection.active = found
    return found


def as_usual(viewer, stack) -> bool:
    """Whether the view is flat and the slider moves the image."""
    if (viewer.dims.ndisplay, tuple(viewer.dims.order)) != (2, (0, 1, 2)):
        return False
    for channel in (1, 3):
        viewer.dims.set_current_step(0, channel)
        if not np.array_equal(stack._slice.image.raw, stack.data.image(channel), equal_nan=True):
            return False
    return True


def solid(viewer):
    viewer.dims.ndisplay = 3


def rolled(viewer):
    viewer.dims.roll()


def turned(viewer):
    viewer.dims.order = (1, 0, 2)


def both(viewer):
    viewer.dims.order = (2, 0, 1)
    viewer.dims.ndisplay = 3


@pytest.mark.parametrize("ask", [solid, rolled, turned])
def test_a_view_of_all_images_is_taken_back_with_one_message(viewer, stack, said, ask):
    ask(viewer)
    assert len(said()) == 1
    assert "Too much at once: 5 ion images of slide (" in said()[0]
    assert as_usual(viewer, stack)
    ask(viewer)
    assert len(said()) == 2
    assert as_usual(viewer, stack)


def test_swapping_the_image_axes_is_no_view_of_all(viewer, stack, said):
    viewer.dims.transpose()
    assert tuple(viewer.dims.order) == (0, 2, 1)
    viewer.dims.ndisplay = 3
    assert (viewer.dims.ndisplay, tuple(viewer.dims.order)) == (2, (0, 2, 1))
    assert len(said()) == 1


def test_a_hidden_stack_may_stand_in_any_view_until_it_is_shown(viewer, stack, said):
    stack.visible = False
    both(viewer)
    assert (viewer.dims.ndisplay, tuple(viewer.dims.order)) == (3, (2, 0, 1))
    assert said() == []
    stack.visible = True
    assert len(said()) == 1
    assert as_usual(viewer, stack)


def test_a_small_stack_is_seen_in_3_d(viewer, stack, said, monkeypatch):
    monkeypatch.setattr(lazy_stack, "WHOLE_BYTES", 5 * 8 * 12 * 4)
    solid(viewer)
    assert viewer.dims.ndisplay == 3
    assert stack._slice.image.raw.shape == (5, 8, 12)
    assert said() == []


def test_a_stack_that_comes_into_a_3_d_view_makes_it_flat(viewer, dataset, build, large, said):
    readout_of(viewer)
    viewer.add_image(np.zeros((4, 8, 12)))
    solid(viewer)
    for made in slide_layers(dataset, build.overview(dataset)):
        viewer.add_layer(Layer.create(*made))
    stack = first_of(viewer.layers, dataset, "stack")
    assert viewer.dims.ndisplay == 3
    stack.visible = True
    assert as_usual(viewer, stack)
    assert len(said()) == 1


def test_new_labels_on_a_stack_are_one_image(viewer, stack, dataset, said):
    viewer._new_labels()
    (labels,) = (layer for layer in viewer.layers if isinstance(layer, Labels))
    assert labels.data.shape == dataset.pixels.image_shape
    np.testing.assert_allclose(labels.extent.world, stack.extent.world[:, 1:])
    assert "One labels layer serves all ion images of slide" in said()[0]


def test_what_is_painted_on_them_without_a_dock_is_the_slide_s_once_there_is_one(
    viewer, stack, session
):
    viewer._new_labels()
    labels = viewer.layers.selection.active
    labels.data[3, 4] = 2
    Binding(viewer, session)
    assert session.active.annotation.labels[3, 4] == 2
    assert tag_of(labels).role == "labels"
    labels.data[5, 6] = 1
    labels.events.set_data()
    assert session.active.annotation.labels[5, 6] == 1


def test_new_labels_of_several_layers_are_one_image_too(viewer, stack, dataset):
    viewer.layers.selection = {stack, viewer.layers[0]}
    viewer._new_labels()
    (labels,) = (layer for layer in viewer.layers if isinstance(layer, Labels))
    assert labels.data.shape == dataset.pixels.image_shape


def test_new_labels_on_other_layers_are_napari_s_own(viewer, stack):
    viewer.layers.selection.active = viewer.add_image(np.zeros((3, 4, 5)))
    viewer._new_labels()
    assert viewer.layers[-1].data.shape == (3, 4, 5)


def test_splitting_a_large_stack_is_refused(stack):
    with pytest.raises(QueryError, match="5 layers"):
        stack_utils.stack_to_images(stack, 0)
    assert len(stack_utils.stack_to_images(Image(np.zeros((3, 4, 5))), 0)) == 3


def test_our_errors_are_shown_without_a_traceback_and_others_with(stack, said):
    for error in (QueryError("Nothing there."), ValueError("broken")):
        notification_manager.receive_error(type(error), error)
    ours, other = notification_manager.records[-2:]
    assert not isinstance(ours, ErrorNotification)
    assert (ours.message, str(ours.severity)) == ("Nothing there.", "error")
    assert isinstance(other, ErrorNotification)
    assert issubclass(QueryError, ImsTumorError)


def test_slides_with_and_without_a_pixel_size_are_no_news_at_each_layer(stack):
    # Of the dispatch itself: what is not news is not even recorded.
    before = len(notification_manager.records)
    text = "Inconsistent units across layers; units will not be used for rendering."
    notification_manager.dispatch(Notification(text, NotificationSeverity.WARNING))
    assert len(notification_manager.records) == before
    notification_manager.dispatch(Notification("Other.", NotificationSeverity.WARNING))
    assert len(notification_manager.records) == before + 1
