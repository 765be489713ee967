"""Each peak by itself: how well it tells a class from the rest, and whether groups bear that out.

Pixels of one group (patient, core, stroke) are near copies of each other, so no p-value is made of
pixels: groups are permuted, and where there are too few of them no p-value is given at all. Many
peaks are looked at, so p-values are adjusted after Benjamini and Hochberg (*J. R. Stat. Soc. B*
57:289, 1995).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product
from typing import Final

import numpy as np
from scipy.special import ndtr
from scipy.stats import rankdata

from napari_ims_tumor.annotation.regions import GroupKind
from napari_ims_tumor.msi.arrays import BoolArray, Float64Array, IntArray, frozen

LEVEL: Final = 0.05
MOST_ARRANGEMENTS: Final = 5000
"""Up to here every arrangement of the groups is counted; beyond, ranks are about normal."""
COLUMNS_AT_ONCE: Final = 256


@dataclass(frozen=True, slots=True, eq=False)
class Univariate:
    """What each peak says alone.

    Attributes
    ----------
    auc
        Shape (peaks,): area under the ROC curve over all pixels, 0.5 = nothing, above = higher in
        the class. Descriptive: pixels of one group are not independent.
    p, adjusted
        Shape (peaks,): p-value of a permutation of groups, two-sided, and the same adjusted for
        the number of peaks; NaN where groups are too few.
    test
        What was compared, in words.
    why_not
        Why there is no p-value; ``None`` where there is.
    """

    auc: Float64Array
    p: Float64Array
    adjusted: Float64Array
    test: str
    why_not: str | None = None

    def __post_init__(self) -> None:
        for name in ("auc", "p", "adjusted"):
            object.__setattr__(self, name, frozen(getattr(self, name), np.float64))

    @property
    def words(self) -> str:
        """What the p-values are, or why there are none, in one or two sentences."""
        return self.test if self.why_not is None else self.why_not


def compare(
    values: Float64Array, is_class: BoolArray, groups: IntArray, kind: GroupKind = "group"
) -> Univariate:
    """Compare peaks between the pixels of a class and the others.

    Parameters
    ----------
    values
        Shape (n, peaks): normalized intensities.
    is_class
        Shape (n,).
    groups
        Shape (n,): equal numbers are one group.
    kind
        What a group is, for the words.
    """
    auc = areas(values, is_class)
    unknown = np.full(values.shape[1], np.nan)
    design = _Design.of(values, is_class, groups)
    if design is None or design.least_p > LEVEL:
        return Univariate(auc, unknown, unknown, "", _too_few(design, kind))
    p = design.p_values()
    return Univariate(auc, p, benjamini_hochberg(p), design.words(kind))


def areas(values: Float64Array, is_class: BoolArray) -> Float64Array:
    """Area under the ROC curve of every column; 0.5 where only one class is there."""
    n, inside = is_class.size, int(is_class.sum())
    if inside in (0, n):
        return np.full(values.shape[1], 0.5)
    found = np.empty(values.shape[1])
    for first in range(0, values.shape[1], COLUMNS_AT_ONCE):
        part = slice(first, first + COLUMNS_AT_ONCE)
        ranks = rankdata(values[:, part], axis=0)[is_class].sum(axis=0)
        found[part] = (ranks - inside * (inside + 1) / 2) / (inside * (n - inside))
    return found


def benjamini_hochberg(p: Float64Array) -> Float64Array:
    """Adjust p-values so that a threshold on them bounds the share of false findings."""
    order = np.argsort(p)
    raised = p[order] * p.size / np.arange(1, p.size + 1)
    adjusted = np.empty_like(raised)
    adjusted[order] = np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 1)
    return adjusted


@dataclass(frozen=True, slots=True, eq=False)
class _Design:
    """Ranks of groups, and how they are permuted.

    Attributes
    ----------
    ranks
        Shape (groups, peaks). Where every group holds both sides: ranks of the differences, with
        their signs (Wilcoxon). Else ranks of the groups' means (Mann and Whitney), centered.
    inside
        Shape (groups,): which groups are of the class; ``None`` where each holds both sides.
    """

    ranks: Float64Array
    inside: BoolArray | None

    @classmethod
    def of(cls, values: Float64Array, is_class: BoolArray, groups: IntArray) -> _Design | None:
        """The design that can show most: within groups, or between groups of one side each."""
        ins, outs = (_means(values[s], groups[s]) for s in (is_class, ~is_class))
        both = sorted(ins.keys() & outs.keys())
        alone = [ins[g] for g in ins if g not in outs], [outs[g] for g in outs if g not in ins]
        designs = []
        if both:
            difference = np.stack([ins[g] - outs[g] for g in both])
            ranks = rankdata(abs(difference), axis=0) * np.sign(difference)
            designs.append(cls(ranks, None))
        if all(alone):
            ranks = rankdata(np.stack([*alone[0], *alone[1]]), axis=0)
            inside = np.arange(len(ranks)) < len(alone[0])
            designs.append(cls(ranks - ranks.mean(axis=0), inside))
        return min(designs, key=lambda design: design.least_p, default=None)

    @property
    def n_arrangements(self) -> int:
        """Count the ways in which groups can be permuted."""
        n = len(self.ranks)
        return 2**n if self.inside is None else math.comb(n, int(self.inside.sum()))

    @property
    def least_p(self) -> float:
        """The p-value of the most extreme arrangement there is."""
        return min(1.0, 2 / self.n_arrangements)

    def p_values(self) -> Float64Array:
        """Two-sided p-values, shape (peaks,)."""
        if self.inside is None:
            observed = self.ranks.sum(axis=0)
            spread = np.sqrt((self.ranks**2).sum(axis=0))
        else:
            n, k = self.inside.size, int(self.inside.sum())
            observed = self.ranks[self.inside].sum(axis=0)
            spread = np.sqrt(k * (n - k) / (n * (n - 1)) * (self.ranks**2).sum(axis=0))
        if self.n_arrangements > MOST_ARRANGEMENTS:
            far = np.divide(abs(observed), spread, out=np.zeros_like(spread), where=spread > 0)
            return np.asarray(2 * ndtr(-far), np.float64)
        arranged = np.array(list(self._arrangements()), np.float64) @ self.ranks
        # Equal sums must count as equal, whatever their last digit says.
        return np.asarray((abs(arranged) >= abs(observed) - 1e-9).mean(axis=0), np.float64)

    def words(self, kind: GroupKind) -> str:
        """Say what was compared."""
        n = len(self.ranks)
        if self.inside is None:
            what = f"within {n} {kind}s that hold both (signed ranks of {kind} means)"
        else:
            k = int(self.inside.sum())
            what = f"between {k} and {n - k} {kind}s of one class each (ranks of {kind} means)"
        said = f"p by permutation {what}, adjusted over all peaks (Benjamini-Hochberg)."
        return said if kind == "group" else f"{said} {kind.capitalize()}s of one slide {ONE_SLIDE}"

    def _arrangements(self) -> Iterator[list[float]]:
        n = len(self.ranks)
        if self.inside is None:
            yield from (list(signs) for signs in product((-1.0, 1.0), repeat=n))
            return
        for chosen in combinations(range(n), int(self.inside.sum())):
            yield [float(i in chosen) for i in range(n)]


ONE_SLIDE: Final = "tell about that slide, not about other patients."


def _means(values: Float64Array, groups: IntArray) -> dict[int, Float64Array]:
    return {int(g): values[groups == g].mean(axis=0) for g in np.unique(groups)}


def _too_few(design: _Design | None, kind: GroupKind) -> str:
    if design is None:
        return "AUC is descriptive only: both classes are needed for a comparison."
    return (
        f"AUC is descriptive only: with {len(design.ranks)} {kind}s to compare, no peak could have "
        f"a p-value below {design.least_p:.2g}. Pixels of one {kind} are not independent, so they "
        "are not counted as evidence."
    )
