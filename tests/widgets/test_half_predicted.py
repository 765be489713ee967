"""A prediction appears part by part in a real napari window, and Stop takes it away again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import napari
import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_ims_tumor.demo.hands import settle, wait_until
from napari_ims_tumor.model import predicting
from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.msi.synthetic.recipe import make_recipe
from napari_ims_tumor.msi.synthetic.slide import simulate_slide
from napari_ims_tumor.viewer.overlays import NOT_ALL, SO_FAR
from napari_ims_tumor.viewer.slide_tag import first_of
from napari_ims_tumor.widgets.dock import ImsTumorDock

pytestmark = pytest.mark.window


def slowly(*args: Any) -> Iterator[Any]:
    from napari_ims_tumor.msi.binning import binned_blocks

    for indices, values in binned_blocks(*args):
        for at in range(0, len(indices), 60):
            time.sleep(0.04)
            yield indices[at : at + 60], values[at : at + 60]


def test_stop_takes_half_an_overlay_away(
    real_viewer: napari.Viewer, real_dock: ImsTumorDock, monkeypatch: pytest.MonkeyPatch
) -> None:
    size: dict[str, Any] = {"rows": 36, "columns": 60, "channels": 400, "patients": 8}
    slide, session = simulate_slide(make_recipe(**size, seed=3)), real_dock.session
    session.adopt(slide.dataset)
    session.annotate(slide.labels)
    session.classifier.fit(FitConfig("linear"))
    wait_until(lambda: session.active.prediction is not None, "the overlay", 60)
    lanes = ("fit", "predict", "spectra")
    wait_until(lambda: not any(session.runner.is_busy(lane) for lane in lanes), "the jobs", 60)
    settle()
    before = session.active.prediction
    tumor = first_of(real_viewer.layers, slide.dataset, "tumor")
    shown = tumor.data.copy()
    monkeypatch.setattr(predicting, "binned_blocks", slowly)
    monkeypatch.setattr("napari_ims_tumor.session.classifier.PREVIEW_EVERY_S", 0.1)
    session.classifier.predict()
    wait_until(lambda: tumor.name.endswith(SO_FAR), "a part of it", 20)
    settle()
    answered = np.isfinite(tumor.data)
    assert 0 < answered.sum() < np.isfinite(shown).sum()
    assert real_dock.status.stop.isVisible()
    QTest.mouseClick(real_dock.status.stop, Qt.MouseButton.LeftButton)
    wait_until(lambda: not session.runner.is_busy("predict"), "the stop", 20)
    settle()
    assert session.active.prediction is before
    np.testing.assert_array_equal(tumor.data, shown)
    assert NOT_ALL in real_dock.status.message.text()
    assert not real_dock.status.stop.isVisible()
