from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ims_tumor.model.checkpoint import model_bytes
from napari_ims_tumor.model.linear_path import LinearPath, fit_linear
from napari_ims_tumor.model.predicting import predict_matrix
from napari_ims_tumor.model.samples import LabelledSpectra
from napari_ims_tumor.model.scores import balanced_accuracy
from napari_ims_tumor.model.weak_labels import (
    Learned,
    ToldLabels,
    at_share,
    fit_told,
)


def cores(build: Any, share: float, seed: int = 0, signal: float = 14.0) -> tuple[Any, Any]:
    """Twelve cores of 40 spectra: six healthy, six that hold tumor to a share, told as wholes."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(12), 40)
    told = (groups % 2).astype(np.int64)
    truth = told * (rng.random(480) < share)
    mean = np.full((480, 60), 20.0) * np.exp(0.2 * rng.normal(size=(12, 60)))[groups]
    mean[:, ::9] += signal * truth[:, None]
    spectra = LabelledSpectra(
        rng.poisson(mean).astype(np.float32), told, groups, build.axis(60),
        group_kind="group", regions=groups,
    )  # fmt: skip
    return spectra, truth


def judged(model: Any, spectra: LabelledSpectra, truth: Any) -> float:
    score = balanced_accuracy(predict_matrix(model, spectra.values), truth)
    assert score is not None
    return score


def test_cores_that_hold_some_tumor_are_learned_better_than_if_all_of_it_were(build: Any) -> None:
    spectra, _ = cores(build, 0.45)
    test, truth = cores(build, 0.45, seed=1)
    weak = build.fitted(spectra, network="linear")
    hard = build.fitted(replace(spectra, regions=None), network="linear")
    assert judged(weak, test, truth) > judged(hard, test, truth) + 0.05
    assert weak.card["share of tumor regions taken as tumor"] < 0.8


def test_pure_cores_are_taken_as_told(build: Any) -> None:
    spectra, _ = cores(build, 1.0)
    weak = build.fitted(spectra, network="linear")
    hard = build.fitted(replace(spectra, regions=None), network="linear")
    assert weak.card["share of tumor regions taken as tumor"] == 1.0
    test, truth = cores(build, 1.0, seed=1)
    assert judged(weak, test, truth) == pytest.approx(judged(hard, test, truth), abs=0.005)


def test_the_same_regions_give_the_same_file(build: Any) -> None:
    spectra, _ = cores(build, 0.45)
    one, two = (build.fitted(spectra, network="linear") for _ in range(2))
    assert model_bytes(one) == model_bytes(two)


def test_without_regions_it_is_the_linear_model(build: Any) -> None:
    spectra = build.spectra()
    inputs = spectra.values / 20
    start = LinearPath.zeros(2, inputs.shape[1])
    told = _end(fit_told(inputs, ToldLabels(spectra.classes, spectra.groups), start))
    alone = _end(fit_linear(inputs, spectra.classes, start))
    assert np.array_equal(told.linear.weight, alone.weight)


def test_strokes_stay_what_they_are_inside_a_region(build: Any) -> None:
    spectra, truth = cores(build, 0.45)
    regions = np.array(spectra.regions)
    by_hand = np.flatnonzero((regions % 2 == 1) & (truth == 0))[::4]
    regions[by_hand] = -1
    classes = np.array(spectra.classes)
    classes[by_hand] = 0
    told = ToldLabels(classes, spectra.groups, regions)
    inputs = np.sqrt(spectra.values) - np.sqrt(spectra.values).mean(axis=0)
    learned = _end(fit_told(inputs, told, LinearPath.zeros(2, 60)))
    assert learned.classes.ndim == 2
    assert np.array_equal(learned.classes[by_hand], np.eye(2)[classes[by_hand]])
    healthy = regions % 2 == 0
    assert np.array_equal(learned.classes[healthy], np.eye(2)[classes[healthy]])
    assert np.allclose(learned.classes.sum(axis=1), 1)


def test_no_region_is_taken_for_less_than_the_least_share(build: Any) -> None:
    spectra, _ = cores(build, 0.05)
    inputs = np.sqrt(spectra.values) - np.sqrt(spectra.values).mean(axis=0)
    told = ToldLabels(spectra.classes, spectra.groups, spectra.regions, 0.3)
    learned = _end(fit_told(inputs, told, LinearPath.zeros(2, 60)))
    # The least share is what is expected of a region; its own pixels may say a little less.
    assert 0.2 < learned.shares[1] < 0.7


def test_regions_alone_are_scored_by_region_and_say_so(build: Any) -> None:
    spectra, _ = cores(build, 0.6)
    model = build.fitted(spectra, epochs=1)
    assert model.card.get("held-out balanced accuracy") is None
    assert model.card["regions judged"] == 12
    assert 0.5 < model.card["held-out balanced accuracy by region"] <= 1
    assert "no pixel was labelled by hand: scored by region" in model.card["note"]
    assert not model.calibrated
    assert not model.has_cnn


def test_scores_beside_regions_are_of_strokes_alone(build: Any) -> None:
    spectra, truth = cores(build, 0.45)
    regions, classes = np.array(spectra.regions), np.array(spectra.classes)
    by_hand = np.arange(0, 480, 5)
    regions[by_hand], classes[by_hand] = -1, truth[by_hand]
    mixed = replace(spectra, regions=regions, classes=classes)
    model = build.fitted(mixed, epochs=2)
    assert model.card["labelled by hand"] == by_hand.size
    assert model.card["held-out balanced accuracy, linear"] is not None
    # A wrong rough label that nobody judged by changes no score: the truth of strokes does.
    lies = classes.copy()
    lies[by_hand] = 1 - lies[by_hand]
    worse = build.fitted(replace(mixed, classes=lies), network="linear")
    key = "held-out balanced accuracy"
    assert worse.card[key] < build.fitted(mixed, network="linear").card[key]


@pytest.mark.parametrize("network", ["isotopenet", "default"])
def test_networks_learn_soft_labels(build: Any, network: str) -> None:
    spectra, truth = cores(build, 0.45, signal=25.0)
    regions, classes = np.array(spectra.regions), np.array(spectra.classes)
    by_hand = np.arange(0, 480, 5)
    regions[by_hand], classes[by_hand] = -1, truth[by_hand]
    model = build.fitted(replace(spectra, regions=regions, classes=classes), network=network,
                         epochs=3)  # fmt: skip
    assert judged(model, spectra, truth) > 0.8


@settings(max_examples=30)
@given(
    st.lists(st.floats(-20, 20), min_size=2, max_size=40), st.floats(0.05, 0.95)
)  # fmt: skip
def test_probabilities_at_a_share_keep_the_order_and_the_mean(
    margins: list[float], share: float
) -> None:
    given_margins = np.array(margins)
    found = at_share(given_margins, share)
    assert found.mean() == pytest.approx(share, abs=1e-6)
    order = np.argsort(given_margins)
    assert (np.diff(found[order]) >= 0).all()


def _end(steps: Generator[float, None, Any]) -> Any:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            value: Learned = end.value
            return value
