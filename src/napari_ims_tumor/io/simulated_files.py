"""Simulated slides as files: imzML, labels, patients and truth, with a cohort table."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_ims_tumor.atomic import atomic_write
from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.io.image_file import write_planes
from napari_ims_tumor.io.imzml_writer import write_imzml_job
from napari_ims_tumor.job import Job, JobStopped, Progress, run_inline
from napari_ims_tumor.msi.synthetic.recipe import SlideRecipe
from napari_ims_tumor.msi.synthetic.slide import (
    TRUTH_PLANES,
    CohortPlan,
    SlidePlan,
    plan_slide,
)

COHORT_FILE = "cohort.csv"


@dataclass(frozen=True, slots=True)
class SimulatedFiles:
    """Where the parts of one simulated slide lie.

    Attributes
    ----------
    imzml
        The slide; its .ibd lies beside it.
    labels
        .npy: 0 unlabelled, 1 healthy, 2 tumor, in the shape of the bounding box.
    patients
        .npy: number of the patient per pixel.
    truth
        .json: the recipe, the batch and every planted molecule.
    truth_images
        .ome.tif: shares of tumor, necrosis and compartments, labels without noise, hot spots.
    cohort
        The .csv that lists the slide (with its siblings).
    batch
        Number of the batch it was measured in, from 1.
    """

    imzml: Path
    labels: Path
    patients: Path
    truth: Path
    truth_images: Path
    cohort: Path
    batch: int = 1


def write_slide(
    folder: str | os.PathLike[str], plan: SlidePlan, name: str | None = None
) -> SimulatedFiles:
    """Write one slide, and a cohort table that lists it alone."""
    place = _made(folder)
    _refuse_foreign_table(place / COHORT_FILE)
    files = run_inline(_write_slide(place, plan, name or plan.name))
    _write_table(files.cohort, [files])
    return files


def write_cohort(
    folder: str | os.PathLike[str], recipe: SlideRecipe, slides: int = 1, batches: int = 1
) -> list[SimulatedFiles]:
    """Simulate slides and write them with one cohort table; see :func:`write_cohort_job`."""
    return run_inline(write_cohort_job(folder, CohortPlan(recipe, slides, batches)))


def write_cohort_job(
    folder: str | os.PathLike[str], plan: CohortPlan
) -> Job[Progress, list[SimulatedFiles]]:
    """Simulate slides and write them with one cohort table.

    Parameters
    ----------
    folder
        Made where it does not exist.
    plan
        Which slides.

    Yields
    ------
    Progress
        Spectra of the slide at work. Stopped, it keeps the slides that are whole.

    Returns
    -------
    list of SimulatedFiles
        One per slide; no slide is ever whole in memory.
    """
    place = _made(folder)
    _refuse_foreign_table(place / COHORT_FILE)
    written: list[SimulatedFiles] = []
    for number in range(plan.slides):
        slide = plan_slide(plan.recipe, number, plan.batch_of(number))
        phase = f"Simulating slide {number + 1} of {plan.slides}"
        try:
            written.append((yield from _write_slide(place, slide, slide.name, phase)))
        except JobStopped:
            if not written:
                raise
            break
    _write_table(place / COHORT_FILE, written)
    return written


def _made(folder: str | os.PathLike[str]) -> Path:
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImsTumorError(f"the folder {place} cannot be made: {error.strerror}") from error
    return place


def _refuse_foreign_table(path: Path) -> None:
    """A table of simulated slides may be replaced, but none that somebody wrote by hand."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            names = [Path(row["slide"]).stem for row in csv.DictReader(file)]
        ours = bool(names) and all(path.with_name(f"{n}_truth.json").exists() for n in names)
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        ours = False
    if not ours:
        raise ImsTumorError(
            f"{path} lists slides that were not simulated and would be replaced: simulate into "
            "another folder"
        )


def _write_slide(
    folder: Path, slide: SlidePlan, name: str, phase: str = "Simulating"
) -> Job[Progress, SimulatedFiles]:
    files = SimulatedFiles(
        imzml=folder / f"{name}.imzML",
        labels=folder / f"{name}_labels.npy",
        patients=folder / f"{name}_patients.npy",
        truth=folder / f"{name}_truth.json",
        truth_images=folder / f"{name}_truth.ome.tif",
        cohort=folder / COHORT_FILE,
        batch=int(slide.truth["batch"]["number"]) + 1,
    )
    text = json.dumps(dict(slide.truth), indent=1, sort_keys=True)
    yield from write_imzml_job(files.imzml, slide.source, identity=_identity(text), phase=phase)
    with atomic_write(files.labels) as temporary:
        np.save(temporary, slide.labels)
    with atomic_write(files.patients) as temporary:
        np.save(temporary, slide.patients)
    with atomic_write(files.truth) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    about = {"slide": name}
    write_planes(
        files.truth_images, slide.truth_planes, TRUTH_PLANES, slide.source.pixels, about
    )  # fmt: skip
    return files


def _identity(truth: str) -> uuid.UUID:
    """Name a slide by the truth it follows from: then its spectra need not be made twice."""
    return uuid.UUID(bytes=hashlib.sha256(truth.encode()).digest()[:16], version=4)


def _write_table(path: Path, slides: Iterable[SimulatedFiles]) -> None:
    """List the slides with paths relative to the table."""
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["slide", "labels", "groups", "batch"])
        for s in slides:
            table.writerow([s.imzml.name, s.labels.name, s.patients.name, s.batch])
