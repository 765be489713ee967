from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, mannwhitneyu, wilcoxon
from sklearn.metrics import roc_auc_score

from napari_ims_tumor.cohort.univariate import areas, benjamini_hochberg, compare
from napari_ims_tumor.msi.arrays import BoolArray, Float64Array, IntArray


def cores(n: int, effect: float, seed: int = 0) -> tuple[Float64Array, BoolArray, IntArray]:
    """Groups of one class each, ten pixels in every one, which are near copies; two peaks."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n), 10)
    tumor = groups % 2 == 1
    own = rng.normal(size=(n, 2))[groups] + rng.normal(0, 0.1, (10 * n, 2))
    own[:, 0] += effect * tumor
    return own, tumor, groups


def patients(n: int, effect: float, seed: int = 0) -> tuple[Float64Array, BoolArray, IntArray]:
    """Groups that hold both classes."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n), 10)
    tumor = np.arange(10 * n) % 2 == 1
    own = rng.normal(0, 5, (n, 2))[groups] + rng.normal(size=(10 * n, 2))
    own[:, 0] += effect * tumor
    return own, tumor, groups


@given(seed=st.integers(0, 1000), ties=st.booleans())
def test_areas_are_those_of_scikit_learn(seed: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(40, 3))
    values = np.round(values) if ties else values
    tumor = np.arange(40) % 3 == 0
    expected = [roc_auc_score(tumor, column) for column in values.T]
    assert np.allclose(areas(values, tumor), expected)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_adjusted_values_are_those_of_scipy(values: list[float]) -> None:
    p = np.array(values)
    assert np.allclose(benjamini_hochberg(p), false_discovery_control(p))


def test_between_groups_it_is_the_exact_test_of_mann_and_whitney() -> None:
    values, tumor, groups = cores(10, effect=1.0)
    means = np.stack([values[groups == g].mean(axis=0) for g in range(10)])
    expected = mannwhitneyu(means[1::2], means[::2], axis=0, method="exact").pvalue
    assert np.allclose(compare(values, tumor, groups).p, expected)


def test_within_groups_it_is_the_exact_test_of_wilcoxon() -> None:
    values, tumor, groups = patients(9, effect=1.0)
    sides = [
        np.stack([values[(groups == g) & s].mean(axis=0) for g in range(9)])
        for s in (tumor, ~tumor)
    ]
    expected = wilcoxon(*sides, axis=0, method="exact").pvalue
    assert np.allclose(compare(values, tumor, groups).p, expected)


@pytest.mark.parametrize(("make", "n"), [(cores, 40), (patients, 40)])
def test_many_groups_give_about_what_scipy_gives(make, n) -> None:
    values, tumor, groups = make(n, effect=0.5)
    found = compare(values, tumor, groups).p
    sides = [values[s] for s in (tumor, ~tumor)]
    means = [
        np.stack([v[groups[s] == g].mean(axis=0) for g in np.unique(groups[s])])
        for v, s in zip(sides, (tumor, ~tumor), strict=True)
    ]
    test = mannwhitneyu if make is cores else wilcoxon
    assert np.allclose(found, test(*means, axis=0).pvalue, atol=0.01)


def test_copies_of_pixels_are_no_evidence() -> None:
    values, tumor, groups = cores(10, effect=1.0)
    copied = [np.repeat(part, 50, axis=0) for part in (values, tumor, groups)]
    assert np.allclose(compare(*copied).p, compare(values, tumor, groups).p)


def test_pixels_without_signal_are_not_called_significant() -> None:
    """By pixels nearly every peak would be: the 10 pixels of a core say the same."""
    p = np.concatenate([compare(*cores(12, 0.0, seed)).p for seed in range(150)])
    assert (p <= 0.05).mean() < 0.09


def test_a_strong_peak_is_found() -> None:
    found = compare(*cores(12, effect=6.0))
    assert found.adjusted[0] < 0.01 < found.adjusted[1]
    assert found.auc[0] > 0.95
    assert "between 6 and 6 groups of one class each" in found.words


def test_too_few_groups_are_only_described() -> None:
    found = compare(*cores(4, effect=6.0))
    assert found.auc[0] > 0.9
    assert np.isnan(found.p).all()
    assert "with 4 groups to compare, no peak could have a p-value below 0.33" in found.words
    assert "not independent" in found.words
    values, _, groups = cores(4, effect=6.0)
    alone = compare(values, np.ones(40, bool), groups)
    assert "both classes are needed" in alone.words
    assert (alone.auc == 0.5).all()


def test_strokes_of_one_slide_are_said_to_be_such() -> None:
    assert "not about other patients" in compare(*cores(12, 6.0), "stroke").words


def test_a_peak_that_is_always_zero_shows_nothing() -> None:
    values, tumor, groups = cores(12, 1.0)
    values[:, 1] = 0
    for n, make in ((12, cores), (40, patients)):
        values, tumor, groups = make(n, 1.0)
        values[:, 1] = 0
        found = compare(values, tumor, groups)
        assert (found.p[1], found.adjusted[1], found.auc[1]) == (1, 1, 0.5)
