"""Slides that are switched, closed and opened again in a real napari window."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import napari
import numpy as np
import pytest
from napari.layers import Labels
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from tests.widgets.conftest import make_dataset

from napari_ims_tumor.demo.hands import Hands, settle, wait_until
from napari_ims_tumor.msi.mass_axis import MassAxis, MassTolerance, MassWindow
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset
from napari_ims_tumor.session.slide_state import SlideState
from napari_ims_tumor.viewer.mass_readout import readout_of
from napari_ims_tumor.viewer.slide_tag import first_of
from napari_ims_tumor.widgets.dock import ImsTumorDock

pytestmark = pytest.mark.window
LANES = ("open", "survey", "ion", "fit", "predict", "file", "warm-up")


def quiet(dock: ImsTumorDock) -> None:
    settle(0.4)  # strokes are handed over after a pause
    wait_until(lambda: not any(dock.session.runner.is_busy(lane) for lane in LANES), "the jobs")
    settle()


def opened(dock: ImsTumorDock, dataset: InMemoryDataset) -> SlideState:
    slide = dock.session.adopt(dataset)
    quiet(dock)
    found = dock.session.current(slide)
    assert found is not None
    return found


def labels_of(dock: ImsTumorDock, slide: SlideState) -> Labels:
    layer = first_of(dock._viewer.layers, slide.dataset, "labels")
    assert isinstance(layer, Labels)
    return layer


def centroids(low: float, high: float, n: int, name: str) -> InMemoryDataset:
    """A slide with channels at uneven steps: the slider counts them."""
    mz = low + (high - low) * np.linspace(0, 1, n) ** 1.1
    pixels = make_dataset().pixels
    values = np.random.default_rng(2).gamma(2.0, 9.0, (len(pixels), n)).astype(np.float32)
    return InMemoryDataset.from_matrix(MassAxis(mz), values, pixels, name, "centroid")


def undo(hands: Hands) -> None:
    native = hands._canvas.native
    native.setFocus()
    QTest.keyClick(native, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    settle()


def test_the_only_slide_is_closed_and_opened_again_after_a_stroke(
    real_viewer: napari.Viewer, real_dock: ImsTumorDock
) -> None:
    unsized = make_dataset()
    unsized = replace(unsized, pixels=replace(unsized.pixels, pixel_size_um=None))
    hands, slide = Hands(real_viewer), opened(real_dock, unsized)
    # First: drawing that box after the layer has gone ends the program without a word.
    overlays = getattr(getattr(real_viewer, "canvas", None), "overlays", None)
    circle = getattr(overlays, "_brush_circle", None)
    assert not getattr(circle, "box", False), "napari's box behind the brush is drawn"
    hands.click_button("annotate_start")
    layer = labels_of(real_dock, slide)
    hands.press_key("t")
    hands.drag_pixels(layer, [(3, 3), (3, 6)])
    quiet(real_dock)
    hands.scroll_to("slide_close")
    hands.click_button("slide_close")
    settle(0.5)
    assert not real_viewer.layers
    opened(real_dock, unsized)
    assert len(real_viewer.layers) > 1


def test_undo_changes_only_the_slide_that_is_seen(
    real_viewer: napari.Viewer, real_dock: ImsTumorDock
) -> None:
    hands, first = Hands(real_viewer), opened(real_dock, make_dataset(name="first"))
    hands.click_button("annotate_start")
    layer = labels_of(real_dock, first)
    hands.drag_pixels(layer, [(3, 3), (3, 6)])
    quiet(real_dock)
    second = opened(real_dock, make_dataset(name="second"))
    assert real_viewer.layers.selection.active is first_of(
        real_viewer.layers, second.dataset, "tic"
    )
    undo(hands)
    assert np.count_nonzero(layer.data), "a stroke on a hidden slide was taken back"
    real_dock.session.activate(first)
    settle()
    assert real_viewer.layers.selection.active is layer, "the brush was not taken up again"
    real_dock.session.activate(second)
    settle()
    undo(hands)
    assert np.count_nonzero(layer.data), "a stroke on a hidden slide was taken back"
    real_dock.session.activate(first)
    settle()
    undo(hands)
    assert not np.count_nonzero(layer.data)


def test_closing_another_slide_leaves_the_brush(
    real_viewer: napari.Viewer, real_dock: ImsTumorDock
) -> None:
    other = opened(real_dock, make_dataset(name="other"))
    slide = opened(real_dock, make_dataset(name="slide"))
    Hands(real_viewer).click_button("annotate_start")
    layer: Any = labels_of(real_dock, slide)
    real_dock.session.close_slide(other)
    settle()
    assert real_viewer.layers.selection.active is layer
    assert str(layer.mode) == "paint"


def test_each_slide_keeps_its_place_on_the_slider(
    real_viewer: napari.Viewer, real_dock: ImsTumorDock
) -> None:
    small = opened(real_dock, centroids(700, 900, 50, "small"))
    text: Any = readout_of(real_viewer)
    real_dock.session.show_ion(MassWindow(800.0, MassTolerance(1, "Da")))
    quiet(real_dock)
    of_small = text.window()
    large = opened(real_dock, centroids(500, 1500, 400, "large"))
    assert abs(text.window().center - of_small.center) < 5, "the m/z seen last is not kept"
    text.go_to(1400.0)
    settle()
    of_large = text.window()
    real_dock.session.activate(small)
    settle()
    assert text.window() == of_small
    stack = first_of(real_viewer.layers, small.dataset, "stack")
    assert not stack.visible, "the slider's image took the place of the ion image"
    assert real_dock.spectrum.form.mz.text() == "800"
    real_dock.session.activate(large)
    settle()
    assert text.window() == of_large
    assert first_of(real_viewer.layers, large.dataset, "stack").visible
    real_dock.session.close_slide(small)
    settle()
    assert text.window() == of_large, "the image jumped as another slide was closed"


def test_a_slider_outside_the_slide_says_so(
    real_viewer: napari.Viewer, real_dock: ImsTumorDock
) -> None:
    opened(real_dock, centroids(500, 1500, 400, "large"))
    opened(real_dock, centroids(700, 900, 50, "small"))
    said: list[str] = []
    readout_of(real_viewer).write_to(said.append)
    real_viewer.dims.set_point(0, 30)
    assert said[-1].startswith("m/z ")
    real_viewer.dims.set_point(0, 200)
    assert said[-1].startswith("The slider is outside small, which goes from m/z 700.00 to 900.00")
    real_viewer.dims.set_point(0, 30)
    assert said[-1].startswith("m/z ")


def test_each_slide_keeps_its_ion_and_its_pixel(
    real_viewer: napari.Viewer, real_dock: ImsTumorDock
) -> None:
    session, form = real_dock.session, real_dock.spectrum.form
    first = opened(real_dock, make_dataset(name="first"))
    session.pick(3, 4)
    session.show_ion(MassWindow(800.0, MassTolerance(1, "Da")))
    quiet(real_dock)
    assert form.mz.text() == "800"
    opened(real_dock, make_dataset(name="second"))
    assert form.mz.text() == "", "the number is another slide's"
    assert session.picked is None
    session.activate(first)
    settle()
    assert form.mz.text() == "800"
    assert session.picked == (3, 4, 0)
    assert "Row 3, column 4" in real_dock.spectrum.title.text()
    assert real_dock.spectrum.plotted_spectrum()[0].size == 801
