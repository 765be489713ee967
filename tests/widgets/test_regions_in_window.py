"""Whole regions, roughly: clicked in a real napari window, told apart, taken back, fitted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import napari
import numpy as np
import pytest
from napari.layers import Labels
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_ims_tumor.annotation.regions import tissue_regions
from napari_ims_tumor.annotation.whole_regions import is_rough
from napari_ims_tumor.demo.hands import Hands, settle, wait_until
from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.msi.synthetic.recipe import make_recipe
from napari_ims_tumor.msi.synthetic.slide import SimulatedSlide, simulate_slide
from napari_ims_tumor.viewer.slide_tag import first_of
from napari_ims_tumor.widgets.dock import ImsTumorDock

pytestmark = pytest.mark.window
LANES = ("open", "survey", "ion", "fit", "predict", "file", "warm-up")


@pytest.fixture(scope="module")
def slide() -> SimulatedSlide:
    size: dict[str, Any] = {"rows": 36, "columns": 60, "channels": 400, "patients": 6}
    return simulate_slide(make_recipe(**size, seed=3))


def quiet(real_dock: ImsTumorDock) -> None:
    runner = real_dock.session.runner
    settle(0.4)  # strokes are handed over after a pause
    wait_until(lambda: not any(runner.is_busy(lane) for lane in LANES), "the jobs", 60)
    settle()


def middle(piece: np.ndarray[Any, Any]) -> tuple[int, int]:
    places = np.argwhere(piece)
    nearest = ((places - places.mean(axis=0)) ** 2).sum(axis=1).argmin()
    row, column = places[nearest]
    return int(row), int(column)


def test_cores_are_clicked_told_apart_taken_back_and_learned(
    real_viewer: napari.Viewer, real_dock: ImsTumorDock, slide: SimulatedSlide
) -> None:
    hands, session = Hands(real_viewer), real_dock.session
    session.adopt(slide.dataset)
    quiet(real_dock)
    pieces = tissue_regions(slide.dataset.pixels.measured)
    hands.scroll_to("annotate_region")
    hands.click_button("annotate_start")
    layer = first_of(real_viewer.layers, slide.dataset, "labels")
    assert isinstance(layer, Labels)
    # A stroke of healthy first: the region must leave it as it is.
    row, column = middle(pieces == 1)
    hands.press_key("H")
    hands.drag_pixels(layer, [(row, column - 2), (row, column + 2)])
    quiet(real_dock)
    strokes = session.active.annotation.strokes
    assert (strokes[pieces == 1] == 1).any()
    hands.click_button("annotate_region")
    assert hands.find("annotate_tumor").isChecked()
    hands.click_pixel(layer, (row + 4, column))
    quiet(real_dock)
    found = session.active.annotation
    assert np.array_equal(found.strokes, strokes)
    assert is_rough(found.labels)[(pieces == 1) & (strokes == 0)].all()
    assert not is_rough(found.labels)[pieces != 1].any()
    n, rough = int((strokes > 0).sum()), int(is_rough(found.labels).sum())
    assert hands.find("count_tumor").text() == f"{rough:,} roughly"
    assert hands.find("count_healthy").text() == f"{n} pixels"
    # Undo, as the hint says; then again.
    QTest.keyClick(real_viewer.window._qt_viewer.canvas.native, Qt.Key.Key_Z,
                   Qt.KeyboardModifier.ControlModifier)  # fmt: skip
    quiet(real_dock)
    assert np.array_equal(session.active.annotation.labels, strokes)
    hands.click_pixel(layer, (row + 4, column))
    for number in (3, 5):
        hands.click_pixel(layer, middle(pieces == number))
    hands.press_key("H")
    assert hands.find("annotate_healthy").isChecked()
    for number in (2, 4, 6):
        hands.click_pixel(layer, middle(pieces == number))
    quiet(real_dock)
    values = session.active.annotation.labels
    assert [int(values[middle(pieces == n)]) for n in range(2, 7)] == [129, 130, 129, 130, 129]
    session.classifier.fit(FitConfig(network="linear"))
    quiet(real_dock)
    model = session.classifier.model
    assert model is not None
    assert model.card["whole regions"] == 6
    assert "only healthy was labelled by hand" in hands.find("fit_score").text()
    if "IMS_TUMOR_PICTURES" in os.environ:
        hands.scroll_to("annotate_region")
        hands.picture(Path(os.environ["IMS_TUMOR_PICTURES"]) / "regions.png")
    _hand_back(hands, real_dock, layer, values)


def _hand_back(hands: Hands, real_dock: ImsTumorDock, layer: Labels, values: Any) -> None:
    """The held class is laid down by a second click on it; strokes are painted again at last."""
    hands.click_button("annotate_healthy")
    assert not hands.find("annotate_healthy").isChecked()
    measured = real_dock.session.active.dataset.pixels.measured
    place = middle(tissue_regions(measured) == 2)
    hands.click_pixel(layer, place)
    assert np.array_equal(layer.data, values)
    assert real_dock.session.picked is not None
    hands.click_button("annotate_stroke")
    assert str(layer.mode) == "paint"
    assert layer.selected_label == 2


def test_a_core_of_an_own_layer_and_a_place_without_tissue(
    real_viewer: napari.Viewer, real_dock: ImsTumorDock, slide: SimulatedSlide
) -> None:
    hands, session = Hands(real_viewer), real_dock.session
    heard: list[str] = []
    session.noticed.connect(heard.append)
    session.adopt(slide.dataset)
    quiet(real_dock)
    hands.click_button("annotate_region")
    layer = first_of(real_viewer.layers, slide.dataset, "labels")
    measured = slide.dataset.pixels.measured
    cores = np.zeros(measured.shape, np.int32)
    row, column = middle(tissue_regions(measured) == 1)
    cores[row - 2 : row + 3, column - 2 : column + 3] = 7
    real_viewer.add_labels(cores, name="cores", scale=layer.scale, translate=layer.translate,
                      units=layer.units)  # fmt: skip
    hands.click_button("annotate_tumor")
    hands.click_button("annotate_tumor")
    hands.click_pixel(layer, (row, column))
    quiet(real_dock)
    assert np.array_equal(is_rough(session.active.annotation.labels), (cores == 7) & measured)
    glass = tuple(int(at) for at in np.argwhere(~measured)[0])
    hands.click_pixel(layer, glass)
    quiet(real_dock)
    assert "Nothing was measured there: click on tissue." in heard


def test_the_key_of_the_eraser_takes_a_whole_region_away(
    real_viewer: napari.Viewer, real_dock: ImsTumorDock, slide: SimulatedSlide
) -> None:
    hands, session = Hands(real_viewer), real_dock.session
    session.adopt(slide.dataset)
    quiet(real_dock)
    place = middle(tissue_regions(slide.dataset.pixels.measured) == 1)
    hands.click_button("annotate_region")
    assert not hands.find("annotate_size").isEnabled(), "a region has no brush"
    layer = first_of(real_viewer.layers, slide.dataset, "labels")
    assert isinstance(layer, Labels)
    hands.click_pixel(layer, place)
    quiet(real_dock)
    assert np.count_nonzero(layer.data) > 20
    hands.press_key("E")
    assert hands.find("annotate_erase").isChecked()
    assert str(layer.mode) == "pan_zoom", "E took napari's brush"
    hands.click_pixel(layer, place)
    quiet(real_dock)
    assert not np.count_nonzero(layer.data)
    hands.click_button("annotate_stroke")
    assert hands.find("annotate_size").isEnabled()
    hands.press_key("E")
    assert str(layer.mode) == "erase"
