"""A small slide in memory, a session without a window, and an ear on its signals."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_ims_tumor.msi.mass_axis import MassAxis
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset
from napari_ims_tumor.session.autosave import Autosave
from napari_ims_tumor.session.jobs import InlineRunner
from napari_ims_tumor.session.session import Session


def two_tissues(name: str = "two tissues", seed: int = 0) -> InMemoryDataset:
    """Return a slide of 12 × 10 pixels, left half healthy, right half tumor, one pixel missing."""
    rng = np.random.default_rng(seed)
    rows, columns = (a.ravel() for a in np.mgrid[:12, :10])
    keep = ~((rows == 3) & (columns == 4))
    rows, columns = rows[keep], columns[keep]
    values = rng.gamma(2.0, 1.0, (rows.size, 40)).astype(np.float32)
    values[columns >= 5, 7] += 12
    values[columns < 5, 21] += 12
    axis = MassAxis(np.linspace(500, 539, 40))
    grid = PixelGrid(rows, columns, (12, 10), (50.0, 50.0))
    return InMemoryDataset.from_matrix(axis, values, grid, name)


class Ear:
    """Everything a session said, by signal."""

    def __init__(self, session: Session) -> None:
        self.heard: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for name in Session.signals:
            getattr(session, name).connect(self._writer(name))

    def __getitem__(self, name: str) -> list[tuple[Any, ...]]:
        return self.heard[name]

    def _writer(self, name: str) -> Any:
        def write(*args: Any) -> None:
            self.heard[name].append(args)

        return write


@pytest.fixture
def slide() -> InMemoryDataset:
    return two_tissues()


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(InlineRunner(), Autosave(tmp_path / "autosave"))


@pytest.fixture
def ear(session: Session) -> Ear:
    return Ear(session)


@pytest.fixture
def strokes(slide: InMemoryDataset) -> np.ndarray:
    """Three strokes of each class."""
    labels = np.zeros((12, 10), np.uint8)
    for row in (1, 5, 9):
        labels[row : row + 2, 0:3] = 1
        labels[row : row + 2, 7:10] = 2
    return labels
