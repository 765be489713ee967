"""A changed byte, seen by somebody at a real window."""

from __future__ import annotations

import os
from pathlib import Path

import napari
import pytest
from pytestqt.qtbot import QtBot
from tests.widgets.conftest import make_dataset
from tests.widgets.test_dock import dock_on, quiet, window  # noqa: F401

from napari_ims_tumor.io.imzml_writer import write_imzml

pytestmark = pytest.mark.window


def test_a_changed_byte_is_told_in_the_slide_panel(
    window: napari.Viewer,  # noqa: F811
    qtbot: QtBot,
    tmp_path: Path,
) -> None:
    path = write_imzml(tmp_path / "TMA7.imzML", make_dataset())
    ibd = path.with_suffix(".ibd")
    data = bytearray(ibd.read_bytes())
    data[-4] ^= 1
    ibd.write_bytes(data)
    dock = dock_on(window)
    dock.slide.form["slide"].value = path
    qtbot.waitUntil(lambda: "whose SHA-1 is stated" in dock.slide.warnings.text(), timeout=20_000)
    quiet(dock, qtbot)
    text = dock.slide.warnings.text()
    assert text.startswith("⚠ TMA7.imzML: the .ibd file is not the one whose SHA-1 is stated (")
    assert text.endswith("Copy both files again from the same export.")
    assert text.count("⚠") == 1
    assert dock.slide.warnings.isVisible()
    assert "is not the one whose SHA-1 is stated" in dock.status.message.text()
    assert dock.status.stop.isHidden()
    if "IMS_TUMOR_SCREENSHOT" in os.environ:
        window.screenshot(os.environ["IMS_TUMOR_SCREENSHOT"], canvas_only=False)
