"""What a validation found: figures, folds, and the predictions they were computed from."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from sklearn.metrics import confusion_matrix

from napari_ims_tumor.atomic import atomic_write
from napari_ims_tumor.cohort.gathering import Gathered
from napari_ims_tumor.model.scores import auroc, balanced_accuracy, expected_calibration_error
from napari_ims_tumor.msi.arrays import BoolArray, Float32Array, IntArray

Facts: TypeAlias = dict[str, Any]


@dataclass(frozen=True, eq=False)
class NetworkResult:
    """Predictions of one network.

    Attributes
    ----------
    probabilities
        Shape (n, K); NaN for spectra that were never held out.
    seconds
        Time of fitting and predicting.
    models
        One line of facts per fold's model.
    """

    probabilities: Float32Array
    seconds: float
    models: tuple[Facts, ...] = ()


@dataclass(frozen=True, eq=False)
class EvaluationReport:
    """A validation.

    Attributes
    ----------
    kind
        ``"grouped cross-validation"`` or ``"external validation"``.
    gathered
        The spectra with their places; its classes are the true labels.
    classes
        Shape (n,): what was judged against, the permuted labels where they were permuted.
    fold
        Shape (n,): in which fold each spectrum was held out; −1 = never.
    results
        Network name → predictions.
    why_not
        Why nothing could be judged; ``None`` otherwise.
    permute_labels
        Seed of the permutation; ``None`` = true labels.
    """

    kind: str
    gathered: Gathered
    classes: IntArray
    fold: IntArray
    results: Mapping[str, NetworkResult]
    why_not: str | None = None
    permute_labels: int | None = None

    def as_dict(self) -> Facts:
        """Everything but the predictions, ready for JSON; ``None`` where nothing can be said."""
        spectra = self.gathered.spectra
        return {
            "kind": self.kind,
            "classes": list(spectra.class_names),
            "group_kind": spectra.group_kind,
            "n": int(self.classes.size),
            "n_groups": len(self.gathered.group_names),
            "slides": list(self.gathered.slides),
            "permute_labels": self.permute_labels,
            "why_not": self.why_not,
            "notices": list(self.gathered.notices),
            "folds": [self._fold_facts(k) for k in range(int(self.fold.max(initial=-1)) + 1)],
            "networks": {name: self._figures(result) for name, result in self.results.items()},
        }

    def write(self, folder: str | os.PathLike[str]) -> Path:
        """Write report.json and predictions.csv into a folder; returns the report's path."""
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        with (
            atomic_write(target / "predictions.csv") as path,
            path.open("w", newline="", encoding="utf-8") as file,
        ):
            csv.writer(file).writerows(self._prediction_rows())
        with atomic_write(target / "report.json") as path:
            text = json.dumps(self.as_dict(), indent=1, allow_nan=False)
            path.write_text(text + "\n", encoding="utf-8")
        return target / "report.json"

    def summary(self) -> tuple[str, ...]:
        """A few lines for the command line."""
        if self.why_not is not None:
            return (self.why_not,)
        facts = self.as_dict()
        head = f"{self.kind}: {facts['n']} spectra, {facts['n_groups']} {facts['group_kind']}s"
        lines = [
            f"{name}: balanced accuracy {_shown(found['balanced_accuracy'])}, AUROC "
            f"{_shown(found['auroc'])}, calibration error {_shown(found['ece'])}, "
            f"{found['seconds']:.1f} s"
            for name, found in facts["networks"].items()
        ]
        return (head, *lines)

    def _fold_facts(self, k: int) -> Facts:
        groups = np.unique(self.gathered.spectra.groups[self.fold == k])
        names = self.gathered.group_names
        return {"held_out": [names[g] for g in groups], "n": int((self.fold == k).sum())}

    def _figures(self, result: NetworkResult) -> Facts:
        judged: BoolArray = np.array(np.isfinite(result.probabilities).all(axis=1), np.bool_)
        probabilities, classes = result.probabilities[judged], self.classes[judged]
        k = len(self.gathered.spectra.class_names)
        confusion = np.zeros((k, k), int)
        if classes.size:
            confusion = confusion_matrix(classes, probabilities.argmax(axis=1), labels=range(k))
        return {
            "balanced_accuracy": balanced_accuracy(probabilities, classes),
            "auroc": auroc(probabilities, classes),
            "ece": expected_calibration_error(probabilities, classes),
            "confusion": confusion.tolist(),
            "n": int(classes.size),
            "seconds": round(result.seconds, 3),
            "per_group": self._per_group(result.probabilities, judged),
            "models": list(result.models),
        }

    def _per_group(self, probabilities: Float32Array, judged: BoolArray) -> dict[str, Facts]:
        groups = self.gathered.spectra.groups
        found = {}
        for number, name in enumerate(self.gathered.group_names):
            own = judged & (groups == number)
            right = probabilities[own].argmax(axis=1) == self.classes[own]
            found[name] = {
                "n": int(own.sum()),
                "accuracy": float(right.mean()) if own.any() else None,
                "balanced_accuracy": balanced_accuracy(probabilities[own], self.classes[own]),
            }
        return found

    def _prediction_rows(self) -> Iterator[list[object]]:
        spectra, where = self.gathered.spectra, self.gathered
        names = spectra.class_names
        probability = [f"{network}: {name}" for network in self.results for name in names]
        places = ["slide", "plane", "row", "column"]
        yield [*places, "label", "judged_against", "group", "fold", *probability]
        for i in range(self.classes.size):
            place = (where.slides[where.slide[i]], where.plane[i], where.row[i], where.column[i])
            labels = (names[spectra.classes[i]], names[self.classes[i]])
            group = where.group_names[spectra.groups[i]]
            found = [p for r in self.results.values() for p in r.probabilities[i].tolist()]
            yield [*place, *labels, group, self.fold[i], *found]


def _shown(value: float | None) -> str:
    return "not judged" if value is None else f"{value:.4f}"
