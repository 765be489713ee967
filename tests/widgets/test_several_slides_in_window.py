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
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset
from napari_ims_tumor.session.slide_state import SlideState
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
