"""A small cohort of open slides with labels."""

from __future__ import annotations

import numpy as np
import pytest

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.cohort.table import CohortSlide, Groups
from napari_ims_tumor.msi.mass_axis import MassAxis
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset


class Cohorts:
    """What the tests of this folder build on."""

    @staticmethod
    def slide(
        seed: int, groups: Groups = None, signal: float = 40.0, start: float = 500.0, bins: int = 40
    ) -> CohortSlide:
        """6 × 8 pixels, the last column not measured, tumor in the right half."""
        rng = np.random.default_rng(seed)
        rows, columns = (a.ravel() for a in np.mgrid[:6, :7])
        labels = np.ones((6, 8), np.uint8)
        labels[:, 4:] = 2
        labels[2:4, 3:5] = 0
        mean = np.full((rows.size, bins), 20.0)
        mean[:, 11] += signal * (labels[rows, columns] == 2)
        pixels = PixelGrid(rows, columns, (6, 8))
        axis = MassAxis(np.arange(bins) + start)
        values = rng.poisson(mean).astype(np.float32)
        dataset = InMemoryDataset.from_matrix(axis, values, pixels, f"slide{seed}")
        return CohortSlide(dataset, Annotation(labels), groups)

    @classmethod
    def cohort(cls, n: int = 5, signal: float = 40.0) -> tuple[CohortSlide, ...]:
        return tuple(cls.slide(seed, f"patient {seed}", signal) for seed in range(n))


@pytest.fixture(scope="session")
def cohorts() -> type[Cohorts]:
    return Cohorts
