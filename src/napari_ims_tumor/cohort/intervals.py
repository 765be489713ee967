"""How far the figures can be trusted: bootstrap over whole groups, paired between networks.

Pixels of one patient are nearly copies of each other, so it is patients that are drawn anew, with
replacement, never pixels; the pooled figure is computed for each draw. A figure of a class counts
only groups that hold it: two patients with tumor are two, however many healthy ones there are.

Few groups drawn anew differ less from each other than few new patients would. The ends of an
interval therefore lie further out, as those of a t interval do: the expanded percentile interval
(Hesterberg, *Am. Stat.* 69:371, 2015).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from scipy.special import ndtr, stdtrit

from napari_ims_tumor.cohort.tallies import LOWER_IS_BETTER, METRICS, GroupTallies
from napari_ims_tumor.msi.arrays import BoolArray, Float64Array

DRAWS: Final = 5_000
SEED: Final = 0
LEVEL: Final = 0.95
FEWEST_GROUPS: Final = 5


@dataclass(frozen=True, slots=True)
class Interval:
    """A percentile interval.

    Attributes
    ----------
    low, high
        ``None`` where fewer than half of the draws could be judged, too few groups hold a class, or
        no group holds an error.
    undefined
        Draws without a figure, for want of a class.
    """

    low: float | None
    high: float | None
    undefined: int

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON."""
        return {"low": self.low, "high": self.high, "undefined_draws": self.undefined}


def group_draws(n_groups: int, draws: int = DRAWS) -> Float64Array:
    """Draw groups with replacement: shape (draws, groups), how often each was drawn."""
    drawn = np.random.default_rng(SEED).integers(n_groups, size=(draws, n_groups))
    place = drawn + n_groups * np.arange(draws)[:, None]
    counts = np.bincount(place.ravel(), minlength=draws * n_groups)
    return counts.reshape(draws, n_groups).astype(np.float64)


def why_no_interval(n_groups: int, word: str) -> str | None:
    """Say why no interval is given; ``None`` where there is one."""
    if n_groups >= FEWEST_GROUPS:
        return None
    return (
        f"too few {word}s for an interval: {n_groups} {'was' if n_groups == 1 else 'were'} judged, "
        f"at least {FEWEST_GROUPS} are needed"
    )


def scarce_classes(tallies: GroupTallies, names: Sequence[str], word: str) -> dict[str, str]:
    """Figures that hang on a class of too few groups: how often those few are drawn says nothing.

    Returns
    -------
    dict
        Name of the figure → which class lies where.
    """
    lies = tallies.confusion.sum(axis=2) > 0
    classes = [(name, lies[:, k]) for k, name in enumerate(names)]
    tumor, others = classes[-1], (" or ".join(names[:-1]), lies[:, :-1].any(axis=1))
    of_figure = {
        "balanced_accuracy": classes, "auroc": classes, "sensitivity": [tumor],
        "specificity": [others],
    }  # fmt: skip
    found = {figure: _scarce(which, word) for figure, which in of_figure.items()}
    return {figure: reason for figure, reason in found.items() if reason}


def groups_behind(tallies: GroupTallies) -> dict[str, int]:
    """Of how many groups each figure tells: those that hold its class, the scarcest of several."""
    lies = tallies.confusion.sum(axis=2) > 0
    of_class = lies.sum(axis=0)
    scarcest = int(of_class[of_class > 0].min(initial=tallies.n_groups))
    found = dict.fromkeys(METRICS, tallies.n_groups)
    found |= {"balanced_accuracy": scarcest, "auroc": scarcest}
    return found | {
        "sensitivity": int(of_class[-1]),
        "specificity": int(lies[:, :-1].any(axis=1).sum()),
    }


def _scarce(classes: Sequence[tuple[str, BoolArray]], word: str) -> str:
    counts = [(name, int(lies.sum())) for name, lies in classes]
    # A class of no group at all leaves the figure itself undefined.
    return " and ".join(
        f"{name} lies in {n} {word}{'' if n == 1 else 's'} only"
        for name, n in counts
        if 0 < n < FEWEST_GROUPS
    )


def interval_of(draws: Float64Array, n_groups: int | None = None) -> Interval:
    """Percentile interval of the draws that are defined; expanded for so many groups, if told."""
    defined = draws[np.isfinite(draws)]
    undefined = int(draws.size - defined.size)
    if 2 * defined.size < draws.size or not defined.size:
        return Interval(None, None, undefined)
    beyond = (1 - LEVEL) / 2 if n_groups is None else _share_beyond(n_groups)
    low, high = np.quantile(defined, [beyond, 1 - beyond])
    return Interval(float(low), float(high), undefined)


def _share_beyond(n_groups: int) -> float:
    """Share of the draws beyond either end, so that new groups lie there as rarely as is said."""
    n = max(n_groups, 2)
    wide = stdtrit(n - 1, (1 + LEVEL) / 2) * np.sqrt(n / (n - 1))
    return float(ndtr(-wide))


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """The same draws for every network.

    Attributes
    ----------
    tallies
        Network → its sums; all over the same pixels.
    why_not
        Why there are no intervals; ``None`` where there are.
    draws
        Network → figure → its value in each draw.
    scarce
        Figure → why it alone has no interval, see :func:`scarce_classes`.
    behind
        Figure → of how many groups it tells.
    """

    tallies: Mapping[str, GroupTallies]
    why_not: str | None
    draws: Mapping[str, Mapping[str, Float64Array]]
    scarce: Mapping[str, str] = field(default_factory=dict)
    behind: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def over(
        cls, tallies: Mapping[str, GroupTallies], word: str, names: Sequence[str]
    ) -> Bootstrap:
        """Draw groups and compute every figure of every network for each draw.

        Parameters
        ----------
        tallies
            Network → its sums.
        word
            What the groups are.
        names
            Of the classes; the last is the tumor.
        """
        n_groups = max((found.n_groups for found in tallies.values()), default=0)
        why_not = why_no_interval(n_groups, word)
        if why_not is not None:
            return cls(tallies, why_not, {})
        weights = group_draws(n_groups)
        # All networks are judged on the same pixels.
        one = next(iter(tallies.values()))
        draws = {name: found.metrics(weights) for name, found in tallies.items()}
        return cls(tallies, None, draws, scarce_classes(one, names, word), groups_behind(one))

    def figures(self, network: str) -> dict[str, float | None]:
        """The pooled figures over all groups, each counted once."""
        sums = self.tallies[network]
        found = sums.metrics(np.ones((1, sums.n_groups)))
        return {metric: _number(found[metric][0]) for metric in METRICS}

    def intervals(self, network: str) -> dict[str, Any]:
        """Interval of each figure; empty where groups are too few."""
        if network not in self.draws:
            return {}
        own = self.draws[network]
        return {m: self._of_figure(m, own[m]).as_dict() for m in METRICS}

    def differences(self, network: str, baseline: str) -> dict[str, Any]:
        """Figure of a network minus the baseline's, on the same draws.

        ``shown`` is ``"better"`` or ``"worse"`` only where the interval excludes 0.
        """
        own, base = self.figures(network), self.figures(baseline)
        return {metric: self._difference(network, baseline, metric, own, base) for metric in own}

    def _difference(
        self, network: str, baseline: str, metric: str,
        own: Mapping[str, float | None], base: Mapping[str, float | None],
    ) -> dict[str, Any]:  # fmt: skip
        first, second = own[metric], base[metric]
        value = None if first is None or second is None else first - second
        found = Interval(None, None, 0)
        if self.draws:
            apart = self.draws[network][metric] - self.draws[baseline][metric]
            found = self._interval(metric, apart)
        return {"value": value, **found.as_dict(), "shown": _shown(metric, found)}

    def _of_figure(self, metric: str, draws: Float64Array) -> Interval:
        found = self._interval(metric, draws)
        # No error in any group says that errors are rare, and not that there are none.
        nothing = found.low == found.high and found.low in (0.0, 1.0)
        return Interval(None, None, found.undefined) if nothing else found

    def _interval(self, metric: str, draws: Float64Array) -> Interval:
        if metric in self.scarce:
            return Interval(None, None, 0)
        return interval_of(draws, self.behind[metric])


def _shown(metric: str, found: Interval) -> str | None:
    if found.low is None or found.high is None or found.low <= 0 <= found.high:
        return None
    higher = found.low > 0
    return "better" if higher != (metric in LOWER_IS_BETTER) else "worse"


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
