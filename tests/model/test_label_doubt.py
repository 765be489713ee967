"""Labels that seem wrong: suspected where most groups contradict them, then not learned from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ims_tumor.job import run_inline
from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.fitting import fit
from napari_ims_tumor.model.label_doubt import FEWEST_GROUPS, seem_wrong, wrong_share
from napari_ims_tumor.model.linear_phase import LEFT_OUT
from napari_ims_tumor.model.predicting import predict_matrix
from napari_ims_tumor.model.samples import LabelledSpectra
from napari_ims_tumor.msi.mass_axis import MassAxis

GROUPS, PIXELS, BINS = 12, 60, 40
AXIS = MassAxis(np.linspace(700.0, 900.0, BINS))


def answers(rng: np.random.Generator, wrong: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities of good models, labels of which some are wrong, and groups."""
    groups = np.repeat(np.arange(GROUPS), 200)
    truth = rng.integers(0, 2, groups.size)
    told = np.where(rng.random(truth.size) < wrong, 1 - truth, truth)
    sure = rng.uniform(0.6, 0.95, truth.size)
    probabilities = np.where(truth[:, None] == np.arange(2), sure[:, None], 1 - sure[:, None])
    return probabilities, told, groups


@pytest.mark.parametrize("wrong", [0.1, 0.2, 0.3])
def test_the_share_of_wrong_labels_is_found(wrong: float) -> None:
    found = wrong_share(*answers(np.random.default_rng(3), wrong))
    assert found == pytest.approx(wrong, abs=0.05)


def test_right_labels_are_not_suspected_nor_labels_that_mean_nothing() -> None:
    rng = np.random.default_rng(0)
    assert wrong_share(*answers(rng, 0.0)) is None
    assert wrong_share(*answers(rng, 0.5)) is None


def test_patients_unlike_all_others_are_no_reason_to_suspect_labels() -> None:
    probabilities, told, groups = answers(np.random.default_rng(0), 0.0)
    odd = groups < GROUPS // 3
    probabilities[odd] = probabilities[odd, ::-1]
    assert wrong_share(probabilities, told, groups) is None


def test_few_groups_cannot_tell() -> None:
    probabilities, told, groups = answers(np.random.default_rng(0), 0.2)
    assert wrong_share(probabilities, told, groups) is not None
    few = groups < FEWEST_GROUPS - 1
    assert wrong_share(probabilities[few], told[few], groups[few]) is None


@given(share=st.floats(0.01, 0.49), right=st.floats(0.0, 1.0))
def test_a_label_seems_wrong_where_it_is_more_probably_wrong_than_right(share, right) -> None:
    """By Bayes' rule, from the probability of the true class before the label is heard."""
    heard = right * (1 - share) + (1 - right) * share
    wrong = (1 - right) * share / heard
    if abs(wrong - 0.5) > 1e-9:
        (found,) = seem_wrong(np.array([[heard, 1 - heard]]), np.array([0]), share)
        assert found == (wrong > 0.5)


def spectra(wrong: float, seed: int = 0) -> tuple[LabelledSpectra, np.ndarray]:
    """Two classes that weak peaks tell apart, in groups that differ; and the true classes."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(GROUPS), PIXELS)
    truth = rng.integers(0, 2, groups.size)
    told = np.where(rng.random(truth.size) < wrong, 1 - truth, truth)
    values = rng.gamma(4.0, 1.0, (truth.size, BINS)) * rng.gamma(20.0, 0.05, (GROUPS, BINS))[groups]
    values[:, :8] += 2.2 * truth[:, None]
    return LabelledSpectra(values.astype(np.float32), told, groups, AXIS, group_kind="group"), truth


def fitted(labelled: LabelledSpectra, **options: object) -> FittedModel:
    return run_inline(fit(labelled, FitConfig(**{"network": "linear", "device": "cpu", **options})))


def right(model: FittedModel, seed: int = 9) -> float:
    unseen, truth = spectra(0.0, seed)
    return float((predict_matrix(model, unseen.values, "cpu").argmax(axis=1) == truth).mean())


def test_without_wrong_labels_a_model_is_better_and_judged_by_all_of_them() -> None:
    labelled, truth = spectra(0.2)
    believing, doubting = fitted(labelled, trust_labels=True), fitted(labelled)
    assert LEFT_OUT not in believing.card
    left_out = doubting.card[LEFT_OUT]
    assert isinstance(left_out, int)
    assert 0.5 < left_out / (labelled.classes != truth).sum() < 1.3
    assert f"{left_out} of 720 labels seem wrong" in str(doubting.card["note"])
    assert right(doubting) > right(believing)
    score = doubting.card["held-out balanced accuracy"]
    assert isinstance(score, float)
    assert score < 0.85, "one label in five is wrong, and judges like all others"


def test_with_right_labels_nothing_changes() -> None:
    labelled, _ = spectra(0.0)
    believing, doubting = fitted(labelled, trust_labels=True), fitted(labelled)
    assert LEFT_OUT not in doubting.card
    for name, values in believing.weights.items():
        assert np.array_equal(values, doubting.weights[name]), name


def test_a_network_does_not_learn_from_them_either() -> None:
    labelled, _ = spectra(0.25)
    model = fitted(labelled, network="default", epochs=2)
    assert model.card[LEFT_OUT] == fitted(labelled).card[LEFT_OUT]
    assert right(model) > right(fitted(labelled, trust_labels=True))
