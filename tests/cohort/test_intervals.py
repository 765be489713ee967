"""Intervals over few groups: as often wrong as they say, and none where nothing can be said."""

from __future__ import annotations

import numpy as np
import pytest

from napari_ims_tumor.cohort.intervals import Bootstrap, groups_behind, interval_of
from napari_ims_tumor.cohort.tallies import GroupTallies, tally

NAMES = ("healthy", "tumor")


def judged(groups: int, draw: np.random.Generator, ease: np.ndarray) -> GroupTallies:
    """A network that is as good as any other, but not on the same patients."""
    classes = np.tile(np.repeat([0, 1], 20), groups)
    group = np.repeat(np.arange(groups), 40)
    apart = (ease + draw.normal(0, 0.35, groups))[group] * (2 * classes - 1)
    logits = apart + draw.normal(0, 0.4, groups)[group] + draw.normal(size=classes.size)
    tumor = 1 / (1 + np.exp(-1.5 * logits))
    return tally(np.stack([1 - tumor, tumor], axis=1), classes, group)


@pytest.mark.parametrize("groups", [5, 9])
def test_equally_good_networks_are_rarely_called_different(groups: int) -> None:
    draw, claimed, times = np.random.default_rng(0), 0, 200
    for _ in range(times):
        ease = draw.normal(1.2, 0.6, groups)
        networks = {name: judged(groups, draw, ease) for name in ("linear", "default")}
        found = Bootstrap.over(networks, "patient", NAMES).differences("default", "linear")
        claimed += found["balanced_accuracy"]["shown"] is not None
    # 5 of 100 are meant; percentiles of the draws alone claim 16 of 100 with 5 groups.
    assert claimed <= 0.1 * times


def test_an_interval_of_few_groups_is_wider_than_the_draws_are() -> None:
    draws = np.random.default_rng(0).normal(size=50_000)
    plain = interval_of(draws)
    assert plain.low == pytest.approx(-1.96, abs=0.03)
    widths = [interval_of(draws, n).high or 0.0 for n in (5, 10, 30, 1000)]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] == pytest.approx(3.10, abs=0.1)
    assert widths[-1] == pytest.approx(1.96, abs=0.03)


def test_a_perfect_figure_has_no_interval_and_a_difference_of_two_has_one() -> None:
    classes, group = np.tile([0, 1], 60), np.repeat(np.arange(6), 20)
    perfect = tally(np.eye(2)[classes] * 0.8 + 0.1, classes, group)
    found = Bootstrap.over({"linear": perfect, "default": perfect}, "patient", NAMES)
    assert found.figures("linear")["balanced_accuracy"] == 1
    assert found.intervals("linear")["balanced_accuracy"]["low"] is None
    assert found.intervals("linear")["brier"]["low"] == pytest.approx(0.01)
    assert found.differences("default", "linear")["balanced_accuracy"]["low"] == 0


def test_a_figure_of_a_class_tells_of_the_groups_that_hold_it() -> None:
    classes = np.array([0, 0, 0, 0, 1, 1, 0])
    group = np.array([0, 1, 2, 3, 3, 4, 4])
    found = groups_behind(tally(np.eye(2)[classes], classes, group))
    assert (found["sensitivity"], found["specificity"]) == (2, 5)
    assert (found["balanced_accuracy"], found["auroc"], found["brier"]) == (2, 2, 5)
