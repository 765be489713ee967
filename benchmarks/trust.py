"""Which spectra are called unfamiliar, and how calibrated answers are, on groups never seen.

    python benchmarks/trust.py                 simulated arrays: glass, other organs, other batches
    python benchmarks/trust.py FOLDER          X.imzML, X_labels.npy, X_cores.npy: cores left out

Prints tables; nothing here is tuned to a data set. Calibrations are compared inside the folds: each
is fitted on groups held out of the training side, and judged on groups that neither has seen.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize

from napari_ims_tumor.annotation.split import Fold, grouped_folds
from napari_ims_tumor.cohort.gathering import gather
from napari_ims_tumor.cohort.table import CohortSlide
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.model.calibration import fit_temperature, softmax
from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.fitting import fit
from napari_ims_tumor.model.judging import unfamiliarity_of
from napari_ims_tumor.model.samples import LabelledSpectra
from napari_ims_tumor.model.scores import expected_calibration_error
from napari_ims_tumor.msi.mass_axis import MassAxis
from napari_ims_tumor.msi.synthetic.recipe import make_recipe
from napari_ims_tumor.msi.synthetic.slide import SimulatedSlide, simulate_slide

Rescale = Callable[[np.ndarray], np.ndarray]


def linear(spectra: LabelledSpectra) -> FittedModel:
    return run_inline(fit(spectra, FitConfig("linear", device="cpu")))


def logits_of(model: FittedModel, values: np.ndarray) -> np.ndarray:
    return model.linear.logits(model.normalization.apply(model.normalization.roots(values))).astype(
        float
    )


# ---- calibrations: held-out logits, classes, groups → logits to probabilities --------------------


def nothing(_logits: np.ndarray, _classes: np.ndarray, _groups: np.ndarray) -> Rescale:
    return softmax


def temperature(logits: np.ndarray, classes: np.ndarray, groups: np.ndarray) -> Rescale:
    found = fit_temperature(logits, classes, groups) or 1.0
    return lambda z: softmax(z / found)


def vector(logits: np.ndarray, classes: np.ndarray, groups: np.ndarray) -> Rescale:
    """One scale and one shift per class, drawn to those of a temperature (ridge)."""
    start = fit_temperature(logits, classes, groups) or 1.0
    k = logits.shape[1]
    weights = 1.0 / np.bincount(classes)[classes] / np.unique(classes).size
    first = np.concatenate([np.full(k, 1 / start), np.zeros(k)])

    def loss(x: np.ndarray) -> float:
        p = softmax(logits * x[:k] + x[k:])[np.arange(len(classes)), classes]
        pull = 0.01 * float(((x - first) ** 2).sum())
        return float(-(weights * np.log(np.maximum(p, 1e-12))).sum()) + pull

    x = minimize(loss, first, method="Nelder-Mead", options={"maxiter": 400}).x
    return lambda z: softmax(z * x[:k] + x[k:])


CALIBRATIONS = {"none": nothing, "temperature": temperature, "vector, shrunk": vector}


# ---- real data ----------------------------------------------------------------------------------


def read(folder: Path) -> LabelledSpectra:
    (slide,) = folder.glob("*.imzML")
    names = (folder / f"{slide.stem}_{what}.npy" for what in ("labels", "cores"))
    return run_inline(gather((CohortSlide(slide, *names),))).spectra


def divisions(spectra: LabelledSpectra, assignments: int) -> Iterator[tuple[Fold, ...]]:
    yield grouped_folds(spectra.classes, spectra.groups).folds
    names = np.unique(spectra.groups)
    for seed in range(assignments):
        order = np.random.default_rng(seed).permutation(names)
        held = [np.isin(spectra.groups, order[k::5]) for k in range(5)]
        yield tuple(Fold(np.flatnonzero(~h), np.flatnonzero(h)) for h in held)


def inner_logits(part: LabelledSpectra) -> np.ndarray:
    found = np.zeros((len(part), len(part.class_names)))
    for fold in grouped_folds(part.classes, part.groups).folds:
        model = linear(part.take(fold.training))
        found[fold.held_out] = logits_of(model, part.values[fold.held_out])
    return found


def calibrations(spectra: LabelledSpectra, assignments: int) -> None:
    print(f"{'calibration':16} ECE over {assignments + 1} divisions: mean, worst; unseen groups")
    found: dict[str, list[float]] = {name: [] for name in CALIBRATIONS}
    for folds in divisions(spectra, assignments):
        said = {name: np.zeros((len(spectra), 2), np.float32) for name in CALIBRATIONS}
        for fold in folds:
            part = spectra.take(fold.training)
            inner, model = inner_logits(part), linear(part)
            outer = logits_of(model, spectra.values[fold.held_out])
            for name, make in CALIBRATIONS.items():
                said[name][fold.held_out] = make(inner, part.classes, part.groups)(outer)
        for name, p in said.items():
            found[name].append(expected_calibration_error(p, spectra.classes) or 0.0)
    for name, errors in found.items():
        print(f"{name:16} {np.mean(errors):.4f}  {np.max(errors):.4f}")


def cores_left_out(spectra: LabelledSpectra) -> None:
    rng = np.random.default_rng(0)
    order = rng.permutation(len(spectra.axis))
    alarms, found = [], []
    for group in np.unique(spectra.groups):
        new = spectra.groups == group
        model = linear(spectra.take(np.flatnonzero(~new)))
        alarms.append(float((unfamiliarity_of(model, spectra.values[new]) > 1).mean()))
        shuffled = spectra.values[new][:, order]
        found.append(float((unfamiliarity_of(model, shuffled) > 1).mean()))
    print(f"{len(alarms)} groups, each left out: unfamiliar {np.mean(alarms):.3f} on average, ")
    print(f"  worst {max(alarms):.3f}; with the m/z shuffled {np.mean(found):.3f}")


# ---- simulated arrays ---------------------------------------------------------------------------


def parts(slide: SimulatedSlide) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    where = (slide.dataset.pixels.rows, slide.dataset.pixels.columns)
    values = np.asarray(slide.dataset.content.intensity)
    return values, slide.labels[where].astype(int), slide.patients[where].astype(int)


def simulated(seeds: range, channels: int) -> None:
    size: dict[str, Any] = {"rows": 48, "columns": 72, "channels": channels, "patients": 8}
    rng = np.random.default_rng(0)
    rows = []
    for seed in seeds:
        slide = simulate_slide(make_recipe(**size, seed=seed))
        values, labels, patients = parts(slide)
        known = (labels > 0) & (patients > 0)
        axis = MassAxis(slide.dataset.content.mz)
        model = linear(
            LabelledSpectra(
                values[known], labels[known] - 1, patients[known], axis, group_kind="group"
            )
        )
        sets = {"glass": values[patients == 0], "noise": rng.poisson(5, (200, channels))}
        for name, number, batch in (("new patients", 1, 0), ("batch 2", 2, 1), ("batch 3", 3, 2)):
            other = parts(simulate_slide(make_recipe(**size, seed=seed), number, batch))
            sets[name] = other[0][other[2] > 0]
        organ = parts(simulate_slide(make_recipe(**size, seed=seed + 1000)))
        sets["other organ"] = organ[0][organ[2] > 0]
        rows.append({n: float((unfamiliarity_of(model, v) > 1).mean()) for n, v in sets.items()})
    print(f"share called unfamiliar, seeds {seeds[0]} to {seeds[-1]}, {channels} channels:")
    print("               mean, least, most")
    for name in rows[0]:
        shares = [row[name] for row in rows]
        print(f"{name:14} {np.mean(shares):.3f}  {min(shares):.3f}  {max(shares):.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--assignments", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=100, help="the rule was made on 0 to 7")
    parser.add_argument("--channels", type=int, default=400)
    given = parser.parse_args()
    if given.folder is None:
        simulated(range(given.first_seed, given.first_seed + given.seeds), given.channels)
        return
    spectra = read(given.folder)
    cores_left_out(spectra)
    calibrations(spectra, given.assignments)


if __name__ == "__main__":
    main()
