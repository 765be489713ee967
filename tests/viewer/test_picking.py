from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.layers import Image
from napari.utils.transforms import Affine

from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.viewer.picking import Pixel, click_callback, pixel_at, world_at

number = st.floats(0.01, 1000)
shift = st.floats(-1e4, 1e4)
ONE = PixelGrid(np.arange(6), np.arange(6), (6, 6))
MANY = PixelGrid(np.arange(6), np.arange(6), (6, 6), planes=np.arange(6))


@given(st.tuples(number, number), st.tuples(shift, shift), st.floats(0, 360), st.data())
def test_world_and_pixel_are_inverse_wherever_the_layer_is_put(scale, translate, angle, data):
    layer = Image(np.zeros((6, 6)), scale=scale, translate=translate, rotate=angle)
    pixel = Pixel(data.draw(st.integers(0, 5)), data.draw(st.integers(0, 5)))
    assert pixel_at(layer, ONE, world_at(layer, ONE, pixel)) == pixel


@given(st.floats(-0.49, 0.49), st.floats(-0.49, 0.49), st.tuples(number, number))
def test_a_pixel_reaches_half_a_pixel_around_its_center(down, right, scale):
    layer = Image(np.zeros((6, 6)), scale=scale)
    world = ((5 + down) * scale[0], (0 + right) * scale[1])
    assert pixel_at(layer, ONE, world) == Pixel(5, 0)


@pytest.mark.parametrize(("place", "row"), [(-0.5, 0), (0.4999, 0), (0.5, 1), (-0.5001, -1)])
def test_the_edge_belongs_to_the_pixel_after_it(place, row):
    assert pixel_at(Image(np.zeros((6, 6))), ONE, (place, 0.0)).row == row


def test_an_affine_counts():
    layer = Image(np.zeros((6, 6)), affine=Affine(scale=(3, 3), translate=(7, -7)))
    assert pixel_at(layer, ONE, world_at(layer, ONE, Pixel(4, 1))) == Pixel(4, 1)
    assert world_at(layer, ONE, Pixel(0, 0)) == (7.0, -7.0)


def test_a_stack_and_a_wider_world_give_the_same_pixel():
    image = Image(np.zeros((6, 6)), scale=(50, 25))
    stack = Image(np.zeros((9, 6, 6)), scale=(0.1, 50, 25), translate=(600, 0, 0))
    world = (600.4, 200.0, 75.0)
    assert pixel_at(image, ONE, world) == pixel_at(stack, ONE, world) == Pixel(4, 3)


def test_sections_are_picked_too():
    stack = Image(np.zeros((9, 6, 6, 6)), scale=(0.1, 1, 50, 25))
    assert pixel_at(stack, MANY, (0.0, 2.0, 200.0, 75.0)) == Pixel(4, 3, 2)
    assert pixel_at(stack, MANY, world_at(stack, MANY, Pixel(1, 2, 3))) == Pixel(1, 2, 3)


def drag(viewer, path, button=1, modifiers=()):
    """Press, move along ``path`` and release; returns the clicks heard."""
    heard: list[tuple[float, ...]] = []
    event = SimpleNamespace(
        pos=path[0], position=(5.0, 6.0), button=button, modifiers=modifiers, type="mouse_press"
    )
    steps = click_callback(heard.append)(viewer, event)
    for _ in steps:
        event.type = "mouse_move" if len(path) > 1 else "mouse_release"
        event.pos = path.pop(0)
    return heard


def test_a_click_picks_and_a_drag_does_not(viewer):
    assert drag(viewer, [(10, 10)]) == [(5.0, 6.0)]
    assert drag(viewer, [(10, 10), (12, 11), (11, 11)]) == [(5.0, 6.0)]
    assert drag(viewer, [(10, 10), (40, 10), (40, 40)]) == []
    assert drag(viewer, [(10, 10), (90, 10), (11, 11)]) == []


def test_other_buttons_modifiers_and_3d_do_not_pick(viewer):
    assert drag(viewer, [(10, 10)], button=2) == []
    assert drag(viewer, [(10, 10)], modifiers=("Shift",)) == []
    viewer.dims.ndisplay = 3
    assert drag(viewer, [(10, 10)]) == []


def test_painting_does_not_pick(viewer):
    labels = viewer.add_labels(np.zeros((6, 6), np.uint8))
    assert drag(viewer, [(10, 10)]) == [(5.0, 6.0)]
    for mode in ("paint", "erase", "fill", "pick", "transform"):
        labels.mode = mode
        assert drag(viewer, [(10, 10)]) == []
    viewer.layers.selection.active = None
    assert drag(viewer, [(10, 10)]) == [(5.0, 6.0)]
