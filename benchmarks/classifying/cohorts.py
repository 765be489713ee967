"""What models are judged on: a real array, a cohort table, or simulated slides."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.ndimage import distance_transform_cdt

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.cohort.gathering import Gathered, gather
from napari_ims_tumor.cohort.table import CohortSlide, read_cohort
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.model.samples import LabelledSpectra
from napari_ims_tumor.msi.synthetic.recipe import make_recipe
from napari_ims_tumor.msi.synthetic.slide import TRUTH_PLANES, SimulatedSlide, simulate_cohort

FAR = 1_000
"""Distance to a border where there is none on the slide."""

SMALL = {"rows": 48, "columns": 64, "channels": 3000}
SIMULATED: dict[str, dict[str, object]] = {
    # name → options of `ims-tumor simulate`
    "distant gate": {**SMALL, "signal": "distant-gate", "slides": 2},
    "additive": {**SMALL, "signal": "additive", "strength": 0.6, "slides": 2},
    "batches": {**SMALL, "rows": 36, "signal": "mixed", "strength": 0.4, "slides": 4,
                "batches": 4, "batch_effect": 3.0},
    "mass drift": {**SMALL, "signal": "mixed", "strength": 0.4, "slides": 2, "drift_ppm": 250.0},
    "label noise": {**SMALL, "signal": "mixed", "strength": 0.4, "slides": 2, "label_noise": 0.2},
    "ragged borders": {**SMALL, "rows": 64, "columns": 96, "signal": "mixed", "strength": 0.4,
                       "slides": 1, "patients": 10, "infiltration": 0.3},
    "infiltration": {**SMALL, "signal": "mixed", "strength": 0.4, "slides": 2,
                     "infiltration": 0.9},
    "12,000 bins": {**SMALL, "channels": 12000, "signal": "mixed", "strength": 0.4, "slides": 2},
    "3,000 bins": {**SMALL, "rows": 36, "columns": 48, "signal": "mixed", "strength": 0.4,
                   "slides": 2},
    "no signal": {**SMALL, "channels": 1000, "signal": "none", "slides": 2},
    "tiny": {"rows": 24, "columns": 40, "channels": 200, "signal": "local", "slides": 1},
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Cohort:
    """Labelled spectra, where each lies, and the classes that answers are scored by.

    Attributes
    ----------
    name
        As it stands in the tables.
    gathered
        The spectra with their labels and places.
    truth
        Shape (n,): the labels; of simulated slides those without the noise.
    """

    name: str
    gathered: Gathered
    truth: np.ndarray

    @property
    def spectra(self) -> LabelledSpectra:
        return self.gathered.spectra

    @cached_property
    def images(self) -> np.ndarray:
        """Number of the image (slide and plane) of each spectrum."""
        places = np.stack([self.gathered.slide, self.gathered.plane], axis=1)
        return np.unique(places, axis=0, return_inverse=True)[1].reshape(-1)

    @cached_property
    def to_border(self) -> np.ndarray:
        """Pixels from each spectrum to the nearest one of another class, diagonals counting 1."""
        found = np.full(len(self.truth), FAR)
        for image in np.unique(self.images):
            own = np.flatnonzero(self.images == image)
            row, column = self.gathered.row[own], self.gathered.column[own]
            for label in np.unique(self.truth[own]):
                others = np.ones((row.max() + 1, column.max() + 1), int)
                other = self.truth[own] != label
                others[row[other], column[other]] = 0
                if other.any():
                    distance = distance_transform_cdt(others, "chessboard")
                    same = ~other
                    found[own[same]] = distance[row[same], column[same]]
        return found

    @cached_property
    def mark(self) -> str:
        """What tells this cohort from another in the results."""
        digest = hashlib.sha256(self.name.encode())
        for array in (self.spectra.values, self.spectra.classes, self.spectra.groups, self.truth):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:12]


def load(source: Path) -> Cohort:
    """Read COHORT.csv, or a folder with X.imzML, X_labels.npy and X_cores.npy."""
    if source.is_dir():
        (slide,) = source.glob("*.imzML")
        cores = source / f"{slide.stem}_cores.npy"
        labels = source / f"{slide.stem}_labels.npy"
        slides: tuple[CohortSlide, ...] = (
            CohortSlide(slide, labels, cores if cores.exists() else None),
        )
    else:
        slides = read_cohort(source)
    gathered = run_inline(gather(slides))
    return Cohort(source.stem, gathered, gathered.spectra.classes)


def simulated(name: str, seed: int = 0) -> Cohort:
    """Simulate one of the cohorts, with the labels as an expert would have painted them."""
    options = {"seed": seed, **SIMULATED[name]}
    slides, batches = int(str(options.pop("slides"))), int(str(options.pop("batches", 1)))
    made = tuple(simulate_cohort(make_recipe(**options), slides, batches))
    gathered = run_inline(gather(tuple(_as_given(slide) for slide in made)))
    clean = [slide.truth_planes[TRUTH_PLANES.index("clean labels")] for slide in made]
    truth = np.zeros(len(gathered.spectra), np.int64)
    for number, image in enumerate(clean):
        own = gathered.slide == number
        truth[own] = image[gathered.row[own], gathered.column[own]] - 1
    return Cohort(name if not seed else f"{name} (seed {seed})", gathered, truth)


def _as_given(slide: SimulatedSlide) -> CohortSlide:
    return CohortSlide(slide.dataset, Annotation(slide.labels), slide.patients)
