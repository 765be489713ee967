"""Where labels are suspected to be wrong, and what leaving out those that seem so gives.

    python benchmarks/doubt.py                     simulated cohorts
    python benchmarks/doubt.py FOLDER --seeds 3    also X.imzML, X_labels.npy, X_cores.npy

Thirds of the groups are held out (of a real array five folds, scored by its labels); simulated
cohorts are scored by the labels without the noise.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from classifying import cohorts
from classifying.cohorts import Cohort, load, simulated
from classifying.problems import Problem, assignments, every_third
from classifying.tables import number, table
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.model.fitting import fit
from napari_ims_tumor.model.linear_phase import LEFT_OUT
from napari_ims_tumor.model.predicting import predict_matrix
from napari_ims_tumor.model.scores import balanced_accuracy

NOISY = "label noise"
SHARES = (0.0, 0.05, 0.1, 0.2, 0.3)
CLEAN = ("additive", "ragged borders", "infiltration", "no signal")
WEAK = (0.12, 0.2)
"""Strengths of a signal at which classes overlap; elsewhere it is 0.4."""


def questions(seeds: int, source: Path | None) -> Iterator[tuple[str, Cohort, list[Problem]]]:
    """Name, cohort, and its divided groups."""
    if source is not None:
        real = load(source)
        yield real.name, real, list(assignments(real, 5))
    for seed in range(seeds):
        for name in CLEAN:
            cohort = simulated(name, seed)
            yield cohort.name, cohort, list(every_third(cohort))
        for strength, share in (*((s, 0.0) for s in WEAK), *((0.4, e) for e in SHARES)):
            cohorts.SIMULATED[NOISY] |= {"label_noise": share, "strength": strength}
            cohort = simulated(NOISY, seed)
            name = f"strength {strength:g}, {share:.0%} wrong, seed {seed}"
            yield name, cohort, list(every_third(cohort))


def row(name: str, cohort: Cohort, problems: list[Problem]) -> list[str]:
    """Accuracy with every label and without those that seem wrong, and how many these are."""
    found: dict[bool, list[np.ndarray]] = {False: [], True: []}
    left_out, wrong, n, told = 0, 0, 0, 0
    for problem in problems:
        spectra = problem.spectra
        for doubt, answers in found.items():
            config = FitConfig("linear", device="cpu", doubt_labels=doubt)
            model = run_inline(fit(spectra, config))
            values = cohort.spectra.take(problem.held_out).values
            answers.append(predict_matrix(model, values, "cpu"))
            left_out += int(str(model.card.get(LEFT_OUT, 0)))
            told += LEFT_OUT in model.card
        n += len(spectra)
        wrong += int((spectra.classes != cohort.truth[problem.training]).sum())
    truth = cohort.truth[np.concatenate([problem.held_out for problem in problems])]
    with_all, without = (
        balanced_accuracy(np.log(np.maximum(np.concatenate(found[t]), 1e-30)), truth) or np.nan
        for t in (False, True)
    )
    return [name, f"{wrong / n:.1%}", f"{told} of {len(problems)}", f"{left_out / n:.1%}",
            number(with_all), number(without), f"{without - with_all:+.4f}"]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", type=Path, nargs="?", help="a folder with one array")
    parser.add_argument("--seeds", type=int, default=3, help="cohorts of each kind")
    given = parser.parse_args()
    rows = []
    for name, cohort, problems in questions(given.seeds, given.source):
        rows.append(row(name, cohort, problems))
        print(rows[-1], flush=True)
    head = ["cohort", "labels wrong", "fits that suspected", "labels left out", "every label",
            "without", "difference"]  # fmt: skip
    print("\n" + table(head, rows))


if __name__ == "__main__":
    main()
