from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from tests.widgets.conftest import Heard, make_dataset

from napari_ims_tumor.io.imzml_writer import write_imzml
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset
from napari_ims_tumor.session.autosave import Autosave
from napari_ims_tumor.session.session import Session
from napari_ims_tumor.widgets.section import WrappingLabel
from napari_ims_tumor.widgets.slide_panel import SlidePanel, slide_facts
from napari_ims_tumor.widgets.wiring import Wiring


@pytest.fixture
def panel(qtbot: QtBot, wiring: Wiring) -> SlidePanel:
    made = SlidePanel(wiring)
    qtbot.addWidget(made)
    made.resize(320, 400)
    made.show()
    return made


def test_without_a_slide_it_says_how_to_open_one(panel: SlidePanel) -> None:
    assert panel.empty.isVisible()
    assert panel.list.isHidden() or not panel.list.isVisible()


def test_facts_of_a_slide(panel: SlidePanel, session: Session) -> None:
    session.adopt(make_dataset())
    texts = [label.text() for label in panel.facts.findChildren(WrappingLabel)]
    assert texts == [
        "79 in 8 × 10",
        "50 × 50 µm",
        "600.00 to 1,000.00",
        "801 channels, profile, continuous",
    ]
    assert not panel.empty.isVisible()


def test_facts_without_a_pixel_size_or_an_axis() -> None:
    dataset = make_dataset("centroid")
    grid = dataset.pixels
    nameless = replace(dataset, pixels=PixelGrid(grid.rows, grid.columns, grid.shape))
    facts = slide_facts(nameless)
    assert facts["pixel size"] == "not in the file"
    assert facts["spectra"] == "centroid, processed"


def test_warnings_stay_in_sight(panel: SlidePanel, session: Session) -> None:
    session.adopt(replace(make_dataset(), warnings=("The UUID differs.",)))
    assert panel.warnings.text() == "⚠ The UUID differs."


def test_several_slides_are_chosen_from_a_list(
    panel: SlidePanel, session: Session, qtbot: QtBot
) -> None:
    first = session.adopt(make_dataset(name="first"))
    session.adopt(make_dataset(name="second"))
    assert [panel.list.itemText(i) for i in range(panel.list.count())] == ["first", "second"]
    assert panel.list.currentText() == "second"
    panel.list.setFocus()
    qtbot.keyClick(panel.list, Qt.Key.Key_Up)
    assert session.active is not None
    assert session.active.key == first.key
    qtbot.mouseClick(panel.close_slide, Qt.MouseButton.LeftButton)
    assert [slide.name for slide in session.slides] == ["second"]


def test_a_missing_file_is_one_message(
    panel: SlidePanel, heard: Heard, qtbot: QtBot, tmp_path: Path
) -> None:
    line = panel.form["slide"].line_edit.native
    qtbot.keyClicks(line, str(tmp_path / "gone.imzML"))
    qtbot.keyClick(line, Qt.Key.Key_Return)
    assert [m for m in heard.failed if "gone.imzML" in m]
    assert len(heard.failed) == 1


@pytest.mark.real_data
def test_a_chosen_file_is_opened(panel: SlidePanel, session: Session, real_data: Path) -> None:
    panel.form["slide"].value = real_data / "bladder_tma1" / "cores" / "TMA1_core10.imzML"
    assert [slide.name for slide in session.slides] == ["TMA1_core10"]


def test_a_slide_that_is_closed_keeps_the_stroke_painted_a_moment_ago(
    panel: SlidePanel, session: Session, wiring: Wiring, qtbot: QtBot
) -> None:
    dataset = make_dataset()
    session.adopt(dataset)
    assert wiring.binding is not None
    layer = wiring.binding.new_labels_layer()
    assert layer is not None
    layer.data[3, 3] = 2  # says nothing: like a stroke that still waits for its end
    qtbot.mouseClick(panel.close_slide, Qt.MouseButton.LeftButton)
    found = Autosave().find(dataset)
    assert found is not None
    assert found.n_pixels == 1


def test_reopening_reads_the_files_again(
    panel: SlidePanel, session: Session, qtbot: QtBot, tmp_path: Path
) -> None:
    session.adopt(make_dataset())
    assert not panel.reopen.isEnabled()
    path = write_imzml(tmp_path / "again.imzML", make_dataset())
    session.open(path)
    assert panel.reopen.isEnabled()
    before = session.active
    qtbot.mouseClick(panel.reopen, Qt.MouseButton.LeftButton)
    assert session.active is not None
    assert before is not None
    assert session.active.key != before.key
    assert session.active.dataset.source == before.dataset.source
    assert [slide.name for slide in session.slides] == ["slide", "again"]


def test_a_flat_tic_is_said_and_the_strongest_peak_shown(
    panel: SlidePanel, session: Session, wiring: Wiring
) -> None:
    session.adopt(make_dataset(name="uneven"))
    assert panel.note.isHidden()
    made = make_dataset()
    values = np.array([made.spectrum(i).intensity for i in range(made.n_spectra)])
    flat = 100 * values / values.sum(axis=1, keepdims=True)
    assert made.mass_axis is not None
    dataset = InMemoryDataset.from_matrix(made.mass_axis, flat, made.pixels, "normalized")
    slide = session.current(session.adopt(dataset))
    assert slide is not None
    assert slide.overview is not None
    mz = slide.overview.strongest[0].mz
    assert "the same everywhere" in panel.note.text()
    assert f"m/z {mz:.4f}" in panel.note.text()
    assert wiring.binding is not None
    seen = [la for la in wiring.binding.viewer.layers if la.visible]
    assert [la.name for la in seen] == ["TIC · normalized", f"m/z {mz:.4f} · normalized"]
    assert seen[0].contrast_limits[1] > 2 * np.nanmax(seen[0].data), "it outshines the peak"
