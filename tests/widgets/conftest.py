"""A slide, a session that runs its jobs at once, and panels that are closed after each test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import napari
import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QApplication

from napari_ims_tumor.demo.hands import settle, wait_until
from napari_ims_tumor.msi.mass_axis import MassAxis
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.spectrum import Spectrum
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset
from napari_ims_tumor.session.autosave import FOLDER_VARIABLE, Autosave
from napari_ims_tumor.session.jobs import InlineRunner
from napari_ims_tumor.session.session import Session
from napari_ims_tumor.viewer.binding import Binding
from napari_ims_tumor.widgets.dock import ImsTumorDock
from napari_ims_tumor.widgets.window_session import WindowSession
from napari_ims_tumor.widgets.wiring import Wiring


@pytest.fixture(autouse=True)
def autosave_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep strokes of tests out of the user's own folder."""
    folder = tmp_path / "autosave"
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    return folder


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Every worker ends with the test that began it."""
    yield
    assert not [t.name for t in threading.enumerate() if t.name.startswith("ims-tumor ")]


def make_dataset(mode: str = "profile", name: str = "slide") -> InMemoryDataset:
    """Eight rows, ten columns, one corner not measured, three peaks on an uneven floor."""
    places = [(r, c) for r in range(8) for c in range(10) if (r, c) != (0, 0)]
    rows, columns = np.array(places).T
    pixels = PixelGrid(rows, columns, (8, 10), (50.0, 50.0))
    mz = np.linspace(600, 1000, 801)
    rng = np.random.default_rng(5)
    shape = np.exp(-(((mz[:, None] - np.array([650.0, 800.0, 900.0])) / 0.8) ** 2)).T
    heights = rng.gamma(4, 20, (len(pixels), 3)) + np.where(columns < 5, 0, 60)[:, None]
    values = (heights @ shape + rng.gamma(2, 0.5, (len(pixels), mz.size))).astype(np.float32)
    if mode == "profile":
        return InMemoryDataset.from_matrix(MassAxis(mz), values, pixels, name)
    at = np.flatnonzero(np.isin(mz, [650.0, 800.0, 900.0]))
    spectra = [Spectrum(mz[at], v[at], "centroid") for v in values]
    return InMemoryDataset.from_spectra(spectra, pixels, name)


@dataclass
class Heard:
    """What a session said to the user."""

    failed: list[str]
    noticed: list[str]


@pytest.fixture
def session(autosave_folder: Path) -> Iterator[Session]:
    made = Session(InlineRunner(), Autosave())
    yield made
    made.close()


@pytest.fixture
def heard(session: Session) -> Heard:
    made = Heard([], [])
    session.failed.connect(made.failed.append)
    session.noticed.connect(made.noticed.append)
    return made


@pytest.fixture
def viewer() -> ViewerModel:
    """A viewer without a window."""
    return ViewerModel()


@pytest.fixture
def real_viewer() -> Iterator[napari.Viewer]:
    """A real window, empty."""
    made = napari.Viewer()
    made.window.resize(1400, 900)
    yield made
    made.close()
    QApplication.processEvents()


@pytest.fixture
def real_dock(real_viewer: napari.Viewer) -> ImsTumorDock:
    """The dock in a real window, without a slide."""
    _, made = real_viewer.window.add_plugin_dock_widget("napari-ims-tumor", "IMS Tumor")
    settle(0.3)
    return made


@pytest.fixture
def slide_window() -> Iterator[napari.Viewer]:
    """A real window with a slide and no dock."""
    made = napari.Viewer()
    made.window.resize(1000, 700)
    window = WindowSession.of(made)
    window.watch(made.window._qt_window)
    window.session.adopt(make_dataset())
    wait_until(lambda: window.session.active.overview is not None, "the overview", 20)
    settle(0.3)
    yield made
    made.close()
    QApplication.processEvents()


@pytest.fixture
def wiring(session: Session, viewer: ViewerModel) -> Iterator[Wiring]:
    binding = Binding(viewer, session)
    made = Wiring(session, binding)
    yield made
    made.cut()
    binding.close()


def painted(shape: tuple[int, ...], **at: list[tuple[int, int]]) -> Any:
    """A label image with the named pixels of each class."""
    labels = np.zeros(shape, np.uint8)
    for value, name in ((1, "healthy"), (2, "tumor")):
        for pixel in at.get(name, []):
            labels[pixel] = value
    return labels
