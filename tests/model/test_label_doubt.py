"""Labels that seem wrong: suspected where most groups contradict them, then not learned from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ims_tumor.job import run_inline
from napari_ims_tumor.model import linear_phase, plain_phase
from napari_ims_tumor.model.checkpoint import write_model
from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.model.fit_run import FitRun
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.fitting import fit
from napari_ims_tumor.model.label_doubt import FEWEST_GROUPS, seem_wrong, wrong_share
from napari_ims_tumor.model.linear_phase import LEFT_OUT, NO_TIME, SUSPECT
from napari_ims_tumor.model.predicting import predict_matrix
from napari_ims_tumor.model.samples import LabelledSpectra
from napari_ims_tumor.model.unfinished_file import read_unfinished, write_unfinished
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


@given(share=st.floats(0.01, 0.49), right=st.floats(0.0, 1.0), k=st.integers(2, 5))
def test_a_label_seems_wrong_where_it_is_more_probably_wrong_than_right(share, right, k) -> None:
    """By Bayes' rule, from the probability of the true class before the label is heard."""
    each = share / (k - 1)
    heard = right * (1 - share) + (1 - right) * each
    wrong = (1 - right) * each / heard
    others = np.zeros(k - 1)
    others[0] = 1 - heard  # one class has all the rest: it is never less than the label's own
    asked = np.tile(np.concatenate([[heard], others]), (k, 1))
    told = np.arange(k)  # each class as often as the others
    if abs(wrong - 0.5) > 1e-9 and abs(heard - 0.5) > 1e-9:
        assert seem_wrong(asked, told, share)[0] == (wrong > 0.5 and heard < 0.5)


def test_a_label_that_models_agree_with_never_seems_wrong() -> None:
    assert not seem_wrong(np.array([[0.4, 0.2, 0.2, 0.2]] * 4), np.arange(4), 0.3)[0]


def test_wrong_labels_of_a_rare_class_are_found() -> None:
    """Models treat classes alike; most labels of a rare class may still be wrong."""
    rng = np.random.default_rng(0)
    truth = (rng.random(8000) < 0.1).astype(int)
    told = np.where(rng.random(truth.size) < 0.1, 1 - truth, truth)
    score = rng.normal(3.0 * truth - 1.5, 1.0)
    tumor = 1 / (1 + 9 * np.exp(-3.0 * score))
    heard = 0.9 * tumor + 0.1 * (1 - tumor)
    # As a model says it that is taught with class weights: as if both were told equally often.
    often = np.bincount(told)
    alike = 1 / (1 + (1 - heard) / heard * often[1] / often[0])
    wrong = seem_wrong(np.stack([1 - alike, alike], axis=1), told, 0.1)
    rare = told == 1
    assert (wrong & rare & (truth == 0)).sum() > 0.5 * (rare & (truth == 0)).sum()


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
    believing, doubting = fitted(labelled), fitted(labelled, doubt_labels=True)
    assert LEFT_OUT not in believing.card
    assert SUSPECT in str(believing.card["note"])
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
    believing, doubting = fitted(labelled), fitted(labelled, doubt_labels=True)
    assert LEFT_OUT not in doubting.card
    assert SUSPECT not in str(doubting.card.get("note"))
    for name, values in believing.weights.items():
        assert np.array_equal(values, doubting.weights[name]), name


def test_a_network_does_not_learn_from_them_either() -> None:
    labelled, _ = spectra(0.25)
    model = fitted(labelled, network="default", epochs=2, doubt_labels=True)
    assert model.card[LEFT_OUT] == fitted(labelled, doubt_labels=True).card[LEFT_OUT]
    assert right(model) > right(fitted(labelled))


def test_a_network_that_answers_alone_is_judged_without_them_too(monkeypatch) -> None:
    """What it is calibrated with is the same procedure as what it is made with."""
    labelled, _ = spectra(0.25)
    taught: list[np.ndarray] = []
    make = plain_phase.Trainer

    def trainer(shape, data, *rest):
        taught.append(np.asarray(data.classes))
        return make(shape, data, *rest)

    monkeypatch.setattr(plain_phase, "Trainer", trainer)
    fitted(labelled, network="isotopenet", epochs=1, doubt_labels=True)
    assert len(taught) > 1
    for classes in taught:
        assert classes.ndim == 2
        assert (classes.sum(axis=1) == 0).any()


def test_without_time_to_leave_them_out_that_is_said(monkeypatch) -> None:
    labelled, _ = spectra(0.2)
    monkeypatch.setattr(FitRun, "can_wait", lambda run, seconds: seconds < run.seconds)
    model = fitted(labelled, doubt_labels=True)
    assert NO_TIME in str(model.card["note"])
    assert LEFT_OUT not in model.card


def test_a_fit_that_goes_on_keeps_to_what_it_began_with(tmp_path, monkeypatch) -> None:
    labelled, _ = spectra(0.25)
    config = FitConfig("default", device="cpu", doubt_labels=True, steps=4)
    ended = run_inline(fit(labelled, config))
    assert ended.unfinished is not None
    path = tmp_path / "m.safetensors"
    write_model(path, ended)
    write_unfinished(path, ended.unfinished)
    again = read_unfinished(path, None)
    assert again.doubted
    # Nobody asks a second time.
    monkeypatch.setattr(linear_phase, "_is_suspect", lambda judged: False)
    model = run_inline(fit(labelled, config, again))
    assert model.card[LEFT_OUT] == ended.card[LEFT_OUT]
