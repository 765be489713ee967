"""Glass is no tumor: in a real napari window, from a fit to the switch under the mouse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import napari
import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QCheckBox, QScrollArea

from napari_ims_tumor.demo.hands import Hands, settle, wait_until
from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.msi.synthetic.recipe import make_recipe
from napari_ims_tumor.msi.synthetic.slide import SimulatedSlide, simulate_slide
from napari_ims_tumor.viewer.slide_tag import first_of
from napari_ims_tumor.widgets.dock import ImsTumorDock

pytestmark = pytest.mark.window
LANES = ("open", "survey", "ion", "fit", "predict", "file", "warm-up")


@pytest.fixture
def viewer() -> Iterator[napari.Viewer]:
    made = napari.Viewer()
    made.window.resize(1400, 900)
    yield made
    made.close()
    QApplication.processEvents()


@pytest.fixture
def dock(viewer: napari.Viewer) -> ImsTumorDock:
    _, made = viewer.window.add_plugin_dock_widget("napari-ims-tumor", "IMS Tumor")
    settle(0.3)
    return made


@pytest.fixture(scope="module")
def slide() -> SimulatedSlide:
    size: dict[str, Any] = {"rows": 36, "columns": 60, "channels": 400, "patients": 8}
    return simulate_slide(make_recipe(**size, seed=3))


def quiet(dock: ImsTumorDock) -> None:
    runner = dock.session.runner
    settle()
    wait_until(lambda: not any(runner.is_busy(lane) for lane in LANES), "the jobs", 60)
    settle()


def test_glass_is_gray_until_it_is_asked_for(
    viewer: napari.Viewer, dock: ImsTumorDock, slide: SimulatedSlide
) -> None:
    hands, session = Hands(viewer), dock.session
    session.adopt(slide.dataset)
    quiet(dock)
    session.annotate(slide.labels)
    session.classifier.fit(FitConfig("linear"))
    quiet(dock)
    prediction = session.active.prediction
    assert prediction is not None
    measured = slide.dataset.pixels.measured
    glass = measured & (slide.patients == 0)
    tumor = first_of(viewer.layers, slide.dataset, "tumor")
    assert np.isnan(tumor.data[glass]).mean() > 0.95
    on_tissue = measured & (slide.patients > 0)
    assert np.isnan(tumor.data[on_tissue]).mean() < 0.1
    n = int(prediction.unfamiliar.sum())
    assert f"{n:,} of {int(measured.sum()):,} pixels" in dock.predict.withheld.text()
    # The words of the form never make the dock wider than it is.
    area = dock.findChild(QScrollArea)
    assert area.horizontalScrollBar().maximum() == 0
    hands.scroll_to("hide_unfamiliar")
    box = dock.predict.findChild(QCheckBox, "hide_unfamiliar")
    QTest.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(8, box.height() // 2))
    settle()
    assert np.isfinite(tumor.data[glass]).all()
    assert "shown all the same" in dock.predict.withheld.text()
