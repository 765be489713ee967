from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QWidget
from tests.widgets.conftest import Heard, make_dataset
from tests.widgets.test_fit_panel import STROKES

from napari_ims_tumor.io.image_file import read_planes
from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.msi.ion_measure import IonQuery
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow
from napari_ims_tumor.session.session import Session
from napari_ims_tumor.viewer.slide_tag import first_of
from napari_ims_tumor.widgets import file_dialogs
from napari_ims_tumor.widgets.export_form import ExportForm
from napari_ims_tumor.widgets.wiring import Wiring


@pytest.fixture
def form(qtbot: QtBot, wiring: Wiring) -> ExportForm:
    made = ExportForm(wiring)
    qtbot.addWidget(made)
    made.show()
    return made


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, str]]:
    """Answer every file dialog with its proposed name, in the test's folder."""
    proposed: list[tuple[str, str]] = []

    def answer(_: QWidget, title: str, path: Path, kinds: str) -> Path:
        proposed.append((path.name, kinds))
        return tmp_path / path.name

    monkeypatch.setattr(file_dialogs, "ask_save", answer)
    return proposed


def export(form: ExportForm, qtbot: QtBot, what: int, kind: str) -> None:
    form.what.setCurrentIndex(what)
    form.kind.setCurrentIndex(form.kind.findData(kind))
    qtbot.mouseClick(form.button, Qt.MouseButton.LeftButton)


def test_what_can_be_exported_and_why_not(form: ExportForm, session: Session) -> None:
    assert not form.button.isEnabled()
    assert form.button.toolTip() == "Open a slide first."
    session.adopt(make_dataset())
    assert form.reason.text() == "Predict this slide first."
    form.what.setCurrentText("Labels")
    assert form.reason.text() == "Nothing is painted yet."
    session.annotate(STROKES)
    assert form.button.isEnabled()
    form.what.setCurrentText("Visible ion images")
    assert form.reason.text().startswith("No ion image is visible")
    assert not form.button.isEnabled()
    session.show_ion(MassWindow(800.0, MassTolerance(0.5)))
    assert form.button.isEnabled()
    assert form.reason.text() == ""
    form.what.setCurrentText("Spectra")
    assert form.button.isEnabled()


def test_each_kind_of_file_is_proposed_and_written(
    form: ExportForm, session: Session, heard: Heard, asked: list[tuple[str, str]],
    qtbot: QtBot, tmp_path: Path,
) -> None:  # fmt: skip
    session.adopt(make_dataset())
    session.annotate(STROKES)
    session.classifier.fit(FitConfig("linear"))
    session.show_ion(MassWindow(800.0, MassTolerance(0.5)))
    session.pick(2, 3)
    for what in range(form.what.count()):
        form.what.setCurrentIndex(what)
        for kind in [form.kind.itemData(i) for i in range(form.kind.count())]:
            export(form, qtbot, what, kind)
    assert not heard.failed
    assert ("slide_prediction.ome.tif", "OME-TIFF image (*.ome.tif)") in asked
    assert len(list(tmp_path.glob("slide_*"))) >= len(asked) == 18
    assert "row 2, column 3" in (tmp_path / "slide_spectra.csv").read_text()


def test_the_visible_ion_images_as_they_are_seen(
    form: ExportForm, session: Session, wiring: Wiring, heard: Heard,
    asked: list[tuple[str, str]], qtbot: QtBot, tmp_path: Path,
) -> None:  # fmt: skip
    dataset = make_dataset()
    session.adopt(dataset)
    export(form, qtbot, 2, ".npy")
    assert not asked
    assert "No ion image is visible" in form.reason.text()
    window = MassWindow(800.0, MassTolerance(0.5))
    session.show_ion(window)
    assert wiring.binding is not None
    layers = wiring.binding.viewer.layers
    peak, stack = (first_of(layers, dataset, role) for role in ("peak", "stack"))
    peak.visible = stack.visible = True
    wiring.binding.jump_to_window(MassWindow(650.0, MassTolerance(0.5)))
    first_of(layers, dataset, "ion").visible = peak.visible = True
    export(form, qtbot, 2, ".ome.tif")
    read = read_planes(tmp_path / "slide_ions.ome.tif")
    assert read.names[0] == "m/z 650.0000"
    assert read.names[2] == "m/z 800.0000 ± 0.5 Da"
    seen = dataset.ion_images([window])[0].astype(np.float32)
    assert np.array_equal(read.values[2], seen, equal_nan=True)
    export(form, qtbot, 2, ".png")
    assert Image.open(tmp_path / "slide_ions.png").size[0] > 1000


def test_one_file_at_a_time(form: ExportForm, session: Session) -> None:
    session.adopt(make_dataset())
    form.what.setCurrentText("Spectra")
    session.job_started.emit("file")
    assert not form.button.isEnabled()
    session.job_ended.emit("file")
    assert form.button.isEnabled()


def test_a_spectrum_of_another_slide_is_not_exported(
    form: ExportForm, session: Session, asked: list[tuple[str, str]], qtbot: QtBot, tmp_path: Path
) -> None:
    session.adopt(make_dataset(name="first"))
    session.pick(2, 3)
    session.adopt(make_dataset(name="second"))
    export(form, qtbot, 3, ".csv")
    assert "row 2" not in (tmp_path / "second_spectra.csv").read_text()


def test_red_green_and_blue_are_one_picture_and_three_planes(
    form: ExportForm, session: Session, heard: Heard, asked: list[tuple[str, str]], qtbot: QtBot,
    tmp_path: Path,
) -> None:  # fmt: skip
    dataset = make_dataset()
    session.adopt(dataset)
    windows = [MassWindow(mz, MassTolerance(0.5)) for mz in (650.0, 800.0, 900.0)]
    session.ions.combine([IonQuery(window) for window in windows])
    for kind in (".ome.tif", ".png"):
        export(form, qtbot, 2, kind)
    assert not heard.failed
    read = read_planes(tmp_path / "slide_ions.ome.tif")
    assert np.allclose(read.values, dataset.ion_images(windows), equal_nan=True)
    picture = np.asarray(Image.open(tmp_path / "slide_ions.png").convert("RGB"), int)
    # Hues that none of the three has alone: the colors were added up.
    red, green, blue = (picture[..., i] > 90 for i in range(3))
    assert (red & green & ~blue).any()
    assert picture.shape[1] < 2600
