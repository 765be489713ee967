"""Simulated slides with their truth, alone or as a cohort that shares its chemistry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.msi.arrays import Float32Array, IntArray, LabelArray
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.synthetic.abundances import make_abundances
from napari_ims_tumor.msi.synthetic.chemistry import COMPARTMENTS, make_chemistry
from napari_ims_tumor.msi.synthetic.conditions import make_batch, make_conditions
from napari_ims_tumor.msi.synthetic.faults import make_hot_spots, noisy_labels
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset
from napari_ims_tumor.msi.synthetic.measurement import Measurement
from napari_ims_tumor.msi.synthetic.origin import SlideOrigin
from napari_ims_tumor.msi.synthetic.recipe import SlideRecipe
from napari_ims_tumor.msi.synthetic.spectra import SpectrumSource, held_in_memory
from napari_ims_tumor.msi.synthetic.tissue import Tissue, clean_labels, make_tissue

TRUTH_FORMAT: Final = "napari-ims-tumor simulated truth"
TRUTH_VERSION: Final = 1
TRUTH_PLANES: Final = (
    "tumor", "necrosis", *COMPARTMENTS, "clean labels", "labels", "hot spots", "dead pixels",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class SlidePlan:
    """A slide of which everything is known but the ions.

    Attributes
    ----------
    name
        Of the slide.
    source
        Makes the spectra, block by block.
    labels
        uint8 image of the slide: 0 unlabelled, 1 healthy, 2 tumor; with label noise, where asked.
    patients
        int64 image: number of the patient, unique in the cohort, from 1; 0 where no tissue is.
    truth
        Plain facts for a JSON file: the recipe, the batch and every planted molecule.
    truth_planes
        Shape (10, rows, columns), one per name in :data:`TRUTH_PLANES`; NaN where nothing was
        measured.
    """

    name: str
    source: SpectrumSource
    labels: LabelArray
    patients: IntArray
    truth: Mapping[str, Any]
    truth_planes: Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedSlide:
    """A slide of which everything is known.

    Attributes
    ----------
    name, labels, patients, truth, truth_planes
        As in :class:`SlidePlan`.
    dataset
        The spectra.
    """

    name: str
    dataset: InMemoryDataset
    labels: LabelArray
    patients: IntArray
    truth: Mapping[str, Any]
    truth_planes: Float32Array


@dataclass(frozen=True, slots=True)
class CohortPlan:
    """Several slides of one recipe.

    Attributes
    ----------
    recipe
        What each slide shall be like.
    slides
        How many; they share molecules, not patients.
    batches
        How many batches they were measured in, each of neighboring slides.
    """

    recipe: SlideRecipe
    slides: int = 1
    batches: int = 1

    def __post_init__(self) -> None:
        if self.slides < 1:
            raise ImsTumorError(f"{self.slides} slides: simulate at least 1")
        if not 1 <= self.batches <= self.slides:
            raise ImsTumorError(
                f"{self.batches} batches of {self.slides} slides: use 1 to {self.slides} batches"
            )

    def batch_of(self, number: int) -> int:
        """Return the number of a slide's batch."""
        return number * self.batches // self.slides


def plan_slide(
    recipe: SlideRecipe | None = None, number: int = 0, batch: int = 0, name: str | None = None
) -> SlidePlan:
    """Draw everything of a slide but its ions.

    Parameters
    ----------
    recipe
        What it shall be like; the same recipe, number and batch give the same slide, bit for bit.
    number
        Which slide of the cohort: other patients, the same chemistry.
    batch
        Which batch it was measured in.
    name
        By default ``"simulated_1"`` for number 0, and so on.
    """
    recipe = recipe or SlideRecipe()
    rng = np.random.default_rng([recipe.seed, 2, number])
    chemistry, tissue = make_chemistry(recipe), make_tissue(recipe, rng)
    abundances = make_abundances(chemistry, tissue, recipe, rng)
    conditions = make_conditions(tissue, make_batch(recipe, batch), recipe, rng)
    # Streams of their own: what goes wrong changes nothing of what is there.
    bench, expert = (np.random.default_rng([recipe.seed, 5, number, k]) for k in (0, 1))
    spots = make_hot_spots(tissue.measured, chemistry.mz.size, recipe.faults.hot_spots, bench)
    pixels, name = _grid(tissue, recipe), name or f"simulated_{number + 1}"
    measurement = Measurement(
        recipe, chemistry, abundances, conditions, spots, pixels, name, number
    )  # fmt: skip
    clean = clean_labels(tissue)
    labels = noisy_labels(clean, recipe.faults.label_noise, expert)
    patients = (number * recipe.n_patients + tissue.piece + 1) * tissue.tissue * tissue.measured
    return SlidePlan(
        name=name,
        source=SpectrumSource(measurement),
        labels=_boxed(labels, pixels),
        patients=_boxed(patients, pixels).astype(np.int64),
        truth=_truth(measurement),
        truth_planes=_planes(measurement, tissue, clean, labels),
    )


def simulate_slide(
    recipe: SlideRecipe | None = None, number: int = 0, batch: int = 0, name: str | None = None
) -> SimulatedSlide:
    """Simulate a slide and hold it in memory; parameters as in :func:`plan_slide`."""
    recipe = recipe or SlideRecipe()
    plan = plan_slide(recipe, number, batch, name)
    origin = SlideOrigin(recipe, number, batch, plan.name)
    return SimulatedSlide(
        name=plan.name,
        dataset=replace(held_in_memory(plan.source), origin=origin),
        labels=plan.labels,
        patients=plan.patients,
        truth=plan.truth,
        truth_planes=plan.truth_planes,
    )


def simulate_cohort(recipe: SlideRecipe, slides: int, batches: int = 1) -> Iterator[SimulatedSlide]:
    """Simulate slides one after another: patients differ, molecules do not."""
    plan = CohortPlan(recipe, slides, batches)
    for number in range(slides):
        yield simulate_slide(recipe, number, plan.batch_of(number))


def _truth(measurement: Measurement) -> dict[str, Any]:
    return {
        "format": TRUTH_FORMAT,
        "version": TRUTH_VERSION,
        "recipe": asdict(measurement.recipe),
        "slide": measurement.number,
        "batch": measurement.conditions.batch.as_truth(),
        "detector": measurement.conditions.detector,
        "molecules": measurement.chemistry.as_truth(),
    }


def _planes(
    measurement: Measurement, tissue: Tissue, clean: LabelArray, labels: LabelArray
) -> Float32Array:
    """Stack the truth images in the order of :data:`TRUTH_PLANES`, cut to the slide."""
    pixels = measurement.pixels
    shares = [tissue.tumor, tissue.necrosis, *tissue.compartments]
    boxed = [_boxed(image * tissue.tissue, pixels) for image in shares]
    boxed += [_boxed(image, pixels) for image in (clean, labels)]
    gain, factor = measurement.conditions.gain, measurement.hot_spots.factor
    boxed += [
        pixels.as_image(np.where(factor > 1, factor, 0.0)),
        pixels.as_image(1.0 * (gain == 0.0)),
    ]
    planes = np.stack(boxed).astype(np.float32)
    planes[:, ~pixels.measured] = np.nan
    planes.flags.writeable = False
    return planes


def _grid(tissue: Tissue, recipe: SlideRecipe) -> PixelGrid:
    """Place the measured pixels in their bounding box, row by row."""
    rows, columns = np.nonzero(tissue.measured)
    top, left = int(rows.min()), int(columns.min())
    shape = (int(rows.max()) - top + 1, int(columns.max()) - left + 1)
    size = (recipe.pixel_size_um, recipe.pixel_size_um)
    return PixelGrid(rows - top, columns - left, shape, size, (top, left))


def _boxed(image: NDArray[Any], pixels: PixelGrid) -> NDArray[Any]:
    (top, left), (rows, columns) = pixels.origin, pixels.shape
    box: NDArray[Any] = image[top : top + rows, left : left + columns]
    return box
