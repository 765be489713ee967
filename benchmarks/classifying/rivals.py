"""scikit-learn's classifiers, tuned on grouped folds inside the training side.

All of them see what our own models see: square roots of shares, centered and scaled. The linear
ones work on the principal axes of the training side, which changes nothing of what they can say
and makes a fit a matter of milliseconds.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np
from sklearn.cross_decomposition import PLSRegression
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC
from sklearn.utils.extmath import randomized_svd

from napari_ims_tumor.annotation.split import Fold, grouped_folds
from napari_ims_tumor.model.calibration import fit_temperature, softmax
from napari_ims_tumor.model.scores import auroc, balanced_accuracy

Setting: TypeAlias = dict[str, Any]
MOST_EXACT_AXES = 1500
MOST_AXES = 400
"""Principal axes kept where there are too many spectra and bins for all of them."""


class Rival:
    """One kind of classifier: its settings, and how it learns and answers with one of them."""

    grid: ClassVar[list[Setting]]
    on_axes: ClassVar[bool] = True
    inner_folds: ClassVar[int] = 5

    def logits(
        self, x: np.ndarray, classes: np.ndarray, asked: list[np.ndarray], setting: Setting
    ) -> list[np.ndarray]:
        """Learn from x (n, d), answer every matrix that is asked."""
        raise NotImplementedError


class Logistic(Rival):
    grid: ClassVar[list[Setting]] = [{"C": c} for c in (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)]

    def logits(
        self, x: np.ndarray, classes: np.ndarray, asked: list[np.ndarray], setting: Setting
    ) -> list[np.ndarray]:
        model = LogisticRegression(class_weight="balanced", max_iter=500, **setting)
        return _decided(model.fit(x, classes), asked)


class Svm(Rival):
    grid: ClassVar[list[Setting]] = [{"C": c} for c in (1e-5, 1e-4, 1e-3, 1e-2)]

    def logits(
        self, x: np.ndarray, classes: np.ndarray, asked: list[np.ndarray], setting: Setting
    ) -> list[np.ndarray]:
        model = LinearSVC(class_weight="balanced", random_state=0, **setting)
        return _decided(model.fit(x, classes), asked)


class Lda(Rival):
    grid: ClassVar[list[Setting]] = [
        {"components": n, "shrinkage": s} for n in (5, 10, 20, 50, 100, 200) for s in (0.0, 0.3)
    ]

    def logits(
        self, x: np.ndarray, classes: np.ndarray, asked: list[np.ndarray], setting: Setting
    ) -> list[np.ndarray]:
        k = min(setting["components"], x.shape[1], max(1, len(x) - 3))
        model = _lda(classes, setting["shrinkage"]).fit(x[:, :k], classes)
        return _decided(model, [part[:, :k] for part in asked])


class PlsDa(Rival):
    grid: ClassVar[list[Setting]] = [{"components": n} for n in (1, 2, 3, 5, 8, 12)]

    def logits(
        self, x: np.ndarray, classes: np.ndarray, asked: list[np.ndarray], setting: Setting
    ) -> list[np.ndarray]:
        k = min(setting["components"], x.shape[1], max(1, len(x) - 3))
        wanted = np.eye(classes.max() + 1)[classes]
        pls = PLSRegression(k, scale=False).fit(x, wanted)
        model = _lda(classes, 0.0).fit(pls.transform(x), classes)
        return _decided(model, [pls.transform(part) for part in asked])


@dataclass(frozen=True)
class Forest(Rival):
    """A hundred trees, tuned on three folds: the slowest of the rivals by far."""

    seed: int = 0
    grid: ClassVar[list[Setting]] = [{"min_samples_leaf": n} for n in (1, 5)]
    on_axes: ClassVar[bool] = False
    inner_folds: ClassVar[int] = 3

    def logits(
        self, x: np.ndarray, classes: np.ndarray, asked: list[np.ndarray], setting: Setting
    ) -> list[np.ndarray]:
        model = RandomForestClassifier(
            100, class_weight="balanced", random_state=self.seed, **setting
        ).fit(x, classes)
        return [np.log(np.clip(model.predict_proba(part), 1e-3, 1)) for part in asked]


RIVALS: dict[str, type[Rival]] = {
    "logistic regression": Logistic,
    "LDA on PCA": Lda,
    "PLS-DA": PlsDa,
    "linear SVM": Svm,
    "random forest": Forest,
}
LINEAR_RIVALS = tuple(name for name in RIVALS if name != "random forest")
SEEDED = ("random forest",)


@dataclass(frozen=True, eq=False)
class RivalAnswer:
    """Logits of what was asked, and the divisor that makes them probabilities to rely on."""

    logits: list[np.ndarray]
    temperature: float | None
    setting: Setting


def answer(
    rival: Rival, x: np.ndarray, classes: np.ndarray, groups: np.ndarray, asked: list[np.ndarray]
) -> RivalAnswer:
    """Tune on grouped folds of the training side, fit on all of it, answer.

    The setting with the largest mean of balanced accuracy and AUROC on held-out groups is taken;
    the same held-out answers give the temperature. Without such folds the middle setting is used.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # not all settings of a grid converge; they do not win
        if rival.on_axes:
            x, *asked = on_principal_axes(x, asked)
        folds = grouped_folds(classes, groups, rival.inner_folds).folds
        setting, temperature = rival.grid[len(rival.grid) // 2], None
        if folds:
            setting, held_out = _tuned(rival, x, classes, folds)
            temperature = fit_temperature(held_out, classes, groups)
        return RivalAnswer(rival.logits(x, classes, asked, setting), temperature, setting)


def _tuned(
    rival: Rival, x: np.ndarray, classes: np.ndarray, folds: tuple[Fold, ...]
) -> tuple[Setting, np.ndarray]:
    best, chosen = -1.0, (rival.grid[0], np.zeros((0, 0)))
    for setting in rival.grid:
        found = np.zeros((len(classes), classes.max() + 1))
        for fold in folds:
            rows, held = fold.training, fold.held_out
            found[held] = rival.logits(x[rows], classes[rows], [x[held]], setting)[0]
        score = (balanced_accuracy(found, classes) or 0) + (auroc(softmax(found), classes) or 0)
        if score > best:
            best, chosen = score, (setting, found)
    return chosen


def on_principal_axes(x: np.ndarray, asked: list[np.ndarray]) -> Iterator[np.ndarray]:
    """Turn spectra onto the principal axes of the training side: all axes, or the first 400."""
    if min(x.shape) > MOST_EXACT_AXES:
        axes = randomized_svd(x, MOST_AXES, n_iter=3, random_state=0)[2]
    elif x.shape[0] < x.shape[1]:
        values, vectors = np.linalg.eigh((x @ x.T).astype(np.float64))
        order = np.flatnonzero(values > 1e-6 * values[-1])[::-1]
        axes = ((vectors[:, order] / np.sqrt(values[order])).T @ x).astype(x.dtype)
    else:
        axes = np.linalg.svd(x, full_matrices=False)[2]
    for part in (x, *asked):
        yield (part @ axes.T).astype(np.float64)


def _lda(classes: np.ndarray, shrinkage: float) -> Any:
    k = classes.max() + 1
    return LinearDiscriminantAnalysis(
        solver="lsqr", shrinkage=shrinkage or None, priors=np.full(k, 1 / k)
    )


def _decided(model: Any, asked: list[np.ndarray]) -> list[np.ndarray]:
    """Decision values as logits: two columns for two classes."""
    decided = [np.asarray(model.decision_function(part)) for part in asked]
    return [np.stack([-d / 2, d / 2], axis=1) if d.ndim == 1 else d for d in decided]
