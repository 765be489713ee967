"""Glass is no tumor: in a real napari window, from a fit to the switch under the mouse."""

from __future__ import annotations

from typing import Any

import napari
import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QCheckBox, QScrollArea

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
    size: dict[str, Any] = {"rows": 36, "columns": 60, "channels": 400, "patients": 8}
    return simulate_slide(make_recipe(**size, seed=3))


def quiet(real_dock: ImsTumorDock) -> None:
    runner = real_dock.session.runner
    settle()
    wait_until(lambda: not any(runner.is_busy(lane) for lane in LANES), "the jobs", 60)
    settle()


def test_glass_is_gray_until_it_is_asked_for(
    real_viewer: napari.Viewer, real_dock: ImsTumorDock, slide: SimulatedSlide
) -> None:
    hands, session = Hands(real_viewer), real_dock.session
    session.adopt(slide.dataset)
    quiet(real_dock)
    session.annotate(slide.labels)
    session.classifier.fit(FitConfig("linear"))
    quiet(real_dock)
    prediction = session.active.prediction
    assert prediction is not None
    measured = slide.dataset.pixels.measured
    glass = measured & (slide.patients == 0)
    tumor = first_of(real_viewer.layers, slide.dataset, "tumor")
    assert np.isnan(tumor.data[glass]).mean() > 0.95
    on_tissue = measured & (slide.patients > 0)
    assert np.isnan(tumor.data[on_tissue]).mean() < 0.1
    n = int(prediction.unfamiliar.sum())
    assert f"{n:,} of {int(measured.sum()):,} pixels" in real_dock.predict.withheld.text()
    # The words of the form never make the real_dock wider than it is.
    area = real_dock.findChild(QScrollArea)
    assert area.horizontalScrollBar().maximum() == 0
    hands.scroll_to("hide_unfamiliar")
    box = real_dock.predict.findChild(QCheckBox, "hide_unfamiliar")
    QTest.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(8, box.height() // 2))
    settle()
    assert np.isfinite(tumor.data[glass]).all()
    assert "shown all the same" in real_dock.predict.withheld.text()
