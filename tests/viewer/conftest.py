"""Slides, a session and a viewer without a window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_ims_tumor.job import run_inline
from napari_ims_tumor.msi.mass_axis import MassAxis
from napari_ims_tumor.msi.overview import SlideOverview, survey
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset
from napari_ims_tumor.session.autosave import Autosave
from napari_ims_tumor.session.jobs import InlineRunner
from napari_ims_tumor.session.session import Session
from napari_ims_tumor.viewer.binding import Binding


def make_grid(planes: int = 1, size_um: tuple[float, float] | None = (50.0, 25.0)) -> PixelGrid:
    """Eight rows, twelve columns; one corner pixel of four is not measured."""
    places = [
        (p, r, c) for p in range(planes) for r in range(8) for c in range(12) if (r, c) != (0, 0)
    ]
    plane, row, column = np.array(places).T
    return PixelGrid(row, column, (8, 12), size_um, planes=plane)


def make_dataset(
    pixels: PixelGrid | None = None, mz: np.ndarray | None = None, name: str = "slide"
) -> InMemoryDataset:
    """A continuous slide of random peaks."""
    pixels = pixels or make_grid()
    mz = np.array([600.0, 601.5, 700.0, 750.25, 900.0]) if mz is None else mz
    values = np.random.default_rng(3).gamma(2.0, 10.0, (len(pixels), mz.size)).astype(np.float32)
    return InMemoryDataset.from_matrix(MassAxis(mz), values, pixels, name, "centroid")


def overview_of(dataset: InMemoryDataset) -> SlideOverview:
    return run_inline(survey(dataset))


def from_file(dataset: InMemoryDataset, path: Path) -> InMemoryDataset:
    """The same slide, as if opened from a file."""
    return replace(dataset, source=path)


@dataclass(frozen=True)
class FakePrediction:
    """The attributes of a prediction that a viewer looks at."""

    probabilities: np.ndarray
    class_names: tuple[str, ...] = ("healthy", "tumor")
    disagreement: np.ndarray | None = None
    why_no_disagreement: str | None = "Only one answers."
    unfamiliarity: np.ndarray | None = None
    alone: np.ndarray | None = None
    why_no_unfamiliarity: str | None = "Too few strokes."
    answers: None = None
    why_no_alone: str | None = "Each answers alone."

    @property
    def unfamiliar(self) -> np.ndarray:
        return np.zeros(self.probabilities.shape[1:], bool)

    @property
    def uncertainty(self) -> np.ndarray:
        return 1 - np.abs(2 * self.probabilities[1] - 1)


def make_prediction(pixels: PixelGrid, tumor: float = 0.8) -> FakePrediction:
    plane = np.where(pixels.measured, np.float32(tumor), np.float32(np.nan))
    return FakePrediction(np.stack([1 - plane, plane]).astype(np.float32))


@pytest.fixture
def dataset() -> InMemoryDataset:
    return make_dataset()


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(InlineRunner(), Autosave(tmp_path / "autosave"))


@pytest.fixture
def binding(viewer: ViewerModel, session: Session) -> Binding:
    return Binding(viewer, session)


@pytest.fixture
def heard(session: Session) -> list[str]:
    """Everything the session tells the user."""
    messages: list[str] = []
    session.failed.connect(messages.append)
    session.noticed.connect(messages.append)
    session.nothing_picked.connect(messages.append)
    # Signals hold their slots weakly; a list's method is kept alive by the list.
    return messages


class Waiting:
    """A debounce that runs when the test says so."""

    def __init__(self) -> None:
        self.asked: dict[int, Callable[[], object]] = {}

    def __call__(self, action: Callable[[], object]) -> Callable[[], object]:
        def later() -> None:
            self.asked[id(action)] = action

        return later

    def run(self) -> int:
        actions, self.asked = list(self.asked.values()), {}
        for action in actions:
            action()
        return len(actions)


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


class Build:
    """Builders for tests, in one fixture."""

    grid = staticmethod(make_grid)
    dataset = staticmethod(make_dataset)
    overview = staticmethod(overview_of)
    from_file = staticmethod(from_file)
    prediction = staticmethod(make_prediction)


@pytest.fixture
def build() -> type[Build]:
    return Build
