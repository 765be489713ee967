"""The m/z over the canvas: a label in the window, napari's text in pictures of the canvas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import napari
import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QApplication
from tests.widgets.conftest import make_dataset

from napari_ims_tumor.demo.hands import settle, wait_until
from napari_ims_tumor.viewer.canvas_overlays import text_overlay
from napari_ims_tumor.viewer.mass_readout import readout_of
from napari_ims_tumor.widgets.canvas_text import CanvasText
from napari_ims_tumor.widgets.window_session import WindowSession

WORDS = "red  m/z 750.2500 ± 0.5 Da\ngreen  m/z 800.1000 ± 0.5 Da\nblue  m/z 1,750.2500 ± 0.5 Da"


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


def label_on(viewer: napari.Viewer) -> CanvasText:
    label = viewer.window._qt_window.findChild(CanvasText)
    assert isinstance(label, CanvasText)
    return label


def picture(viewer: napari.Viewer) -> Any:
    """The canvas alone, without its transparency."""
    return np.asarray(viewer.screenshot(canvas_only=True, flash=False))[..., :3].astype(int)


@pytest.mark.window
def test_a_step_of_the_slider_writes_only_the_label_and_draws_once(viewer: napari.Viewer) -> None:
    canvas = viewer.window._qt_viewer.canvas._scene_canvas
    rewritten: list[object] = []
    drawn: list[object] = []
    viewer.dims.set_current_step(0, 1)
    settle(0.1)
    text_overlay(viewer).events.connect(rewritten.append)
    canvas.events.draw.connect(drawn.append)
    for step in range(2, 12):
        viewer.dims.set_current_step(0, step)
        settle(0.05)
        window = readout_of(viewer).window()
        assert window is not None
        assert label_on(viewer).text().startswith(f"m/z {window.center:.4f}")
        assert label_on(viewer).isVisible()
    assert not rewritten
    assert len(drawn) == 10
    viewer.layers.clear()
    settle(0.1)
    assert not label_on(viewer).isVisible()


@pytest.mark.window
def test_a_picture_of_the_canvas_has_the_text_under_the_label(viewer: napari.Viewer) -> None:
    label = label_on(viewer)
    text_overlay(viewer).text = "a note of the user's own"
    for theme in ("dark", "light"):
        viewer.theme = theme
        label.show_text(WORDS)
        settle(0.2)
        place = label.geometry()
        shown = np.asarray(viewer.screenshot(canvas_only=False, flash=False))
        written = picture(viewer)
        label.show_text("")
        settle(0.1)
        rows, columns = np.nonzero((written != picture(viewer)).any(axis=2))
        assert columns.size > 500
        assert place.contains(int(columns.min()), int(rows.min()))
        assert place.contains(int(columns.max()), int(rows.max()))
        corner = label.mapTo(viewer.window._qt_window, label.rect().topLeft())
        box = shown[corner.y() :, corner.x() :][: place.height(), : place.width(), :3]
        assert np.ptp(box.mean(axis=2)) > 150, "letters stand out"
        assert (np.median(box) > 128) == (theme == "light")
    assert text_overlay(viewer).text == "a note of the user's own"
    assert not text_overlay(viewer).visible


def test_a_viewer_without_a_window_has_napari_write() -> None:
    assert CanvasText.over(ViewerModel()) is None


@pytest.mark.window
def test_napari_writes_again_when_the_session_has_ended(viewer: napari.Viewer) -> None:
    said = label_on(viewer).text()
    WindowSession.of(viewer).close()
    settle(0.1)
    assert not label_on(viewer).isVisible()
    assert text_overlay(viewer).text == said != ""
    assert text_overlay(viewer).visible
