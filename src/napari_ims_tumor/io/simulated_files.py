"""Simulated slides as files: imzML, labels, patients and truth, with a cohort table."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_ims_tumor.atomic import atomic_write
from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.io.imzml_writer import write_imzml
from napari_ims_tumor.msi.synthetic.recipe import SlideRecipe
from napari_ims_tumor.msi.synthetic.slide import SimulatedSlide, simulate_cohort

COHORT_FILE = "cohort.csv"


@dataclass(frozen=True, slots=True)
class SimulatedFiles:
    """Where the parts of one simulated slide lie.

    Attributes
    ----------
    imzml
        The slide; its .ibd lies beside it.
    labels
        .npy: 0 no tissue, 1 healthy, 2 tumor, in the shape of the bounding box.
    patients
        .npy: number of the patient per pixel.
    truth
        .json: the recipe and every planted molecule.
    cohort
        The .csv that lists the slide (with its siblings).
    """

    imzml: Path
    labels: Path
    patients: Path
    truth: Path
    cohort: Path


def write_simulated(
    folder: str | os.PathLike[str], slide: SimulatedSlide, name: str | None = None
) -> SimulatedFiles:
    """Write one slide, and a cohort table that lists it alone."""
    place = _made(folder)
    files = _write_slide(place, slide, name or slide.name)
    _write_table(files.cohort, [files])
    return files


def write_cohort(
    folder: str | os.PathLike[str], recipe: SlideRecipe, slides: int = 1
) -> list[SimulatedFiles]:
    """Simulate slides and write them with one cohort table.

    Parameters
    ----------
    folder
        Made where it does not exist.
    recipe
        What the slides shall be like.
    slides
        How many; they share molecules, not patients.

    Returns
    -------
    list of SimulatedFiles
        One per slide; one slide is in memory at a time.
    """
    if slides < 1:
        raise ImsTumorError(f"{slides} slides: simulate at least 1")
    place = _made(folder)
    written = [_write_slide(place, s, s.name) for s in simulate_cohort(recipe, slides)]
    _write_table(place / COHORT_FILE, written)
    return written


def _made(folder: str | os.PathLike[str]) -> Path:
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImsTumorError(f"the folder {place} cannot be made: {error.strerror}") from error
    return place


def _write_slide(folder: Path, slide: SimulatedSlide, name: str) -> SimulatedFiles:
    files = SimulatedFiles(
        imzml=folder / f"{name}.imzML",
        labels=folder / f"{name}_labels.npy",
        patients=folder / f"{name}_patients.npy",
        truth=folder / f"{name}_truth.json",
        cohort=folder / COHORT_FILE,
    )
    write_imzml(files.imzml, slide.dataset)
    with atomic_write(files.labels) as temporary:
        np.save(temporary, slide.labels)
    with atomic_write(files.patients) as temporary:
        np.save(temporary, slide.patients)
    with atomic_write(files.truth) as temporary:
        text = json.dumps(dict(slide.truth), indent=1, sort_keys=True)
        temporary.write_text(text + "\n", encoding="utf-8")
    return files


def _write_table(path: Path, slides: Iterable[SimulatedFiles]) -> None:
    """List the slides with paths relative to the table."""
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["slide", "labels", "groups"])
        for s in slides:
            table.writerow([s.imzml.name, s.labels.name, s.patients.name])
