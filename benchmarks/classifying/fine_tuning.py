"""A base from other groups, fine-tuned with few pixels, beside the same pixels from scratch."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from classifying.cohorts import Cohort
from classifying.problems import strokes
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.model.config import FitConfig, Network
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.fitting import fit
from napari_ims_tumor.model.predicting import predict_matrix
from napari_ims_tumor.model.samples import LabelledSpectra
from napari_ims_tumor.model.scores import balanced_accuracy


def fine_tuning(
    cohort: Cohort, network: Network, draws: int, pixels: int = 60
) -> list[dict[str, float]]:
    """A base on three quarters of the groups, then few pixels of other groups."""
    draw, rows = np.random.default_rng(0), []
    config = FitConfig(network=network, device="cpu")
    print(f"{network}: balanced accuracy on groups without a stroke (seconds of the fit)")
    for number in range(draws):
        base_rows, painted, scored = _drawn(cohort, pixels, draw)
        base = run_inline(fit(cohort.spectra.take(base_rows), config))
        few = replace(cohort.spectra.take(painted), group_kind="region")
        found: dict[str, float] = {}
        for name, start in (("fine-tuned", base), ("from scratch", None)):
            begun = time.monotonic()
            model = run_inline(fit(few, config, start))
            found[name + " seconds"] = time.monotonic() - begun
            found[name] = _score(model, cohort.spectra.take(scored))
        found["base"] = _score(base, cohort.spectra.take(scored))
        rows.append(found)
        print(f"  draw {number}: " + _told(found), flush=True)
    means = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
    print("  mean:   " + _told(means))
    return rows


def _told(found: dict[str, float]) -> str:
    return ", ".join(f"{key} {value:.3f}" for key, value in found.items())


def _drawn(
    cohort: Cohort, pixels: int, draw: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(base, painted, scored) indices: 15 groups, strokes in some of the others, the rest."""
    spectra = cohort.spectra
    names = np.unique(spectra.groups)
    while True:
        order = draw.permutation(names)
        rest = order[len(names) * 3 // 4 :]
        painted_groups = rest[: (len(rest) + 1) // 2]
        painted = strokes(cohort, painted_groups, pixels, draw, one_class=False)
        scored = np.flatnonzero(np.isin(spectra.groups, rest[len(painted_groups) :]))
        both = [np.bincount(spectra.classes[i], minlength=2).min() >= 5 for i in (painted, scored)]
        if all(both):
            return np.flatnonzero(~np.isin(spectra.groups, rest)), painted, scored


def _score(model: FittedModel, spectra: LabelledSpectra) -> float:
    found = balanced_accuracy(predict_matrix(model, spectra.values, "cpu"), spectra.classes)
    return float("nan") if found is None else found
