"""Saved, closed and opened again: the window is the same, pixel for pixel."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import napari
import numpy as np
import pytest
from napari._qt.containers.qt_layer_model import QtLayerListModel, ThumbnailRole
from PIL import Image
from qtpy.QtCore import QPoint, Qt, QTimer
from qtpy.QtGui import QImage
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QMessageBox

import napari_ims_tumor as ims
from napari_ims_tumor.demo.expert import choose_strokes
from napari_ims_tumor.demo.hands import _type_path, settle, wait_until
from napari_ims_tumor.demo.story import Story
from napari_ims_tumor.session.jobs import Lane

pytestmark = pytest.mark.window

LANES: tuple[Lane, ...] = (
    "open", "survey", "ion", "fit", "predict", "file", "autosave", "device", "warm-up",
)  # fmt: skip
ASKED: list[str] = []
"""What message boxes said."""
POINTER = QPoint(120, 140)
"""Where the mouse rests on the canvas while a picture is taken."""


@pytest.fixture(autouse=True)
def whole_thumbnails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let napari draw the layer list's thumbnails whole.

    It makes them of bytes that nobody keeps, so that now and then a few pixels show what else lay
    in the memory: no picture would equal another.
    """
    drawn = QtLayerListModel.data

    def data(self: Any, index: Any, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role != ThumbnailRole or not index.isValid():
            return drawn(self, index, role)
        values = np.ascontiguousarray(self.getItem(index).thumbnail)
        height, width, _ = values.shape
        image = QImage(values.data, width, height, QImage.Format.Format_RGBA8888)
        return image.copy()

    monkeypatch.setattr(QtLayerListModel, "data", data)


@pytest.fixture
def slide(tmp_path: Path) -> Any:
    (made,) = ims.simulate(tmp_path / "study", rows=32, columns=40, channels=300, seed=1)
    return made


@pytest.fixture
def stories() -> Iterator[list[Story]]:
    """Windows that a test opens; they are closed with it."""
    opened: list[Story] = []
    yield opened
    for story in opened:
        close(story)


def begin(stories: list[Story]) -> Story:
    stories.append(Story(napari.Viewer()))
    return stories[-1]


def close(story: Story) -> None:
    window = getattr(story.viewer.window, "_qt_window", None)
    if window is not None:
        story.viewer.close()
        settle(0.2)


def picture(story: Story, path: Path) -> np.ndarray:
    """Take a picture of the window at rest, the mouse always at the same place."""
    runner = story.session.runner
    wait_until(lambda: not any(runner.is_busy(lane) for lane in LANES), "work to end", 60)
    native = story.hands._canvas.native
    native.setFocus()
    QTest.mouseMove(native, POINTER - QPoint(5, 5))
    settle(0.1)
    QTest.mouseMove(native, POINTER)
    settle(0.6)
    story.hands.picture(path)
    return np.asarray(Image.open(path).convert("RGB"))


def work(story: Story, slide: Any) -> None:
    """What a pathologist does in an hour, in a few seconds."""
    story.open(slide.imzml, picture=None)
    truth, patients = np.load(slide.labels), np.load(slide.patients)
    story.paint(choose_strokes(truth, patients, 4, 3))
    story.dock.fit.options["epochs"].value = 2
    story.fit()
    tic = story._must("tic")
    pixel = tuple(int(i) for i in np.argwhere(truth == 2)[7])
    mz, intensity = story.click_pixel((pixel[0], pixel[1]))
    top = int(np.argmax(intensity))
    ion = story.click_peak(float(mz[top]), float(intensity[top]))
    ion.colormap = "magma"
    ion.gamma = 0.8
    low, high = ion.contrast_limits
    ion.contrast_limits = (low, low + 0.7 * (high - low))
    tic.opacity = 0.6
    story.viewer.scene.camera.zoom *= 1.4
    story.hands.drag_pixels(tic, [(15, 20), (17, 23), (18, 25)])
    story.hands.click_button("save_heading")
    story.dock.spectrum.plot.setXRange(float(mz[50]), float(mz[200]), padding=0)
    story.dock.predict.form["threshold"].value = 0.6


def save(story: Story, path: Path) -> None:
    story.hands.answer_dialog("session_save", path)
    wait_until(path.is_file, "the session file", 20)
    wait_until(lambda: not story.session.runner.is_busy("file"), "the file lane", 20)


def assert_same(first: np.ndarray, second: np.ndarray) -> None:
    assert first.shape == second.shape
    differs = (first != second).any(axis=2)
    assert not differs.any(), f"{differs.sum()} pixels differ, at {np.argwhere(differs)[:5]}"


def test_the_same_picture_pixel_for_pixel(stories: list[Story], slide: Any, tmp_path: Path) -> None:
    """Nothing is left out of the comparison, clocks and cursors there are none."""
    session_file = tmp_path / "study" / "one.imstumor"
    story = begin(stories)
    work(story, slide)
    save(story, session_file)
    before = picture(story, tmp_path / "before.png")
    close(story)
    again = begin(stories)
    again.hands.answer_dialog("session_open", session_file)
    wait_until(lambda: again.session.active is not None, "the session", 60)
    after = picture(again, tmp_path / "after.png")
    assert_same(before, after)


def test_a_session_opened_before_the_dock_is_gone_on_with(
    slide: Any, tmp_path: Path, stories: list[Story]
) -> None:
    session_file = tmp_path / "study" / "one.imstumor"
    story = begin(stories)
    story.open(slide.imzml, picture=None)
    story.session.annotate(np.load(slide.labels))
    settle(0.3)
    story.hands.click_button("fit_heading")
    story.viewer.layers[0].opacity = 0.3
    save(story, session_file)
    counts = story.dock.annotate.counts["tumor"].text()
    close(story)
    viewer = napari.Viewer()
    viewer.open(str(session_file), plugin="napari-ims-tumor")
    assert viewer.layers[0].opacity == 0.3
    labels: Any = viewer.layers[-1]
    n_layers = len(viewer.layers)
    labels.paint((0, 0), 2)
    again = Story(viewer)
    stories.append(again)
    assert len(viewer.layers) == n_layers
    (opened,) = again.session.slides
    assert opened.annotation.labels[0, 0] == 2
    assert again.dock.annotate.counts["tumor"].text() == counts
    assert not again.dock.fit.body.isVisible()
    assert again.dock.sessions.name.text() == "one.imstumor: changed since it was saved"
    labels.paint((1, 1), 1)
    wait_until(lambda: again.session.slides[0].annotation.labels[1, 1] == 1, "the stroke", 5)


def type_path(path: Path) -> None:
    QTimer.singleShot(100, lambda: _type_path(path, time.monotonic() + 10))


def answer_box(button: str, then: Callable[[], object] = lambda: None) -> None:
    """Press a button of the message box as soon as it is there."""

    def press() -> None:
        box = QApplication.activeModalWidget()
        if not isinstance(box, QMessageBox):
            QTimer.singleShot(50, press)
            return
        ASKED.append(box.text())
        then()
        found = next(b for b in box.buttons() if b.text().replace("&", "") == button)
        QTest.mouseClick(found, Qt.MouseButton.LeftButton)

    QTimer.singleShot(50, press)


def test_a_moved_slide_is_asked_for_in_the_window(
    slide: Any, tmp_path: Path, stories: list[Story]
) -> None:
    session_file = tmp_path / "study" / "one.imstumor"
    story = begin(stories)
    story.open(slide.imzml, picture=None)
    save(story, session_file)
    story.session.close_slide(story.slide)
    folder = tmp_path / "disk"
    folder.mkdir()
    for suffix in (".imzML", ".ibd"):
        slide.imzml.with_suffix(suffix).rename(folder / f"moved{suffix}")
    ASKED.clear()
    answer_box("Cancel")
    story.session.files.open_session(session_file)
    status = story.dock.status.message
    wait_until(lambda: "No session was opened" in status.text(), "the refusal", 10)
    assert story.session.slides == ()
    (asked,) = ASKED
    assert f"last at {slide.imzml}" in asked
    # The file chooser comes after the box is gone.
    answer_box("Find it…", lambda: type_path(folder / "moved.imzML"))
    story.session.files.open_session(session_file)
    wait_until(lambda: len(story.session.slides) == 1, "the session", 20)
    assert story.slide.name == "moved"
