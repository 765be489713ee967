"""Simulated slides with their truth, alone or as a cohort that shares its chemistry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.msi.arrays import IntArray, LabelArray
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.synthetic.abundances import make_abundances, make_conditions
from napari_ims_tumor.msi.synthetic.chemistry import make_chemistry
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset
from napari_ims_tumor.msi.synthetic.recipe import SlideRecipe
from napari_ims_tumor.msi.synthetic.spectra import Scene, measure
from napari_ims_tumor.msi.synthetic.tissue import Tissue, make_tissue


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedSlide:
    """A slide of which everything is known.

    Attributes
    ----------
    name
        Of the slide.
    dataset
        The spectra.
    labels
        uint8 image of the slide: 0 no tissue, 1 healthy, 2 tumor.
    patients
        int64 image: number of the patient, unique in the cohort, from 1; 0 where no tissue is.
    truth
        Plain facts for a JSON file: the recipe and every planted molecule.
    """

    name: str
    dataset: InMemoryDataset
    labels: LabelArray
    patients: IntArray
    truth: Mapping[str, Any]


def simulate_slide(
    recipe: SlideRecipe | None = None, number: int = 0, name: str | None = None
) -> SimulatedSlide:
    """Simulate a slide.

    Parameters
    ----------
    recipe
        What it shall be like; the same recipe and number give the same slide, bit for bit.
    number
        Which slide of the cohort: other patients and another batch, the same chemistry.
    name
        By default ``"simulated_1"`` for number 0, and so on.
    """
    recipe = recipe or SlideRecipe()
    rng = np.random.default_rng([recipe.seed, 2, number])
    chemistry = make_chemistry(recipe)
    tissue = make_tissue(recipe, rng)
    name = name or f"simulated_{number + 1}"
    abundances = make_abundances(chemistry, tissue, recipe, rng)
    pixels = _grid(tissue, recipe)
    scene = Scene(recipe, chemistry, abundances, make_conditions(tissue, rng), pixels, name)
    truth = {"recipe": asdict(recipe), "slide": number, "molecules": chemistry.as_truth()}
    on_tissue = tissue.tissue & tissue.measured
    labels = np.where(tissue.tumor > 0.5, 2, 1) * on_tissue
    patients = (number * recipe.patients + tissue.piece + 1) * on_tissue
    return SimulatedSlide(
        name=name,
        dataset=measure(scene, rng),
        labels=_boxed(labels, pixels).astype(np.uint8),
        patients=_boxed(patients, pixels).astype(np.int64),
        truth=truth,
    )


def simulate_cohort(recipe: SlideRecipe, slides: int) -> Iterator[SimulatedSlide]:
    """Simulate slides one after another: patients and batches differ, molecules do not."""
    for number in range(slides):
        yield simulate_slide(recipe, number)


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
