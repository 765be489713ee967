"""Accuracy of the classifier against scikit-learn's, with whole cores or patients held out.

    python benchmarks/classifier.py COHORT.csv                    a cohort table
    python benchmarks/classifier.py FOLDER       X.imzML, X_labels.npy, X_cores.npy
    python benchmarks/classifier.py FOLDER --seeds 3 --assignments 5
    python benchmarks/classifier.py FOLDER --models isotopenet,faithful        slower
    python benchmarks/classifier.py FOLDER --fine-tune     few labels: a base or from scratch

Nothing here is tuned to a data set: every rival keeps its usual settings, and every model sees the
same folds. Prints a table; ``--output`` also writes it as JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from napari_ims_tumor.annotation.split import Fold, grouped_folds
from napari_ims_tumor.cohort.gathering import Gathered, gather
from napari_ims_tumor.cohort.table import CohortSlide, read_cohort
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.model.config import FitConfig, Network
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.fitting import fit
from napari_ims_tumor.model.normalization import root_of_shares
from napari_ims_tumor.model.prediction import predict_matrix
from napari_ims_tumor.model.samples import LabelledSpectra
from napari_ims_tumor.model.scores import auroc, balanced_accuracy, expected_calibration_error

Learner = Callable[[LabelledSpectra, np.ndarray, int], np.ndarray]
"""(training spectra, values to predict, seed) → probabilities."""


def ours(network: Network, epochs: int | None = None) -> Learner:
    def learn(spectra: LabelledSpectra, values: np.ndarray, seed: int) -> np.ndarray:
        config = FitConfig(network, epochs, seed=seed, device="cpu")
        return predict_matrix(run_inline(fit(spectra, config)), values, "cpu")

    return learn


def sklearn_on_roots(make: Callable[[int], object]) -> Learner:
    def learn(spectra: LabelledSpectra, values: np.ndarray, seed: int) -> np.ndarray:
        model = make_pipeline(StandardScaler(), make(seed))
        model.fit(root_of_shares(spectra.values), spectra.classes)
        return np.asarray(model.predict_proba(root_of_shares(values)))

    return learn


def lda_on_components(_seed: int) -> object:
    return make_pipeline(PCA(50, random_state=0), LinearDiscriminantAnalysis())


LEARNERS: dict[str, tuple[Learner, bool]] = {
    # name → (learner, whether its seed matters)
    "linear": (ours("linear"), False),
    "default": (ours("default"), True),
    "isotopenet": (ours("isotopenet"), True),
    "isotopenet x4": (ours("isotopenet", 400), True),
    "faithful": (ours("faithful"), True),
    "logistic regression": (
        sklearn_on_roots(lambda _: LogisticRegression(max_iter=2000, class_weight="balanced")),
        False,
    ),
    "LDA on 50 components": (sklearn_on_roots(lda_on_components), False),
    "random forest": (
        sklearn_on_roots(
            lambda seed: RandomForestClassifier(
                300, class_weight="balanced", random_state=seed, n_jobs=2
            )
        ),
        True,
    ),
}

QUICK = [name for name in LEARNERS if not name.startswith(("isotopenet", "faithful"))]


@dataclass
class Row:
    model: str
    split: str
    seed: int
    balanced_accuracy: float | None
    auroc: float | None
    ece: float | None
    seconds: float


def load(source: Path) -> Gathered:
    if source.is_dir():
        (slide,) = source.glob("*.imzML")
        cores = source / f"{slide.stem}_cores.npy"
        one = CohortSlide(
            slide, source / f"{slide.stem}_labels.npy", cores if cores.exists() else None
        )
        return run_inline(gather((one,)))
    return run_inline(gather(read_cohort(source)))


def divisions(spectra: LabelledSpectra, assignments: int) -> Iterator[tuple[str, tuple[Fold, ...]]]:
    """The stratified folds, then random assignments of whole groups to five folds."""
    yield "stratified", grouped_folds(spectra.classes, spectra.groups).folds
    names = np.unique(spectra.groups)
    for seed in range(assignments):
        order = np.random.default_rng(seed).permutation(names)
        held = [np.isin(spectra.groups, order[k::5]) for k in range(5)]
        yield f"random {seed}", tuple(Fold(np.flatnonzero(~h), np.flatnonzero(h)) for h in held)


def cross_validate(
    spectra: LabelledSpectra, folds: tuple[Fold, ...], learner: Learner, seed: int
) -> tuple[np.ndarray, float]:
    begun = time.monotonic()
    found = np.zeros((len(spectra), len(spectra.class_names)))
    for fold in folds:
        part = spectra.take(fold.training)
        found[fold.held_out] = learner(part, spectra.values[fold.held_out], seed)
    return found, time.monotonic() - begun


def accuracy(spectra: LabelledSpectra, models: list[str], given: argparse.Namespace) -> list[Row]:
    rows = []
    print(f"{'model':22} {'folds':12} seed  bal.acc.  AUROC   ECE     seconds", flush=True)
    for split, folds in divisions(spectra, given.assignments):
        for name in models:
            learner, seeded = LEARNERS[name]
            for seed in range(given.seeds if seeded else 1):
                found, seconds = cross_validate(spectra, folds, learner, seed)
                figures = [
                    score(found, spectra.classes)
                    for score in (balanced_accuracy, auroc, expected_calibration_error)
                ]
                row = Row(name, split, seed, *figures, seconds)
                rows.append(row)
                print(
                    f"{name:22} {split:12} {seed:4}  {figures[0]:.4f}    {figures[1]:.4f}  "
                    f"{figures[2]:.4f}  {seconds:7.1f}",
                    flush=True,
                )
    return rows


def strokes_of(
    spectra: LabelledSpectra,
    where: Gathered,
    groups: np.ndarray,
    pixels: int,
    draw: np.random.Generator,
) -> np.ndarray:
    """Compact patches of pixels, as a brush would leave them, spread over some groups."""
    patches = []
    for group, n in zip(
        groups, np.diff(np.linspace(0, pixels, len(groups) + 1).astype(int)), strict=True
    ):
        own = np.flatnonzero(spectra.groups == group)
        start = draw.choice(own)
        distance = np.hypot(
            where.row[own] - where.row[start], where.column[own] - where.column[start]
        )
        patches.append(own[np.argsort(distance, kind="stable")[:n]])
    return np.concatenate(patches)


def few_label_draw(
    where: Gathered, pixels: int, draw: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(base, painted, scored) indices: 15 groups, strokes in some of the others, the rest."""
    spectra = where.spectra
    names = np.unique(spectra.groups)
    while True:
        order = draw.permutation(names)
        rest = order[len(names) * 3 // 4 :]
        painted_groups = rest[: (len(rest) + 1) // 2]
        painted = strokes_of(spectra, where, painted_groups, pixels, draw)
        scored = np.flatnonzero(np.isin(spectra.groups, rest[len(painted_groups) :]))
        both = [np.bincount(spectra.classes[i], minlength=2).min() >= 5 for i in (painted, scored)]
        if all(both):
            base = np.flatnonzero(~np.isin(spectra.groups, rest))
            return base, painted, scored


def fine_tuning(
    where: Gathered, network: Network, given: argparse.Namespace
) -> list[dict[str, float]]:
    """A base on three quarters of the groups, then few pixels of other groups."""
    draw, rows = np.random.default_rng(0), []
    spectra = where.spectra
    config = FitConfig(network=network, device="cpu")
    print(f"{network}: balanced accuracy on groups without a stroke (seconds of the fit)")
    for number in range(given.draws):
        base_rows, painted, scored = few_label_draw(where, given.pixels, draw)
        base = run_inline(fit(spectra.take(base_rows), config))
        few = replace(spectra.take(painted), group_kind="region")
        found: dict[str, float] = {}
        for name, start in (("fine-tuned", base), ("from scratch", None)):
            begun = time.monotonic()
            model = run_inline(fit(few, config, start))
            found[name + " seconds"] = time.monotonic() - begun
            found[name] = _score(model, spectra.take(scored))
        found["base"] = _score(base, spectra.take(scored))
        rows.append(found)
        print(
            f"  draw {number}: " + ", ".join(f"{k} {v:.3f}" for k, v in found.items()), flush=True
        )
    means = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
    print("  mean:   " + ", ".join(f"{k} {v:.4f}" for k, v in means.items()))
    return rows


def _score(model: FittedModel, spectra: LabelledSpectra) -> float:
    found = balanced_accuracy(predict_matrix(model, spectra.values, "cpu"), spectra.classes)
    return float("nan") if found is None else found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", type=Path, help="COHORT.csv, or a folder with one array")
    parser.add_argument(
        "--models", default=",".join(QUICK), help=f"of {', '.join(LEARNERS)}, with commas"
    )
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--assignments", type=int, default=0, help="random divisions besides")
    parser.add_argument("--fine-tune", action="store_true")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--pixels", type=int, default=60)
    parser.add_argument("--output", type=Path, help="write the table as JSON")
    given = parser.parse_args()
    where = load(given.source)
    models = given.models.split(",")
    if given.fine_tune:
        networks: list[Network] = [n for n in ("linear", "default") if n in models]
        result: object = {n: fine_tuning(where, n, given) for n in networks}
    else:
        result = [vars(row) for row in accuracy(where.spectra, models, given)]
    if given.output:
        given.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
