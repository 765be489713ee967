"""Annotations dropped on a real napari window, and files exported from it."""

from __future__ import annotations

from pathlib import Path

import napari
import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from tests.session.test_labels_reading import annotate
from tests.widgets.test_dock import dock_on, opened, quiet, window  # noqa: F401

from napari_ims_tumor.io.annotation_file import read_labels
from napari_ims_tumor.viewer.slide_tag import first_of
from napari_ims_tumor.widgets import file_dialogs
from napari_ims_tumor.widgets.labels_dialog import LabelsDialog

pytestmark = pytest.mark.window


def drop(viewer: napari.Viewer, path: Path) -> None:
    """Do what napari does with a file that was dropped on its canvas."""
    viewer.window._qt_viewer._qt_open([str(path)], stack=False)


def dialogs() -> list[LabelsDialog]:
    found = (w for w in QApplication.topLevelWidgets() if isinstance(w, LabelsDialog))
    return [dialog for dialog in found if dialog.isVisible()]


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_annotations_are_dropped_asked_about_and_exported_again(
    window: napari.Viewer,  # noqa: F811
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said_before = len(notification_manager.records)
    dock = dock_on(window)
    slide = opened(dock, qtbot)
    drop(window, annotate(tmp_path / "drawn.geojson", "Stroma", "Tumor", scale=10))
    qtbot.waitUntil(lambda: len(dialogs()) == 1, timeout=10_000)
    (dialog,) = dialogs()
    QTest.keyClicks(dialog.meanings["Stroma"], "h")
    dialog.scale.lineEdit().selectAll()
    QTest.keyClicks(dialog.scale.lineEdit(), "10")
    qtbot.mouseClick(dialog.ok, Qt.MouseButton.LeftButton)
    quiet(dock, qtbot)
    layer = first_of(window.layers, slide.dataset, "labels")
    assert layer is not None
    # Both cover the same pixels: of equal ones the last of the file.
    assert layer.data[1:3, 1:4].tolist() == [[2] * 3] * 2
    assert int((layer.data > 0).sum()) == 6

    monkeypatch.setattr(file_dialogs, "ask_save", lambda *given: tmp_path / given[2].name)
    form = dock.save.export
    dock._area.ensureWidgetVisible(form.button)
    form.what.setCurrentText("Labels")
    form.kind.setCurrentIndex(form.kind.findData(".geojson"))
    qtbot.mouseClick(form.button, Qt.MouseButton.LeftButton)
    quiet(dock, qtbot)
    back, _ = read_labels(tmp_path / "slide_labels.geojson", slide.dataset.pixels)
    assert np.array_equal(back.labels, layer.data)
    assert "Exported slide_labels.geojson" in dock.status.message.text()

    form.what.setCurrentText("Spectra")
    form.kind.setCurrentIndex(form.kind.findData(".png"))
    qtbot.mouseClick(form.button, Qt.MouseButton.LeftButton)
    quiet(dock, qtbot)
    assert (tmp_path / "slide_spectra.png").stat().st_size > 10_000
    said = notification_manager.records[said_before:]
    assert not [n for n in said if n.severity == "error"]


def test_a_map_is_not_taken_for_annotations(
    window: napari.Viewer,  # noqa: F811
    qtbot: QtBot,
    tmp_path: Path,
) -> None:
    dock = dock_on(window)
    opened(dock, qtbot)
    path = tmp_path / "map.geojson"
    path.write_text('{"type": "FeatureCollection", "features": []}')
    with pytest.raises(ValueError, match="refused the file"):
        window.open(path, plugin="napari-ims-tumor")
    assert not dialogs()
