"""How far the figures can be trusted: bootstrap over whole groups, paired between networks.

Pixels of one patient are nearly copies of each other, so it is patients that are drawn anew, with
replacement, never pixels; the pooled figure is computed for each draw.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from napari_ims_tumor.cohort.tallies import LOWER_IS_BETTER, METRICS, GroupTallies
from napari_ims_tumor.msi.arrays import Float64Array

DRAWS: Final = 2000
SEED: Final = 0
LEVEL: Final = 0.95
FEWEST_GROUPS: Final = 5


@dataclass(frozen=True, slots=True)
class Interval:
    """A percentile interval.

    Attributes
    ----------
    low, high
        ``None`` where fewer than half of the draws could be judged.
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


def interval_of(draws: Float64Array) -> Interval:
    """Percentile interval of the draws that are defined."""
    defined = draws[np.isfinite(draws)]
    undefined = int(draws.size - defined.size)
    if 2 * defined.size < draws.size or not defined.size:
        return Interval(None, None, undefined)
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high), undefined)


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """The same draws for every network.

    Attributes
    ----------
    tallies
        Network → its sums; all over the same pixels.
    why_not
        Why there are no intervals; ``None`` where there are.
    """

    tallies: Mapping[str, GroupTallies]
    why_not: str | None
    draws: Mapping[str, Mapping[str, Float64Array]]

    @classmethod
    def over(cls, tallies: Mapping[str, GroupTallies], word: str) -> Bootstrap:
        """Draw groups and compute every figure of every network for each draw."""
        n_groups = max((found.n_groups for found in tallies.values()), default=0)
        why_not = why_no_interval(n_groups, word)
        if why_not is not None:
            return cls(tallies, why_not, {})
        weights = group_draws(n_groups)
        return cls(tallies, None, {name: t.metrics(weights) for name, t in tallies.items()})

    def figures(self, network: str) -> dict[str, float | None]:
        """The pooled figures over all groups, each counted once."""
        sums = self.tallies[network]
        found = sums.metrics(np.ones((1, sums.n_groups)))
        return {metric: _number(found[metric][0]) for metric in METRICS}

    def intervals(self, network: str) -> dict[str, Any]:
        """Interval of each figure; empty where groups are too few."""
        if network not in self.draws:
            return {}
        return {m: interval_of(self.draws[network][m]).as_dict() for m in METRICS}

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
            found = interval_of(self.draws[network][metric] - self.draws[baseline][metric])
        return {"value": value, **found.as_dict(), "shown": _shown(metric, found)}


def _shown(metric: str, found: Interval) -> str | None:
    if found.low is None or found.high is None or found.low <= 0 <= found.high:
        return None
    higher = found.low > 0
    return "better" if higher != (metric in LOWER_IS_BETTER) else "worse"


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
