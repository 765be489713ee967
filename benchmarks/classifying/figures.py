"""Figures of pooled held-out pixels, and how far they and their differences can be trusted.

Figures are computed by the program's own functions; the tests check them against scikit-learn.
Intervals come from drawing whole groups anew, the same draws for every model.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from classifying.store import Kept, Unit
from napari_ims_tumor.cohort.intervals import Interval, group_draws, interval_of
from napari_ims_tumor.cohort.tallies import tally
from napari_ims_tumor.model.scores import auroc, balanced_accuracy, expected_calibration_error

SMOOTHED = ", smoothed"
DRAWS = 20_000
"""Of whole groups. With the 2,000 of a report the ends of an interval still move in the fourth
place from seed to seed: enough to look at, too few to hold against a bound."""
VIEWS = ("pixel", "pixel" + SMOOTHED, "neighborhood", "neighborhood" + SMOOTHED)


@dataclass(frozen=True, eq=False)
class Run:
    """One model with one seed over all parts of one division.

    Attributes
    ----------
    unit
        Of its first part.
    parts
        Every part once.
    """

    unit: Unit
    parts: tuple[Kept, ...]

    def joined(self, name: str) -> np.ndarray:
        """An array of all parts, by its name in the store."""
        return np.concatenate([part.arrays[name] for part in self.parts])

    def probabilities(self, view: str, change: str = "", calibrated: bool = True) -> np.ndarray:
        """(n, K) as a view shows them: smoothed or not."""
        if view.endswith(SMOOTHED):
            return self.joined(("smoothed|" if calibrated else "smoothed uncalibrated|") + change)
        return self.joined(("probabilities|" if calibrated else "uncalibrated|") + change)

    @cached_property
    def classes(self) -> np.ndarray:
        return self.joined("classes")

    @cached_property
    def groups(self) -> np.ndarray:
        """0 … G − 1, in the order of the cohort's numbers: the same in every run."""
        return np.unique(self.joined("groups"), return_inverse=True)[1].reshape(-1)

    @property
    def groups_behind(self) -> int:
        """Groups that hold the class that the fewest hold."""
        classes, groups = self.classes, self.groups
        return min(len(np.unique(groups[classes == value])) for value in np.unique(classes))

    @property
    def fit_seconds(self) -> float:
        return float(sum(float(str(part.facts["fit_seconds"])) for part in self.parts))

    @property
    def spectra_per_s(self) -> float:
        return float(np.mean([float(str(part.facts["spectra_per_s"])) for part in self.parts]))

    def figures(self, view: str, change: str = "") -> dict[str, float]:
        """Balanced accuracy, AUROC, calibration error after and before the temperature."""
        found = self.probabilities(view, change)
        raw = self.probabilities(view, change, calibrated=False)
        values = {
            "balanced accuracy": balanced_accuracy(found, self.classes),
            "auroc": auroc(found, self.classes),
            "ece": expected_calibration_error(found, self.classes),
            "ece uncalibrated": expected_calibration_error(raw, self.classes),
        }
        return {name: float("nan") if v is None else v for name, v in values.items()}

    def near_border(self, view: str, within: int) -> float:
        """Balanced accuracy of the pixels that near to another class."""
        near = self.joined("to border") <= within
        found = balanced_accuracy(self.probabilities(view)[near], self.classes[near])
        return float("nan") if found is None else found

    def draws(self, view: str, within: int | None = None) -> dict[str, np.ndarray]:
        """Metric → its value for each draw of groups; of pixels near a border, if wanted."""
        n_groups = int(self.groups.max()) + 1
        near = np.ones(len(self.classes), bool)
        if within is not None:
            near = self.joined("to border") <= within
        sums = tally(self.probabilities(view)[near], self.classes[near], self.groups[near])
        # The tally ends at the last group that has such a pixel; the draws are of all groups.
        return sums.metrics(group_draws(n_groups, DRAWS)[:, : sums.n_groups])

    def right_of_group(self, view: str) -> dict[str, tuple[int, float]]:
        """Group name → pixels, and the share of them that was right."""
        right = self.probabilities(view).argmax(axis=1) == self.classes
        names = self.joined("group names")
        return {
            str(name): (int((names == name).sum()), float(right[names == name].mean()))
            for name in np.unique(names)
        }


@dataclass(frozen=True)
class Difference:
    """A figure of one model minus another's, mean over the divisions and seeds of both."""

    value: float
    interval: Interval
    n_runs: int

    @property
    def says(self) -> str:
        """Better or worse only where the interval excludes 0."""
        low, high = self.interval.low, self.interval.high
        if low is None or high is None or low <= 0 <= high:
            return "no difference claimed"
        return "better" if low > 0 else "worse"


def runs_of(kept: Iterable[Kept]) -> list[Run]:
    """Join the parts of every division that is complete."""
    found: defaultdict[tuple[object, ...], dict[int, Kept]] = defaultdict(dict)
    for part in kept:
        u, folds = part.unit, int(str(part.facts["folds"]))
        alone = u.fold if folds == 1 else None
        key = (u.suite, u.data, u.split, u.model, u.treatment, u.seed, folds, alone)
        found[key][u.fold] = part
    return [
        Run(next(iter(parts.values())).unit, tuple(parts[fold] for fold in sorted(parts)))
        for key, parts in found.items()
        if len(parts) == key[6]
    ]


class Judged:
    """The runs of one cohort, by model and view.

    Parameters
    ----------
    runs
        All of them.
    expanded
        Whether intervals are as wide as reports have them for so few groups.
    """

    def __init__(self, runs: Iterable[Run], expanded: bool = False) -> None:
        self._expanded = expanded
        self._runs: defaultdict[tuple[str, str], dict[tuple[str, int, int], Run]]
        self._runs = defaultdict(dict)
        self._draws: dict[tuple[str, str, str], dict[tuple[str, int, int], np.ndarray]] = {}
        for run in runs:
            u = run.unit
            alone = u.fold if len(run.parts) == 1 else -1
            for view in (u.treatment, u.treatment + SMOOTHED):
                self._runs[u.model, view][u.split, alone, u.seed] = run

    @property
    def models(self) -> list[str]:
        return list(dict.fromkeys(model for model, _ in self._runs))

    def runs(self, model: str, view: str) -> list[Run]:
        return list(self._runs.get((model, view), {}).values())

    def mean(self, model: str, view: str, figure: str, change: str = "") -> float:
        """Mean over divisions and seeds; NaN where there is no run."""
        found = [run.figures(view, change)[figure] for run in self.runs(model, view)]
        return float(np.mean(found)) if found else float("nan")

    def interval(self, model: str, view: str, metric: str = "balanced_accuracy") -> Interval:
        """Of the mean over divisions and seeds, for other groups than these."""
        draws = self._of(model, view, metric)
        return self._interval(np.mean(list(draws.values()), axis=0), model, view)

    def difference(
        self, model: str, rival: str, view: str, metric: str = "balanced_accuracy",
        rival_view: str | None = None,
    ) -> Difference | None:  # fmt: skip
        """Of a model and a rival on the divisions that both have; seeds of each are averaged."""
        own, other = self._of(model, view, metric), self._of(rival, rival_view or view, metric)
        splits = sorted({key[:2] for key in own} & {key[:2] for key in other})
        if not splits:
            return None
        drawn = np.mean([_over_seeds(own, s) - _over_seeds(other, s) for s in splits], axis=0)
        figure = {"balanced_accuracy": "balanced accuracy"}.get(metric, metric)
        values = [
            self._mean_of(model, view, s, figure)
            - self._mean_of(rival, rival_view or view, s, figure)
            for s in splits
        ]
        return Difference(float(np.mean(values)), self._interval(drawn, model, view), len(splits))

    def _interval(self, drawn: np.ndarray, model: str, view: str) -> Interval:
        if not self._expanded:
            return interval_of(drawn)
        return interval_of(drawn, min(run.groups_behind for run in self.runs(model, view)))

    def _of(self, model: str, view: str, metric: str) -> dict[tuple[str, int, int], np.ndarray]:
        key = (model, view, metric)
        if key not in self._draws:
            runs = self._runs.get((model, view), {})
            self._draws[key] = {name: run.draws(view)[metric] for name, run in runs.items()}
        return self._draws[key]

    def _mean_of(self, model: str, view: str, split: tuple[str, int], figure: str) -> float:
        runs = self._runs[model, view]
        found = [run.figures(view)[figure] for key, run in runs.items() if key[:2] == split]
        return float(np.mean(found))


def _over_seeds(
    draws: dict[tuple[str, int, int], np.ndarray], split: tuple[str, int]
) -> np.ndarray:
    return np.asarray(np.mean([d for key, d in draws.items() if key[:2] == split], axis=0))
