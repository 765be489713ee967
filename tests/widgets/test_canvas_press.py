"""A press on the canvas: told to vispy, and not drawn to be found out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import napari
import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QApplication
from tests.widgets.conftest import make_dataset

from napari_ims_tumor.demo.hands import Hands, settle, wait_until
from napari_ims_tumor.viewer.slide_tag import first_of
from napari_ims_tumor.widgets.canvas_press import CanvasPress
from napari_ims_tumor.widgets.window_session import WindowSession


@pytest.fixture
def viewer() -> Iterator[napari.Viewer]:
    made = napari.Viewer()
    made.window.resize(1000, 700)
    window = WindowSession.of(made)
    window.watch(made.window._qt_window)
    window.session.adopt(make_dataset())
    wait_until(lambda: window.session.active.overview is not None, "the overview", 20)
    settle(0.3)
    yield made
    made.close()
    QApplication.processEvents()


@pytest.mark.window
def test_a_click_draws_nothing_and_a_drag_pans(viewer: napari.Viewer) -> None:
    session = WindowSession.of(viewer).session
    scene = viewer.window._qt_viewer.canvas._scene_canvas
    tic: Any = first_of(viewer.layers, session.active.dataset, "tic")
    hands, picked, drawn = Hands(viewer), [], []
    session.spectrum_picked.connect(lambda p: picked.append((p.row, p.column)))
    hands.click_pixel(tic, (2, 2))
    settle(0.2)
    scene.events.draw.connect(drawn.append)
    asked: list[object] = []
    scene.visual_at = asked.append
    hands.click_pixel(tic, (4, 5))
    settle(0.1)
    assert picked == [(2, 2), (4, 5)]
    assert not drawn
    before = np.array(viewer.scene.camera.center)
    hands.drag_pixels(tic, [(4, 5), (5, 6), (6, 7)])
    settle(0.1)
    assert not np.allclose(before, viewer.scene.camera.center)
    assert picked == [(2, 2), (4, 5)]
    assert scene._mouse_handler is None
    assert not asked


@pytest.mark.window
def test_a_press_that_is_kept_or_unclear_stays_what_it_was(viewer: napari.Viewer) -> None:
    session = WindowSession.of(viewer).session
    scene = viewer.window._qt_viewer.canvas._scene_canvas
    tic: Any = first_of(viewer.layers, session.active.dataset, "tic")
    hands = Hands(viewer)

    def keep(_: object, event: Any) -> None:
        event.handled = True

    viewer.mouse_drag_callbacks.insert(0, keep)
    before = np.array(viewer.scene.camera.center)
    hands.drag_pixels(tic, [(4, 5), (5, 6), (6, 7)])
    assert np.allclose(before, viewer.scene.camera.center)
    viewer.mouse_drag_callbacks.remove(keep)
    asked: list[object] = []
    scene.visual_at = asked.append
    viewer.canvas.grid.enabled = True
    settle(0.1)
    hands.click_pixel(tic, (4, 5))
    assert len(asked) == 1, "vispy looks for the cell of the grid itself"
    assert scene._mouse_handler is None


def test_a_viewer_without_a_window_has_nothing_to_press() -> None:
    assert CanvasPress.on(ViewerModel()) is None
