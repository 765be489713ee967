"""A press on the canvas: told to vispy, and not drawn to be found out."""

from __future__ import annotations

from typing import Any

import napari
import numpy as np
import pytest
from napari.components import ViewerModel

from napari_ims_tumor.demo.hands import Hands, settle
from napari_ims_tumor.viewer.slide_tag import first_of
from napari_ims_tumor.widgets.canvas_press import CanvasPress
from napari_ims_tumor.widgets.window_session import WindowSession


@pytest.mark.window
def test_a_click_draws_nothing_and_a_drag_pans(slide_window: napari.Viewer) -> None:
    session = WindowSession.of(slide_window).session
    scene = slide_window.window._qt_viewer.canvas._scene_canvas
    tic: Any = first_of(slide_window.layers, session.active.dataset, "tic")
    hands, picked, drawn = Hands(slide_window), [], []
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
    before = np.array(slide_window.scene.camera.center)
    hands.drag_pixels(tic, [(4, 5), (5, 6), (6, 7)])
    settle(0.1)
    assert not np.allclose(before, slide_window.scene.camera.center)
    assert picked == [(2, 2), (4, 5)]
    assert scene._mouse_handler is None
    assert not asked


@pytest.mark.window
def test_a_press_that_is_kept_or_unclear_stays_what_it_was(slide_window: napari.Viewer) -> None:
    session = WindowSession.of(slide_window).session
    scene = slide_window.window._qt_viewer.canvas._scene_canvas
    tic: Any = first_of(slide_window.layers, session.active.dataset, "tic")
    hands = Hands(slide_window)

    def keep(_: object, event: Any) -> None:
        event.handled = True

    slide_window.mouse_drag_callbacks.insert(0, keep)
    before = np.array(slide_window.scene.camera.center)
    hands.drag_pixels(tic, [(4, 5), (5, 6), (6, 7)])
    assert np.allclose(before, slide_window.scene.camera.center)
    slide_window.mouse_drag_callbacks.remove(keep)
    asked: list[object] = []
    scene.visual_at = asked.append
    slide_window.canvas.grid.enabled = True
    settle(0.1)
    hands.click_pixel(tic, (4, 5))
    assert len(asked) == 1, "vispy looks for the cell of the grid itself"
    assert scene._mouse_handler is None


def test_a_viewer_without_a_window_has_nothing_to_press() -> None:
    assert CanvasPress.on(ViewerModel()) is None
