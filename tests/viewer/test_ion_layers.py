"""Ion images as layers: what is seen is drawn for the eye, and its numbers stay raw."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Layer

from napari_ims_tumor.msi.ion_measure import IonMeasure, IonQuery, measured_images
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow
from napari_ims_tumor.session.ions import MOST_PINS
from napari_ims_tumor.viewer.canvas_overlays import text_overlay
from napari_ims_tumor.viewer.contrast import channel_limits
from napari_ims_tumor.viewer.lazy_stack import LazyIonStack
from napari_ims_tumor.viewer.mass_readout import readout_of
from napari_ims_tumor.viewer.slide_tag import first_of, layers_of, tag_of

DA = MassTolerance(0.5)
WINDOWS = [MassWindow(mz, DA) for mz in (600.0, 700.0, 750.25)]


@pytest.fixture
def opened(binding, session, dataset):
    session.adopt(dataset)
    return binding


def seen(viewer, dataset):
    layers = layers_of(viewer.layers, dataset, "stack", "peak", "pin", "ion", "rgb")
    return [tag_of(la).role for la in layers if la.visible]


def test_a_pin_is_a_layer_of_its_own_with_the_same_numbers(opened, session, viewer, dataset):
    for window in WINDOWS:
        session.show_ion(window)
        opened.ions.pin_seen()
    pins = layers_of(viewer.layers, dataset, "pin")
    assert [tag_of(pin).window for pin in pins] == WINDOWS
    assert pins[0].name == "pinned m/z 600.0000 ± 0.5 Da · slide"
    assert all(pin.colormap.name == "viridis" for pin in pins)
    for pin, window in zip(pins, WINDOWS, strict=True):
        raw = dataset.ion_images([window])[0].astype(np.float32)
        assert np.array_equal(pin.data, raw, equal_nan=True)
    assert seen(viewer, dataset) == ["pin"]
    session.show_ion(WINDOWS[0])
    assert seen(viewer, dataset) == ["ion"]


def test_the_slider_is_read_by_the_channels_and_the_place_the_stack_has_now(
    opened, viewer, dataset
):
    stack, readout = first_of(viewer.layers, dataset, "stack"), readout_of(viewer)
    last = len(stack.data) - 1
    viewer.dims.set_current_step(0, last)
    assert readout.window() == stack.data.channels[last]
    stack.data = LazyIonStack(dataset, [*stack.data.channels, *WINDOWS])
    viewer.dims.set_current_step(0, last + 3)
    assert readout.window() == WINDOWS[2]
    # Moved by one channel, the slider's first place is the second one's.
    stack.translate = (-float(stack.scale[0]), *stack.translate[1:])
    viewer.dims.set_point(0, 0.0)
    assert readout.window() == stack.data.channels[1]


def test_deleting_the_layer_unpins(opened, session, viewer, dataset):
    for window in WINDOWS:
        session.ions.pin(window)
    viewer.layers.remove(layers_of(viewer.layers, dataset, "pin")[1])
    assert [q.window for q in session.ions.pins(session.active)] == [WINDOWS[0], WINDOWS[2]]
    assert session.active is not None


def test_a_duplicate_of_a_pin_may_go(opened, session, viewer, dataset):
    session.ions.pin(WINDOWS[0])
    (pin,) = layers_of(viewer.layers, dataset, "pin")
    twin = Layer.create(*pin.as_layer_data_tuple())
    viewer.layers.append(twin)
    viewer.layers.remove(twin)
    assert len(session.ions.pins(session.active)) == 1
    viewer.layers.remove(pin)
    assert session.ions.pins(session.active) == ()


def test_a_slide_opened_later_is_measured_alike(opened, session, viewer, dataset, build):
    session.ions.measure_by(IonMeasure("sum", "tic"))
    other = build.dataset(name="later")
    session.adopt(other)
    stack = first_of(viewer.layers, other, "stack").data
    expected = measured_images(other, stack.channels[:1], IonMeasure("sum", "tic"))[0]
    assert np.allclose(stack.image(0), expected, rtol=1e-6, equal_nan=True)


def test_without_an_ion_image_there_is_nothing_to_pin(opened, heard):
    opened.ions.pin_seen()
    assert heard == ["No ion image is seen: click a peak of the spectrum first."]


def test_the_image_under_the_slider_is_pinned_as_it_is(opened, session, viewer, dataset):
    viewer.dims.set_point(0, 3)
    opened.ions.pin_seen()
    (pin,) = layers_of(viewer.layers, dataset, "pin")
    assert tag_of(pin).window.center == 750.25
    stack = first_of(viewer.layers, dataset, "stack")
    assert np.array_equal(pin.data, stack.data.image(3), equal_nan=True)


def test_at_the_limit_no_layer_is_added(opened, session, viewer, dataset, heard):
    for i in range(MOST_PINS + 2):
        session.ions.pin(MassWindow(600 + i, DA))
    assert len(layers_of(viewer.layers, dataset, "pin")) == MOST_PINS
    assert len([text for text in heard if "ion images are pinned" in text]) == 2


def test_three_ions_add_up_to_colors(opened, session, viewer, dataset):
    session.ions.combine([IonQuery(window) for window in WINDOWS])
    layers = layers_of(viewer.layers, dataset, "rgb")
    assert [layer.colormap.name for layer in layers] == ["red", "green", "blue"]
    assert [str(layer.blending) for layer in layers] == ["opaque", "additive", "additive"]
    assert seen(viewer, dataset) == ["rgb"] * 3
    for layer, window in zip(layers, WINDOWS, strict=True):
        raw = dataset.ion_images([window])[0]
        assert np.array_equal(layer.data, raw.astype(np.float32), equal_nan=True)
        assert layer.contrast_limits[0] == 0
        high = np.nanpercentile(raw, 99)
        assert layer.contrast_limits[1] == pytest.approx(high, rel=1e-5)
    assert text_overlay(viewer).text.splitlines() == [
        "red  m/z 600.0000 ± 0.5 Da",
        "green  m/z 700.0000 ± 0.5 Da",
        "blue  m/z 750.2500 ± 0.5 Da",
    ]
    session.ions.combine([IonQuery(window) for window in reversed(WINDOWS)])
    again = layers_of(viewer.layers, dataset, "rgb")
    assert again == layers
    assert text_overlay(viewer).text.splitlines()[0] == "red  m/z 750.2500 ± 0.5 Da"
    assert tag_of(again[0]).window == WINDOWS[2]
    for layer in again:
        viewer.layers.remove(layer)
    assert session.ions.combined(session.active) == ()


def test_clipping_is_for_the_eye_only(opened, session, viewer, dataset):
    session.show_ion(WINDOWS[0])
    session.ions.pin(WINDOWS[1])
    viewer.dims.set_point(0, 3)
    layers = [first_of(viewer.layers, dataset, role) for role in ("ion", "pin", "stack")]
    raws = [dataset.ion_images([w])[0] for w in WINDOWS[:2]]
    raws.append(layers[2].data.image(3))
    for clip, percentile in ((False, 100), (True, 99.5)):
        opened.ions.clip_hot_spots(clip)
        for layer, raw in zip(layers, raws, strict=True):
            high = np.nanpercentile(raw, percentile)
            assert layer.contrast_limits[1] == pytest.approx(high, rel=1e-5)
            assert layer.contrast_limits_range[1] >= np.nanmax(raw) * (1 - 1e-6)
    layers[0].visible = True
    hot = np.unravel_index(np.nanargmax(raws[0]), raws[0].shape)
    value = layers[0].get_value(layers[0].data_to_world(hot), world=True)
    assert value == np.float32(raws[0][hot])
    assert value > layers[0].contrast_limits[1]


def test_the_slider_s_images_follow_the_measure(opened, session, viewer, dataset):
    viewer.dims.set_point(0, 3)
    stack = first_of(viewer.layers, dataset, "stack")
    measure = IonMeasure("sum", MassWindow(700.0, DA))
    session.ions.measure_by(measure)
    expected = measured_images(dataset, [stack.data.channels[3]], measure)[0]
    assert np.allclose(stack.data.image(3), expected, rtol=1e-6, equal_nan=True)
    high = np.nanpercentile(expected, 99.5)
    assert stack.contrast_limits[1] == pytest.approx(high, rel=1e-5)
    assert text_overlay(viewer).text == "m/z 750.2500, per m/z 700.0000   (4 of 5)"


def test_the_next_peak_is_shown_and_the_slider_follows(opened, session, viewer, dataset, heard):
    stack = first_of(viewer.layers, dataset, "stack")
    masses = session.ions.peaks(session.active).mz.tolist()
    session.show_ion(MassWindow(599.0, MassTolerance(0.1)))
    steps = []
    for _ in masses:
        opened.ions.step_peak(forward=True)
        steps.append(session.ion_of(session.active).center)
        assert readout_of(viewer).window().center == steps[-1]
        assert not stack.visible
    assert steps == masses
    opened.ions.step_peak(forward=True)
    assert heard == [f"No peak was picked above {session.ion_of(session.active)}."]
    opened.ions.step_peak(forward=False)
    assert session.ion_of(session.active).center == masses[-2]


def test_with_the_slider_in_view_the_slider_steps(opened, session, viewer, dataset):
    viewer.dims.set_point(0, 1)
    stack = first_of(viewer.layers, dataset, "stack")
    before = stack.data.channels[1].center
    masses = session.ions.peaks(session.active).mz
    opened.ions.step_peak(forward=True)
    assert stack.visible
    assert opened.ions.slider_window().center == masses[masses > before][0]
    assert first_of(viewer.layers, dataset, "ion") is None


def test_keys_step(opened, session, viewer):
    session.show_ion(MassWindow(599.0, MassTolerance(0.1)))
    bound = {str(key): action for key, action in viewer.keymap.items()}
    bound["."](viewer)
    first = session.ion_of(session.active)
    bound["."](viewer)
    bound[","](viewer)
    assert session.ion_of(session.active) == first


def test_pins_and_colors_look_after_reopening_as_before(opened, session, viewer, dataset):
    for window in WINDOWS:
        session.ions.pin(window)
    session.ions.combine([IonQuery(window) for window in WINDOWS])
    pins = layers_of(viewer.layers, dataset, "pin")
    pins[0].opacity, pins[2].opacity = 0.25, 0.75
    viewer.layers.move(viewer.layers.index(pins[2]), viewer.layers.index(pins[0]))
    opened.ions.clip_hot_spots(False)
    pins[1].contrast_limits = (1, 2)
    state = opened.view.capture()
    viewer.layers.move(viewer.layers.index(pins[2]), viewer.layers.index(pins[1]) + 1)
    assert layers_of(viewer.layers, dataset, "pin") == pins
    for pin in pins:
        pin.opacity = 1
    opened.ions.clip_hot_spots(True)
    opened.view.restore(state)
    assert not opened.ions.clip
    assert [pin.opacity for pin in pins] == [0.25, 1, 0.75]
    assert pins[1].contrast_limits == [1, 2]
    assert seen(viewer, dataset) == ["rgb"] * 3


def test_limits_of_a_color_begin_at_zero() -> None:
    image = np.linspace(5, 105, 101)
    assert channel_limits(image) == pytest.approx((0, 104))
    assert channel_limits(image, clip=False)[1] == 105
