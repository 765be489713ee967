"""The list of peaks: sorted, narrowed, clicked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, Qt
from tests.widgets.conftest import Heard, make_dataset

from napari_ims_tumor.session.session import Session
from napari_ims_tumor.session.slide_state import IonImage
from napari_ims_tumor.viewer.slide_tag import layers_of, tag_of
from napari_ims_tumor.widgets import file_dialogs
from napari_ims_tumor.widgets.peak_list import PeakList
from napari_ims_tumor.widgets.peak_model import short
from napari_ims_tumor.widgets.wiring import Wiring


@pytest.fixture
def peaks(qtbot: QtBot, wiring: Wiring) -> PeakList:
    made = PeakList(wiring)
    made.resize(300, 400)
    qtbot.addWidget(made)
    with qtbot.waitExposed(made):
        made.show()
    return made


@pytest.fixture
def shown(session: Session) -> list[IonImage]:
    images: list[IonImage] = []
    session.ion_shown.connect(images.append)
    return images


def column(peaks: PeakList, number: int) -> list[str]:
    model = peaks.model
    return [model.index(row, number).data() for row in range(model.rowCount())]


def click(qtbot: QtBot, peaks: PeakList, row: int, held: bool = False) -> None:
    place = peaks.table.visualRect(peaks.model.index(row, 0)).center()
    modifier = Qt.KeyboardModifier.ControlModifier if held else Qt.KeyboardModifier.NoModifier
    qtbot.mouseClick(peaks.table.viewport(), Qt.MouseButton.LeftButton, modifier, place)


def test_without_a_slide_it_is_empty(peaks: PeakList) -> None:
    assert peaks.model.rowCount() == 0
    assert not peaks.rgb.isEnabled()
    assert not peaks.export.isEnabled()


def test_tab_leaves_the_table(peaks: PeakList, session: Session, qtbot: QtBot) -> None:
    session.adopt(make_dataset())
    peaks.table.setCurrentIndex(peaks.model.index(0, 0))
    qtbot.keyClick(peaks.table, Qt.Key.Key_Down)
    assert peaks.table.currentIndex() == peaks.model.index(1, 0)
    qtbot.keyClick(peaks.table, Qt.Key.Key_Tab)
    assert peaks.table.currentIndex() == peaks.model.index(1, 0), "it went to the next cell"


@pytest.mark.parametrize("mode", ["profile", "centroid"])
def test_it_lists_the_peaks_of_the_slide(peaks: PeakList, session: Session, mode: str) -> None:
    session.adopt(make_dataset(mode))
    assert column(peaks, 0) == ["650.0000", "800.0000", "900.0000"]
    assert "3 peaks" in peaks.count.text()


def test_a_click_on_a_heading_sorts(peaks: PeakList, session: Session, qtbot: QtBot) -> None:
    session.adopt(make_dataset())
    header = peaks.table.horizontalHeader()
    place = header.sectionViewportPosition(1) + 5
    for falling in (False, True):
        qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(place, 6))
        heights = [float(text.replace(",", "")) for text in column(peaks, 1)]
        assert heights == sorted(heights, reverse=falling)


@pytest.mark.parametrize(
    ("typed", "rows"),
    [
        ("800", ["800.0000"]),
        ("799.2", []),
        ("799,9", ["800.0000"]),
        ("", ["650.0000", "800.0000", "900.0000"]),
        ("lipid", []),
    ],
)
def test_a_typed_mz_narrows_the_list(
    peaks: PeakList, session: Session, qtbot: QtBot, typed: str, rows: list[str]
) -> None:
    session.adopt(make_dataset("centroid"))
    qtbot.keyClicks(peaks.filter, typed)
    assert column(peaks, 0) == rows


def test_a_click_shows_the_ion_image(
    peaks: PeakList, session: Session, qtbot: QtBot, shown: list[IonImage]
) -> None:
    slide = session.adopt(make_dataset())
    click(qtbot, peaks, 1)
    (image,) = shown
    assert image.window.center == pytest.approx(800)
    overview = session.current(slide).overview  # type: ignore[union-attr]
    assert overview is not None
    assert image.window == overview.peaks.window(1)
    qtbot.keyClick(peaks.table, Qt.Key.Key_Down)
    assert shown[-1].window.center == pytest.approx(900)


def test_an_ion_shown_elsewhere_is_marked_and_not_asked_for_again(
    peaks: PeakList, session: Session, shown: list[IonImage]
) -> None:
    session.adopt(make_dataset())
    session.show_ion(session.ions.peaks(session.active).window(2))  # type: ignore[arg-type]
    assert [i.row() for i in peaks.table.selectionModel().selectedRows()] == [2]
    assert len(shown) == 1


def test_three_marked_rows_become_red_green_and_blue(
    peaks: PeakList, session: Session, wiring: Wiring, qtbot: QtBot
) -> None:
    dataset = make_dataset()
    session.adopt(dataset)
    click(qtbot, peaks, 0)
    assert not peaks.rgb.isEnabled()
    for row in (1, 2):
        click(qtbot, peaks, row, held=True)
    assert "three marked" in peaks.rgb.toolTip()
    qtbot.mouseClick(peaks.rgb, Qt.MouseButton.LeftButton)
    assert wiring.binding is not None
    layers = layers_of(wiring.binding.viewer.layers, dataset, "rgb")
    masses = [tag_of(layer).window.center for layer in layers]  # type: ignore[union-attr]
    assert masses == pytest.approx([650, 800, 900])


def test_the_last_three_pins_become_red_green_and_blue(
    peaks: PeakList, session: Session, qtbot: QtBot
) -> None:
    slide = session.adopt(make_dataset())
    for row in (0, 1, 2, 0):
        session.ions.pin(session.ions.peaks(session.active).window(row))  # type: ignore[arg-type]
    windows = [query.window for query in session.ions.pins(slide)]
    assert len(windows) == 3
    assert "last three pinned" in peaks.rgb.toolTip()
    qtbot.mouseClick(peaks.rgb, Qt.MouseButton.LeftButton)
    combined = session.ions.combined(slide)
    assert [query.window for query in combined] == windows


def test_the_maximum_s_peaks_are_listed_when_asked_for(
    peaks: PeakList, session: Session, qtbot: QtBot
) -> None:
    session.adopt(make_dataset())
    peaks.source.setFocus()
    qtbot.keyClick(peaks.source, Qt.Key.Key_Down)
    assert session.ions.picked_from == "max"
    assert peaks.source.currentData() == "max"
    assert "800.0000" in column(peaks, 0)


def test_the_list_is_exported(
    peaks: PeakList,
    session: Session,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    heard: Heard,
) -> None:
    session.adopt(make_dataset())
    path = tmp_path / "peaks.csv"
    monkeypatch.setattr(file_dialogs, "ask_save", lambda *_: path)
    qtbot.mouseClick(peaks.export, Qt.MouseButton.LeftButton)
    assert not heard.failed
    lines = path.read_text().splitlines()
    assert lines[0] == "# slide: slide"
    assert lines[1] == "# peaks: picked from the mean spectrum"
    table = session.ions.peaks(session.active)  # type: ignore[arg-type]
    read = np.genfromtxt(path, delimiter=",", names=True, skip_header=3)
    assert np.array_equal(read["mz"], table.mz)
    assert np.array_equal(read["window_low"], table.mz - table.half)
    assert np.array_equal(read["intensity_max"], table.max)


def test_another_slide_lists_its_own_peaks(peaks: PeakList, session: Session) -> None:
    session.adopt(make_dataset(name="first"))
    session.adopt(make_dataset("centroid", name="second"))
    assert peaks.model.rowCount() == 3
    for slide in session.slides:
        session.close_slide(slide)
    assert peaks.model.rowCount() == 0
    assert not peaks.count.isVisible()


def test_marking_keeps_several_marked_rows(peaks: PeakList, session: Session, qtbot: QtBot) -> None:
    session.adopt(make_dataset())
    click(qtbot, peaks, 0)
    click(qtbot, peaks, 1, held=True)
    session.show_ion(session.ions.peaks(session.active).window(2))  # type: ignore[arg-type]
    assert [i.row() for i in peaks.table.selectionModel().selectedRows()] == [0, 1]


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234.6, "1,235"), (12345.6, "12.3k"), (107234.0, "107k"), (12.34, "12.3"), (0.5, "0.5"),
     (9_999_900.0, "10M"), (2.5e7, "25M"), (2e12, "2.0e+12"), (1e-5, "1.0e-05"),
     (float("nan"), "–"), (0.0, "0")],
)  # fmt: skip
def test_short_numbers(value: float, text: str) -> None:
    assert short(value) == text
