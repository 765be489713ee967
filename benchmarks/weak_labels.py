"""What whole regions teach when labelled roughly, beside certain labels and the truth.

    python benchmarks/weak_labels.py                      cores of 30 to 65 % tumor, linear
    python benchmarks/weak_labels.py --network default --seeds 2
    python benchmarks/weak_labels.py FOLDER               X.imzML, X_labels.npy, X_cores.npy

Two simulated slides of twelve cores each are fitted on, a third with other patients is judged
pixel by pixel against the truth. Half of the cores are said to be healthy (drawn around their
tumor), half to be tumor: as a whole (``core``), drawn so that most of the healthy tissue is left
out (``mostly``), or drawn exactly (``pure``). Of an array in a folder every core is said to be what
it holds: tumor, if there is any; five folds of whole cores are judged pixel by pixel.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.annotation.regions import tissue_regions
from napari_ims_tumor.annotation.split import grouped_folds
from napari_ims_tumor.annotation.whole_regions import class_values, said_roughly
from napari_ims_tumor.cohort.fitting import fit_cohort
from napari_ims_tumor.cohort.gathering import gather
from napari_ims_tumor.cohort.table import CohortSlide
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.model.config import NETWORKS, FitConfig
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.fitting import fit
from napari_ims_tumor.model.predicting import predict_matrix
from napari_ims_tumor.model.scores import balanced_accuracy
from napari_ims_tumor.msi.arrays import LabelArray
from napari_ims_tumor.msi.binning import bin_spectra
from napari_ims_tumor.msi.synthetic.recipe import make_recipe
from napari_ims_tumor.msi.synthetic.slide import SimulatedSlide, simulate_slide

SCENES: Final = ("core", "mostly", "pure")
COHORTS: Final[dict[str, dict[str, float]]] = {
    "alike": {"patient_effect": 0.05, "batch_effect": 0.3, "clarity": 0.2},
    "usual": {},
}
"""How much patients and slides differ: little, or as the simulator does without being asked."""
LEFT_OUT: Final = 0.7
"""Share of a core's healthy pixels that ``mostly`` leaves out."""

WAYS: Final[dict[str, Callable[[LabelArray, SimulatedSlide], LabelArray]]] = {
    "certain": lambda image, _: class_values(image),
    "rough": lambda image, _: said_roughly(image),
    "truth": lambda image, slide: np.where(image > 0, slide.labels, 0).astype(np.uint8),
}
"""What becomes of the regions: labels of every pixel, rough labels, what the pixels are."""


def main() -> None:
    """Print one row per kind of cohort and scene, and write all of it as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--network", choices=NETWORKS, default="linear")
    parser.add_argument("--channels", type=int, default=1200)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("folder", type=Path, nargs="?", help="an array with labels of every pixel")
    given = parser.parse_args()
    if given.folder is not None:
        of_array(given)
        return
    rows, seeds = [], range(given.first, given.first + given.seeds)
    print(
        "| patients | tumor regions | as certain | roughly | truth | worst and best of the seeds |"
    )
    print("|---|---|---:|---:|---:|---|")
    for kind, options in COHORTS.items():
        for scene in SCENES:
            found = [one(given, seed, scene, options) for seed in seeds]
            rows.append({"patients": kind, "regions": scene, "seeds": found})
            print(_line(kind, scene, found), flush=True)
    if given.output:
        given.output.write_text(json.dumps(rows, indent=1) + "\n")


def of_array(given: argparse.Namespace) -> None:
    """Say of every core what it holds, and judge pixels of cores that were held out."""
    slide = next(given.folder.glob("*.imzML"))
    labels, cores = (slide.with_name(f"{slide.stem}_{what}.npy") for what in ("labels", "cores"))
    spectra = run_inline(gather((CohortSlide(slide, labels, cores),))).spectra
    holds = np.array([spectra.classes[spectra.groups == g].max() for g in spectra.groups])
    told = replace(spectra, classes=holds)
    folds = grouped_folds(holds, spectra.groups, 5).folds
    config = FitConfig(network=given.network, device="cpu")
    ways = {"as certain": told, "roughly": replace(told, regions=spectra.groups), "truth": spectra}
    print("| labels | balanced accuracy |")
    print("|---|---:|")
    for name, taught in ways.items():
        answers = np.zeros((len(spectra), 2), np.float32)
        for fold in folds:
            model = run_inline(fit(taught.take(fold.training), config))
            answers[fold.held_out] = predict_matrix(model, spectra.values[fold.held_out])
        print(f"| {name} | {balanced_accuracy(answers, spectra.classes):.3f} |", flush=True)


def one(
    given: argparse.Namespace, seed: int, scene: str, options: dict[str, float]
) -> dict[str, float | None]:
    """Fit the same regions in three ways, and judge each on new patients."""
    size = {"rows": 60, "columns": 80, "channels": given.channels, "infiltration": 0.6}
    recipe = make_recipe(**size, seed=seed, **options)
    first, second, test = (simulate_slide(recipe, number) for number in range(3))
    told = [_told(slide, seed, number, scene) for number, slide in enumerate((first, second))]
    found: dict[str, float | None] = {}
    config = FitConfig(network=given.network, device="cpu", seed=seed)
    for name, way in WAYS.items():
        rows = tuple(
            CohortSlide(slide.dataset, Annotation(way(image, slide)), slide.patients)
            for slide, image in zip((first, second), told, strict=True)
        )
        model = run_inline(fit_cohort(rows, config))
        found[name] = _score(model, test)
        if name == "rough":
            share = model.card.get("share of tumor regions taken as tumor")
            found["taken"] = float(share) if isinstance(share, float) else None
    return found


def _told(slide: SimulatedSlide, seed: int, number: int, scene: str) -> LabelArray:
    """What is said of the cores: 1 or 2 for all pixels of a region, 0 elsewhere."""
    draw = np.random.default_rng((seed, number))
    pieces = tissue_regions(slide.dataset.pixels.measured)
    image = np.zeros(pieces.shape, np.uint8)
    for turn, piece in enumerate(draw.permutation(int(pieces.max())) + 1):
        tissue = (pieces == piece) & (slide.labels > 0)
        healthy = tissue & (slide.labels == 1)
        if turn % 2:
            image[healthy] = 1
            continue
        image[tissue] = 2
        left_out = {"core": 0.0, "mostly": LEFT_OUT, "pure": 1.0}[scene]
        image[healthy & (draw.random(image.shape) < left_out)] = 0
    return image


def _score(model: FittedModel, test: SimulatedSlide) -> float:
    pixels = test.dataset.pixels
    truth = pixels.as_vector(test.labels)
    rows = np.flatnonzero(truth > 0)
    values: Any = np.zeros((rows.size, len(model.axis)), np.float32)
    run_inline(bin_spectra(test.dataset, model.axis, rows, values))
    score = balanced_accuracy(predict_matrix(model, values), truth[rows].astype(np.int64) - 1)
    assert score is not None
    return score


def _line(kind: str, scene: str, found: list[dict[str, float | None]]) -> str:
    mean = {k: np.mean([one[k] or 0.0 for one in found]) for k in ("certain", "rough", "truth")}
    gains = [(one["rough"] or 0.0) - (one["certain"] or 0.0) for one in found]
    numbers = " | ".join(f"{mean[k]:.3f}" for k in mean)
    return f"| {kind} | {scene} | {numbers} | {min(gains):+.3f} to {max(gains):+.3f} |"


if __name__ == "__main__":
    main()
