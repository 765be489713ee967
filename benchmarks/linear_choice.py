"""How surely PLS-DA has to be better before it answers: what each level gives.

    python benchmarks/linear_choice.py                              eight simulated cohorts: 10 min
    python benchmarks/linear_choice.py --cohorts "label noise,additive" --seeds 3

Each third of the patients is held out once. A level of 1 is logistic regression alone, .5 always
takes the smaller held-out loss.
"""

from __future__ import annotations

import argparse
from collections import defaultdict

import numpy as np

from classifying.cohorts import SIMULATED, Cohort, simulated
from napari_ims_tumor.annotation.split import grouped_folds
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.model import linear_choice
from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.model.fitting import fit
from napari_ims_tumor.model.predicting import predict_matrix
from napari_ims_tumor.model.scores import balanced_accuracy

LEVELS = (1.0, 0.975, 0.9, 0.84, 0.5)
NEVER = 1 - 1e-12
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
    print(f"| cohort | {' | '.join(f'{level:g}' for level in LEVELS)} | PLS-DA answered |")
    print("|---" * (len(LEVELS) + 2) + "|")
    for name in names:
        for seed in range(options.seeds):
            print(row(simulated(name, seed)), flush=True)


def row(cohort: Cohort) -> str:
    """Balanced accuracy at each level, and in how many thirds PLS-DA answered."""
    spectra = cohort.spectra
    said: defaultdict[float, list[np.ndarray]] = defaultdict(list)
    truth, answered = [], dict.fromkeys(LEVELS, 0)
    for fold in grouped_folds(spectra.classes, spectra.groups, 3).folds:
        truth.append(cohort.truth[fold.held_out])
        for level in LEVELS:
            # The level is a constant of the product: nobody but this table asks for another one.
            linear_choice.SURE_OF_PLS = min(level, NEVER)  # type: ignore[misc]
            model = run_inline(fit(spectra.take(fold.training), FitConfig("linear", device="cpu")))
            said[level].append(predict_matrix(model, spectra.values[fold.held_out], "cpu"))
            answered[level] += "linear model" in model.card
    scores = [balanced_accuracy(np.concatenate(said[v]), np.concatenate(truth)) for v in LEVELS]
    cells = " | ".join(f"{score:.4f}"[1:] for score in scores if score is not None)
    return f"| {cohort.name} | {cells} | {', '.join(str(n) for n in answered.values())} |"


if __name__ == "__main__":
    main()
