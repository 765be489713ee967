"""The region is what the selected layer encloses, wherever the slide lies."""

from __future__ import annotations

import numpy as np
import pytest

from napari_ims_tumor.session.averages import REGION

BOX = np.array([[2, 3], [2, 6], [5, 6], [5, 3]], float)


def add(viewer, binding, corners, kind, **kwargs):
    pixel = np.array([50.0, 25.0])
    return viewer.add_shapes([corners * pixel], shape_type=kind, units=("um", "um"), **kwargs)


def test_a_rectangle_holds_the_pixels_whose_centers_lie_in_it(binding, session, viewer, dataset):
    session.adopt(dataset)
    add(viewer, binding, BOX, "rectangle")
    mask = binding.regions.current()
    assert np.argwhere(mask).min(axis=0).tolist() == [2, 3]
    assert np.argwhere(mask).max(axis=0).tolist() == [5, 6]
    assert mask.sum() == 16


def test_an_ellipse_is_no_box(binding, session, viewer, dataset):
    session.adopt(dataset)
    corners = np.array([[0, 1], [0, 9], [6, 9], [6, 1]], float)
    add(viewer, binding, corners, "ellipse")
    mask = binding.regions.current()
    assert not mask[0, 1]
    assert mask[3, 5]
    assert mask.sum() == pytest.approx(np.pi * 3 * 4, rel=0.2)


def test_the_selected_shapes_only(binding, session, viewer, dataset):
    session.adopt(dataset)
    layer = add(viewer, binding, BOX, "rectangle")
    layer.add(np.array([[0, 0], [0, 1], [1, 1], [1, 0]]) * [50, 25], shape_type="polygon")
    everything = binding.regions.current().sum()
    layer.selected_data = {1}
    assert 0 < binding.regions.current().sum() < everything


def test_a_label_of_ones_own_is_a_region_too(binding, session, viewer, dataset):
    session.adopt(dataset)
    values = np.zeros(dataset.pixels.image_shape, np.uint8)
    values[4:6, 2:5] = 3
    layer = binding.new_labels_layer()
    layer.data[...] = values
    layer.selected_label = 3
    assert binding.regions.current().sum() == 6


def test_other_layers_and_lines_are_none(binding, session, viewer, dataset):
    assert binding.regions.current() is None
    session.adopt(dataset)
    assert binding.regions.current() is None
    add(viewer, binding, BOX[:2], "line")
    assert binding.regions.current() is None


def test_a_shape_that_is_drawn_changes_the_spectrum(binding, session, viewer, dataset):
    counts = []
    session.spectrum_averaged.connect(lambda one: counts.append(one.count))
    session.adopt(dataset)
    layer = add(viewer, binding, BOX, "rectangle")
    assert counts == []
    binding.regions.renew()
    session.averages.want(REGION, True)
    layer.add((BOX + np.array([0, 1])) * [50, 25], shape_type="rectangle")
    assert counts[0] == 16
    assert counts[-1] == 20
