"""What PLS-DA brings to the linear answer: with it where held-out groups ask for it, and without.

    python benchmarks/linear_choice.py                              four recipes, two seeds: 5 min
    python benchmarks/linear_choice.py --cohorts "label noise,ragged borders" --seeds 3

Each third of the patients of a simulated cohort is held out once.
"""

from __future__ import annotations

import argparse

import numpy as np

from classifying.cohorts import SIMULATED, Cohort, simulated
from napari_ims_tumor.annotation.split import grouped_folds
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.model import linear_choice
from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.model.fitting import fit
from napari_ims_tumor.model.predicting import predict_matrix
from napari_ims_tumor.model.scores import balanced_accuracy

WITHOUT = 1 << 30
"""More groups than there are: regression answers alone."""
USUAL = "label noise,infiltration,mass drift,additive"


def main() -> None:
    """Print a row per cohort."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cohorts", default=USUAL)
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    names = options.cohorts.split(",")
    unknown = [name for name in names if name not in SIMULATED]
    if unknown:
        parser.error(f"no cohort is called {unknown[0]}: use {', '.join(SIMULATED)}")
    print("| cohort | regression alone | as it answers | difference | thirds with PLS-DA |")
    print("|---|---:|---:|---:|---:|")
    for name in names:
        for seed in range(options.seeds):
            print(row(simulated(name, seed)), flush=True)


def row(cohort: Cohort) -> str:
    """Balanced accuracy of both, and in how many thirds PLS-DA took part."""
    usual = linear_choice.LEAST_GROUPS
    scores = []
    for least in (WITHOUT, usual):
        # A constant of the product: nobody but this table asks for another one.
        linear_choice.LEAST_GROUPS = least  # type: ignore[misc]
        score, n_joined = answered(cohort)
        scores.append(score)
    without, chosen = scores
    difference = f"{chosen - without:+.4f}"
    return f"| {cohort.name} | {without:.4f} | {chosen:.4f} | {difference} | {n_joined} |"


def answered(cohort: Cohort) -> tuple[float, int]:
    """Balanced accuracy of the pooled thirds, and how many of the models held PLS-DA."""
    spectra = cohort.spectra
    said, truth, n_joined = [], [], 0
    for fold in grouped_folds(spectra.classes, spectra.groups, 3).folds:
        model = run_inline(fit(spectra.take(fold.training), FitConfig("linear", device="cpu")))
        said.append(predict_matrix(model, spectra.values[fold.held_out], "cpu"))
        truth.append(cohort.truth[fold.held_out])
        n_joined += "linear model" in model.card
    score = balanced_accuracy(np.concatenate(said), np.concatenate(truth))
    assert score is not None
    return score, n_joined


if __name__ == "__main__":
    main()
