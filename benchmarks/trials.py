"""What was tried on top of the default recipe, and what each trial gives on held-out groups.

    python benchmarks/trials.py FOLDER                          60 pixels, ten draws
    python benchmarks/trials.py FOLDER --pixels 300 --draws 5
    python benchmarks/trials.py FOLDER --trials network,masked

Strokes on six groups are learned from; the groups without a stroke are answered, pixel by pixel.
What learns from spectra without a label sees those of all groups, as a slide in the window has
them. Networks answer alone here, without the linear path that the program always keeps beside
them: a trial that does not lift them alone lifts nothing.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from classifying.cohorts import load
from classifying.problems import Problem, few_labels
from classifying.rivals import RIVALS, answer, on_principal_axes
from classifying.trying import fitted_network, pretrained_by_contrast, pretrained_by_masking
from napari_ims_tumor.model.calibration import softmax
from napari_ims_tumor.model.normalization import InputNormalization, root_of_shares
from napari_ims_tumor.model.scores import balanced_accuracy

UNLABELLED = -1
ENSEMBLE = 3


@dataclass(frozen=True, eq=False)
class Given:
    """What a trial may look at.

    Attributes
    ----------
    problem
        The division.
    everything
        Shape (n, bins): all spectra as the models see them, labelled or not.
    seed
        Of the draw.
    """

    problem: Problem
    everything: np.ndarray
    seed: int

    @property
    def x(self) -> np.ndarray:
        return self.everything[self.problem.training]

    @property
    def classes(self) -> np.ndarray:
        return self.problem.spectra.classes

    @property
    def asked(self) -> np.ndarray:
        return self.everything[self.problem.held_out]

    @property
    def partly(self) -> np.ndarray:
        """Shape (n,): classes of what was painted, −1 elsewhere."""
        told = np.full(len(self.everything), UNLABELLED)
        told[self.problem.training] = self.classes
        return told


def rival(name: str) -> Callable[[Given], np.ndarray]:
    """One of scikit-learn's, tuned on grouped folds of the strokes."""

    def trial(given: Given) -> np.ndarray:
        groups = given.problem.spectra.groups
        found = answer(RIVALS[name](), given.x, given.classes, groups, [given.asked])
        return softmax(found.logits[0])

    return trial


def lda_on_axes_of_everything(given: Given) -> np.ndarray:
    """Principal axes of all spectra, with a label or without, instead of the painted ones'."""
    everything = next(iter(on_principal_axes(given.everything, [])))
    groups = given.problem.spectra.groups
    x, asked = everything[given.problem.training], everything[given.problem.held_out]
    found = answer(NoTurn(), x, given.classes, groups, [asked])
    return softmax(found.logits[0])


class NoTurn(RIVALS["LDA on PCA"]):  # type: ignore[misc]
    """LDA on axes that were found before."""

    on_axes = False


def self_trained(given: Given) -> np.ndarray:
    """Logistic regression that adds its own sure answers to its labels, round after round."""
    base = LogisticRegression(C=1e-3, class_weight="balanced", max_iter=500)
    model = SelfTrainingClassifier(base, threshold=0.9).fit(given.everything, given.partly)
    return np.asarray(model.predict_proba(given.asked))


def spread(given: Given) -> np.ndarray:
    """Labels spread along the graph of the ten most alike spectra of each."""
    model = LabelSpreading(kernel="knn", n_neighbors=10, max_iter=100)
    return np.asarray(model.fit(given.everything, given.partly).predict_proba(given.asked))


def network(given: Given) -> np.ndarray:
    """The default recipe: mixed spectra, hidden peaks, averaged weights."""
    return fitted_network(given.x, given.classes, given.asked, given.seed)


def ensemble(given: Given) -> np.ndarray:
    """The mean of the probabilities of three networks."""
    seeds = [given.seed * ENSEMBLE + k for k in range(ENSEMBLE)]
    each = [fitted_network(given.x, given.classes, given.asked, seed) for seed in seeds]
    return np.asarray(np.mean(each, axis=0))


def masked(given: Given) -> np.ndarray:
    """First taught to fill in hidden peaks of all spectra."""
    start = pretrained_by_masking(given.everything, given.seed)
    return fitted_network(given.x, given.classes, given.asked, given.seed, start)


def contrast(given: Given) -> np.ndarray:
    """First taught to bring spectra of one class together and others apart."""
    start = pretrained_by_contrast(given.x, given.classes, given.seed)
    return fitted_network(given.x, given.classes, given.asked, given.seed, start)


TRIALS: dict[str, Callable[[Given], np.ndarray]] = {
    "logistic regression": rival("logistic regression"),
    "self-training": self_trained,
    "label spreading": spread,
    "LDA on PCA": rival("LDA on PCA"),
    "axes of everything": lda_on_axes_of_everything,
    "network": network,
    "ensemble": ensemble,
    "masked": masked,
    "contrast": contrast,
}
BESIDE = {
    "self-training": "logistic regression",
    "label spreading": "logistic regression",
    "axes of everything": "LDA on PCA",
    "ensemble": "network",
    "masked": "network",
    "contrast": "network",
}
"""What a trial has to be better than."""


def main() -> None:
    """Print a row per trial, and write all of it as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pixels", type=int, default=60)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--trials", default=",".join(TRIALS))
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    names = options.trials.split(",")
    unknown = [name for name in names if name not in TRIALS]
    if unknown:
        parser.error(f"no trial is called {unknown[0]}: use {', '.join(TRIALS)}")
    scores = measured(options, names)
    print("| trial | balanced accuracy | beside | minus it | standard error |")
    print("|---|---:|---|---:|---:|")
    for name in names:
        print(row(name, scores))
    if options.output:
        options.output.write_text(json.dumps({n: s.tolist() for n, s in scores.items()}, indent=1))


def measured(options: argparse.Namespace, names: list[str]) -> dict[str, np.ndarray]:
    """Balanced accuracy of every trial on every draw."""
    cohort = load(options.folder)
    roots = root_of_shares(cohort.spectra.values)
    found: dict[str, list[float]] = {name: [] for name in names}
    for problem in few_labels(cohort, options.pixels, 6, options.draws):
        everything = InputNormalization.learn(roots, problem.training).apply(roots)
        given = Given(problem, everything, problem.fold)
        for name in names:
            said = np.log(np.clip(TRIALS[name](given), 1e-9, 1))
            score = balanced_accuracy(said, cohort.truth[problem.held_out])
            found[name].append(float("nan") if score is None else score)
    return {name: np.array(scores) for name, scores in found.items()}


def row(name: str, scores: dict[str, np.ndarray]) -> str:
    """The row of a table: the mean, and the difference to what it has to beat."""
    mean, beside = f"{scores[name].mean():.4f}", BESIDE.get(name)
    if beside is None or beside not in scores:
        return f"| {name} | {mean} |  |  |  |"
    apart = scores[name] - scores[beside]
    error = apart.std(ddof=1) / np.sqrt(len(apart)) if len(apart) > 1 else float("nan")
    return f"| {name} | {mean} | {beside} | {apart.mean():+.4f} | {error:.4f} |"


if __name__ == "__main__":
    main()
