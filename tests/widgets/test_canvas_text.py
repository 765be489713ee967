"""The m/z over the canvas: a label in the window, napari's text in pictures of the canvas."""

from __future__ import annotations

from typing import Any

import napari
import numpy as np
import pytest
from napari.components import ViewerModel

from napari_ims_tumor.demo.hands import settle
from napari_ims_tumor.viewer.canvas_overlays import text_overlay
from napari_ims_tumor.viewer.mass_readout import readout_of
from napari_ims_tumor.widgets.canvas_text import CanvasText
from napari_ims_tumor.widgets.window_session import WindowSession

WORDS = "red  m/z 750.2500 ± 0.5 Da\ngreen  m/z 800.1000 ± 0.5 Da\nblue  m/z 1,750.2500 ± 0.5 Da"


def label_on(slide_window: napari.Viewer) -> CanvasText:
    label = slide_window.window._qt_window.findChild(CanvasText)
    assert isinstance(label, CanvasText)
    return label


def picture(slide_window: napari.Viewer) -> Any:
    """The canvas alone, without its transparency."""
    return np.asarray(slide_window.screenshot(canvas_only=True, flash=False))[..., :3].astype(int)


@pytest.mark.window
def test_a_step_of_the_slider_writes_only_the_label(slide_window: napari.Viewer) -> None:
    canvas = slide_window.window._qt_viewer.canvas._scene_canvas
    rewritten: list[object] = []
    drawn: list[object] = []
    slide_window.dims.set_current_step(0, 1)
    settle(0.1)
    text_overlay(slide_window).events.connect(rewritten.append)
    canvas.events.draw.connect(drawn.append)
    for step in range(2, 12):
        slide_window.dims.set_current_step(0, step)
        settle(0.05)
        window = readout_of(slide_window).window()
        assert window is not None
        assert label_on(slide_window).text().startswith(f"m/z {window.center:.4f}")
        assert label_on(slide_window).isVisible()
    assert not rewritten
    assert len(drawn) == 10
    slide_window.layers.clear()
    settle(0.1)
    assert not label_on(slide_window).isVisible()


@pytest.mark.window
def test_a_picture_of_the_canvas_has_the_text_under_the_label(slide_window: napari.Viewer) -> None:
    label = label_on(slide_window)
    text_overlay(slide_window).text = "a note of the user's own"
    for theme in ("dark", "light"):
        slide_window.theme = theme
        label.show_text(WORDS)
        settle(0.2)
        place = label.geometry()
        shown = np.asarray(slide_window.screenshot(canvas_only=False, flash=False))
        written = picture(slide_window)
        label.show_text("")
        settle(0.1)
        rows, columns = np.nonzero((written != picture(slide_window)).any(axis=2))
        assert columns.size > 500
        assert place.contains(int(columns.min()), int(rows.min()))
        assert place.contains(int(columns.max()), int(rows.max()))
        corner = label.mapTo(slide_window.window._qt_window, label.rect().topLeft())
        box = shown[corner.y() :, corner.x() :][: place.height(), : place.width(), :3]
        assert np.ptp(box.mean(axis=2)) > 150, "letters stand out"
        assert (np.median(box) > 128) == (theme == "light")
    assert text_overlay(slide_window).text == "a note of the user's own"
    assert not text_overlay(slide_window).visible


def test_a_viewer_without_a_window_has_napari_write() -> None:
    assert CanvasText.over(ViewerModel()) is None


@pytest.mark.window
def test_napari_writes_again_when_the_session_has_ended(slide_window: napari.Viewer) -> None:
    said = label_on(slide_window).text()
    WindowSession.of(slide_window).close()
    settle(0.1)
    assert not label_on(slide_window).isVisible()
    assert text_overlay(slide_window).text == said != ""
    assert text_overlay(slide_window).visible
