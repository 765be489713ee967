"""What a validation found: figures, folds, and the predictions they were computed from."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from napari_ims_tumor.atomic import atomic_write
from napari_ims_tumor.cohort.explanation import Explanation
from napari_ims_tumor.cohort.fingerprints import file_hash
from napari_ims_tumor.cohort.gathering import Gathered
from napari_ims_tumor.cohort.intervals import DRAWS, LEVEL, SEED, Bootstrap
from napari_ims_tumor.cohort.looking import relevance_facts
from napari_ims_tumor.cohort.naming import listed
from napari_ims_tumor.cohort.predictions_file import write_predictions
from napari_ims_tumor.cohort.scoring import (
    HARD_BELOW,
    calibration,
    confusion,
    coverage,
    group_scores,
    roc_points,
    unfamiliar_share,
)
from napari_ims_tumor.cohort.tallies import tally
from napari_ims_tumor.cohort.univariate import Univariate
from napari_ims_tumor.cohort.verdict import summary_lines, verdict
from napari_ims_tumor.errors import CohortError
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.msi.arrays import BoolArray, Float32Array, IntArray

Facts: TypeAlias = dict[str, Any]

FORMAT: Final = "napari-ims-tumor report"
VERSION: Final = 2
BASELINE: Final = "linear"


def model_facts(model: FittedModel) -> Facts:
    """What a model says of itself."""
    return {
        **model.card,
        "model_id": model.model_id,
        "calibrated": model.calibrated,
        "share of the CNN": model.blend,
    }


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
    looked_at
        What moved the answers to held-out pixels; ``None`` where there were none.
    unfamiliarity
        Shape (n,): above 1 unlike the labels that were fitted; NaN where that is not known.
    """

    probabilities: Float32Array
    seconds: float
    models: tuple[Facts, ...] = ()
    looked_at: Explanation | None = None
    unfamiliarity: Float32Array | None = None

    @property
    def strange(self) -> Float32Array:
        """:attr:`unfamiliarity`, NaN throughout where nobody asked for it."""
        unknown = np.full(len(self.probabilities), np.nan, np.float32)
        return unknown if self.unfamiliarity is None else self.unfamiliarity


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
    options
        What was asked for: folds, seed, device, … Plain facts.
    warnings
        Why the figures may not mean what they seem to, one sentence each.
    model
        Facts of the model that was judged, in an external validation.
    files
        Name of a further input → its SHA-256.
    peaks_alone
        What each peak tells by itself.
    circumstances
        Date, versions, machine: what may differ the next time.
    """

    kind: str
    gathered: Gathered
    classes: IntArray
    fold: IntArray
    results: Mapping[str, NetworkResult]
    why_not: str | None = None
    permute_labels: int | None = None
    options: Facts = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    model: Facts | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    circumstances: Facts = field(default_factory=dict)
    peaks_alone: Univariate | None = None

    def with_files(self, **paths: Path | None) -> EvaluationReport:
        """Add hashes of further inputs: the cohort table, the model file."""
        given = {name.replace("_", " "): path for name, path in paths.items() if path is not None}
        hashes = {name: file_hash(path) for name, path in given.items()}
        return replace(self, files={**self.files, **hashes})

    def as_dict(self) -> Facts:
        """Everything but the predictions, ready for JSON; ``None`` where nothing can be said.

        The same input gives the same facts, apart from ``provenance``.
        """
        seconds = {name: round(result.seconds, 3) for name, result in self.results.items()}
        provenance = {**self.circumstances, "seconds": seconds}
        return {**self._facts, "provenance": provenance}

    def write(self, folder: str | os.PathLike[str]) -> Path:
        """Write report.html, report.json and predictions.csv into a folder.

        Returns
        -------
        Path
            The report.json; the page for reading lies beside it.
        """
        from napari_ims_tumor.cohort.page.render import render_page

        target = Path(folder)
        try:
            target.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CohortError(
                f"{target}: no folder can be made there for the report ({error.strerror}): give "
                "the name of a new folder, or of one you may write to"
            ) from error
        # All take their names together, at the end: no page beside the figures of another day.
        with (
            atomic_write(target / "predictions.csv") as table,
            atomic_write(target / "report.html") as page,
            atomic_write(target / "report.json") as figures,
        ):
            write_predictions(table, self)
            page.write_text(render_page(self), encoding="utf-8")
            text = json.dumps(self.as_dict(), indent=1, allow_nan=False)
            figures.write_text(text + "\n", encoding="utf-8")
        return target / "report.json"

    def summary(self) -> tuple[str, ...]:
        """A few lines for the command line."""
        return summary_lines(self.as_dict())

    @cached_property
    def _facts(self) -> Facts:
        spectra = self.gathered.spectra
        facts: Facts = {
            "format": FORMAT,
            "version": VERSION,
            "kind": self.kind,
            "classes": list(spectra.class_names),
            "group_kind": spectra.group_kind,
            "group_means": self.gathered.group_means,
            "n": int(self.classes.size),
            "n_judged": int(self.judged.sum()),
            "n_groups": len(self.gathered.group_names),
            "slides": list(self.gathered.slides),
            "permute_labels": self.permute_labels,
            "why_not": self.why_not,
            "notices": list(self.gathered.notices),
            "warnings": [*self.warnings, *self.gathered.cautions, *self._lost()],
            "options": self.options,
            "model": self.model,
            "folds": [self._fold_facts(k) for k in range(int(self.fold.max(initial=-1)) + 1)],
            **self._figures(),
            "relevance": relevance_facts(
                {name: found.looked_at for name, found in self.results.items()}, self.peaks_alone
            ),
            "inputs": {
                "slides": [record.as_dict() for record in self.gathered.records],
                "files": dict(self.files),
            },
        }
        return {**facts, "verdict": verdict(facts)}

    def _fold_facts(self, k: int) -> Facts:
        groups = np.unique(self.gathered.spectra.groups[self.fold == k])
        names = self.gathered.group_names
        return {"held_out": [names[g] for g in groups], "n": int((self.fold == k).sum())}

    @cached_property
    def judged(self) -> BoolArray:
        """Shape (n,): pixels that every network was judged on."""
        finite = [np.isfinite(r.probabilities).all(axis=1) for r in self.results.values()]
        return np.logical_and.reduce(finite) if finite else np.zeros(self.classes.size, np.bool_)

    def _lost(self) -> list[str]:
        """One sentence where a held-out pixel got no answer: no figure counts it."""
        lost = (self.fold >= 0) & ~self.judged if self.results else np.zeros(0, np.bool_)
        if not lost.any():
            return []
        numbers = np.unique(self.gathered.spectra.groups[lost])
        names = [self.gathered.group_names[number] for number in numbers]
        held_out = int((self.fold >= 0).sum())
        return [
            f"{int(lost.sum())} of {held_out} held-out pixels got no answer that is a number "
            f"({listed(names)}), so no figure counts them: their "
            "spectra may hold intensities too large to compute with; look at these first."
        ]

    def _figures(self) -> Facts:
        judged, groups = self.judged, self.gathered.spectra.groups
        numbers, own = np.unique(groups[judged], return_inverse=True)
        names = [self.gathered.group_names[g] for g in numbers]
        tallies = {
            name: tally(r.probabilities[judged], self.classes[judged], own.reshape(-1))
            for name, r in self.results.items()
        }
        spectra = self.gathered.spectra
        bootstrap = Bootstrap.over(tallies, spectra.group_kind, spectra.class_names)
        networks = {name: self._network(name, names, bootstrap) for name in self.results}
        others = [n for n in self.results if n != BASELINE and BASELINE in self.results]
        return {
            "bootstrap": self._bootstrap_facts(len(names), bootstrap),
            "networks": networks,
            "differences": {n: bootstrap.differences(n, BASELINE) for n in others},
            "groups": self._groups(names, numbers, networks),
        }

    def _bootstrap_facts(self, n_groups: int, bootstrap: Bootstrap) -> Facts:
        return {
            "unit": self.gathered.spectra.group_kind,
            "n_units": n_groups,
            "draws": 0 if bootstrap.why_not else DRAWS,
            "seed": SEED,
            "level": LEVEL,
            "why_not": bootstrap.why_not,
            "scarce": dict(bootstrap.scarce),
            "groups_behind": dict(bootstrap.behind),
        }

    def _network(self, name: str, names: list[str], bootstrap: Bootstrap) -> Facts:
        result, judged = self.results[name], self.judged
        probabilities, classes = result.probabilities[judged], self.classes[judged]
        tallies = bootstrap.tallies[name]
        calibrated = [bool(facts.get("calibrated")) for facts in result.models]
        return {
            **bootstrap.figures(name),
            "intervals": bootstrap.intervals(name),
            "confusion": confusion(tallies),
            "n": int(classes.size),
            "calibrated": bool(calibrated) and all(calibrated),
            "per_group": group_scores(tallies, names),
            "coverage": coverage(probabilities, classes),
            "unfamiliar": unfamiliar_share(result.strange[judged]),
            "roc": roc_points(probabilities, classes),
            "calibration": calibration(probabilities, classes),
            "models": list(result.models),
        }

    def _groups(self, names: list[str], numbers: IntArray, networks: Facts) -> list[Facts]:
        """The groups, those first that were judged worst on average over the networks."""
        groups = self.gathered.spectra.groups
        is_tumor = self.classes == len(self.gathered.spectra.class_names) - 1
        found = []
        for name, number in zip(names, numbers, strict=True):
            own = self.judged & (groups == number)
            right = [network["per_group"][name]["accuracy"] for network in networks.values()]
            n = int(own.sum())
            strange = [unfamiliar_share(r.strange[own]) for r in self.results.values()]
            found.append(
                {
                    "name": name,
                    "n": n,
                    "n_tumor": int((own & is_tumor).sum()),
                    "mean_accuracy": float(np.mean(right)),
                    "hard": max(right) < HARD_BELOW,
                    "unfamiliar": max((s for s in strange if s is not None), default=None),
                }
            )
        return sorted(found, key=lambda group: group["mean_accuracy"])
