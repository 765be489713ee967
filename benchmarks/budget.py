"""What a time limit costs: balanced accuracy on patients never seen, by what a fit may take.

    python benchmarks/budget.py                                    10,000 spectra of 12,000 bins
    python benchmarks/budget.py --spectra 1500 --bins 3000 --limits 5 10 20        in minutes
    python benchmarks/budget.py --signal distant-gate --seeds 3

Simulated arrays; the spectra that are fitted and those that judge are of different patients. Each
row is one fit of ``default`` on labels that are in memory already: reading a slide is not in it.
The last column is what the model's card says of its limit. Prints a table.
"""

from __future__ import annotations

import argparse
import os
import platform
import time

import numpy as np

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.cohort.gathering import gather
from napari_ims_tumor.cohort.table import CohortSlide
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.model.config import FitConfig, Network
from napari_ims_tumor.model.fitting import fit
from napari_ims_tumor.model.predicting import predict_matrix
from napari_ims_tumor.model.samples import LabelledSpectra
from napari_ims_tumor.model.scores import balanced_accuracy
from napari_ims_tumor.msi.synthetic.recipe import SIGNAL_KINDS, make_recipe
from napari_ims_tumor.msi.synthetic.slide import simulate_cohort

MOST_JUDGES = 4000
SIDE = 1.4
"""Columns per row of a simulated slide."""


def spectra_for(given: argparse.Namespace, seed: int) -> tuple[LabelledSpectra, LabelledSpectra]:
    """Labelled spectra to fit, and those of other patients to judge by."""
    # About two of three pixels of an array are tissue, nearly all of that is labelled.
    rows = int(np.sqrt(given.spectra / SIDE)) + 1
    options = {"rows": rows, "columns": int(SIDE * rows) + 1, "channels": given.bins}
    recipe = make_recipe(**options, seed=seed, signal=given.signal, strength=given.strength)
    made = simulate_cohort(recipe, 3, 1)
    slides = tuple(CohortSlide(s.dataset, Annotation(s.labels), s.patients) for s in made)
    gathered = run_inline(gather(slides))
    own = np.flatnonzero(gathered.slide < 2)
    others = np.flatnonzero(gathered.slide == 2)
    return _some(gathered.spectra, own, given.spectra), _some(gathered.spectra, others, MOST_JUDGES)


def _some(spectra: LabelledSpectra, rows: np.ndarray, most: int) -> LabelledSpectra:
    step = np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(np.int64)
    return spectra.take(rows[step])


def row(
    limit: float | None, network: Network, fitted: LabelledSpectra, judges: LabelledSpectra
) -> str:
    """Fit once; a line of the table."""
    begun = time.monotonic()
    model = run_inline(fit(fitted, FitConfig(network, device="cpu", time_limit_s=limit)))
    took = time.monotonic() - begun
    score = balanced_accuracy(predict_matrix(model, judges.values, "cpu"), judges.classes)
    cells = (
        network, "none" if limit is None else f"{limit:g} s", f"{took:.1f} s", f"{score:.4f}",
        f"{model.blend:g}", str(model.card.get("epochs", "")), str(model.card.get("note", "")),
    )  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--spectra", type=int, default=10_000)
    parser.add_argument("--bins", type=int, default=12_000)
    parser.add_argument("--signal", choices=SIGNAL_KINDS, default="mixed")
    parser.add_argument("--strength", type=float, default=0.4)
    parser.add_argument("--limits", type=float, nargs="+", default=[30.0, 60.0, 120.0])
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args()
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, no GPU used\n")
    for seed in range(given.seeds):
        fitted, judges = spectra_for(given, seed)
        size = f"{len(fitted):,} spectra of {len(fitted.axis):,} bins"
        print(f"seed {seed}: {size}, {len(np.unique(fitted.groups))} patients; ", end="")
        print(f"judged by {len(judges):,} of {len(np.unique(judges.groups))} others\n")
        print("| network | limit | took | balanced accuracy | share of the CNN | epochs | note |")
        print("|---|---|---:|---:|---:|---:|---|")
        print(row(None, "linear", fitted, judges), flush=True)
        for limit in (*given.limits, None):
            print(row(limit, "default", fitted, judges), flush=True)
        print()


if __name__ == "__main__":
    main()
