from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from napari_ims_tumor.errors import FitRefused, ModelFileError
from napari_ims_tumor.job import STOP, run_inline
from napari_ims_tumor.model import epoch_choice
from napari_ims_tumor.model.checkpoint import model_bytes
from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.model.fit_run import FitRun
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.fitting import EpochReport, fit
from napari_ims_tumor.model.linear_phase import linear_phase
from napari_ims_tumor.model.predicting import predict_matrix
from napari_ims_tumor.model.samples import why_not_fit
from napari_ims_tumor.model.scores import balanced_accuracy
from napari_ims_tumor.model.training import Trainer
from napari_ims_tumor.msi.matrix_room import MatrixRoom


def test_the_linear_answer_comes_first_with_device_and_score(build: Any) -> None:
    seen, model = build.reports(build.spectra(), epochs=2)
    previews = [r for r in seen if r.preview is not None]
    assert previews[0].preview.network.network == "linear"
    assert previews[0].phase == "Linear model"
    assert all(r.device.startswith("CPU") for r in seen)
    assert previews[1].held_out_score > 0.8
    assert model.calibrated
    assert any(r.seconds_left is not None for r in seen)


def test_scores_of_fewer_folds_are_told_only_as_a_pair(build: Any) -> None:
    seen, _ = build.reports(build.spectra(), epochs=2)
    of_network = [r for r in seen if r.phase == "Network on held-out groups"]
    assert of_network[0].linear_score is None, "no epoch is judged yet"
    assert of_network[-1].linear_score is not None
    for report in of_network:
        assert (report.linear_score is None) == (report.held_out_score is None)


def test_linear_alone_predicts_what_it_learned(build: Any) -> None:
    model = build.fitted(build.spectra(), network="linear")
    test = build.spectra(seed=9)
    probabilities = predict_matrix(model, test.values)
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert balanced_accuracy(probabilities, test.classes) > 0.9
    assert not any(name.startswith("cnn.") for name in model.weights)


def test_a_distant_gate_is_solved_by_the_default_network_and_by_no_linear_model(
    build: Any, gate_fit: tuple[list[EpochReport], FittedModel]
) -> None:
    test = build.distant_gate(400, 200, 1)
    seen, model = gate_fit
    assert balanced_accuracy(predict_matrix(model, test.values), test.classes) >= 0.95
    linear = next(r.preview for r in seen if r.preview)
    assert balanced_accuracy(predict_matrix(linear, test.values), test.classes) <= 0.80


def test_labels_without_signal_score_like_chance(build: Any) -> None:
    scores = []
    for seed in range(4):
        spectra = build.spectra(n=200, n_groups=20, seed=seed, signal=0.0)
        seen, _ = build.reports(spectra, network="linear")
        scores.append(seen[-1].held_out_score)
    assert abs(np.mean(scores) - 0.5) <= 0.05


def test_where_the_cnn_does_not_help_the_linear_answer_stands(build: Any) -> None:
    spectra = build.spectra(n=80, signal=0.0)
    model = build.fitted(spectra, epochs=3)
    linear = build.fitted(spectra, network="linear")
    if model.blend == 0:
        assert "no better" in str(model.card["note"])
        expected = predict_matrix(linear, spectra.values)
        assert np.array_equal(predict_matrix(model, spectra.values), expected)


def test_the_cnn_is_not_polished_where_nothing_is_left_to_learn(
    build: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def epochs() -> int:
        seen, _ = build.reports(build.spectra(n=30, bins=20), epochs=3)
        return max(r.epoch for r in seen if r.phase == "Network on held-out groups")

    monkeypatch.setattr(epoch_choice, "NOTHING_LEFT", 10.0)
    assert epochs() == 1
    monkeypatch.setattr(epoch_choice, "NOTHING_LEFT", 0.0)
    assert epochs() == 3


@pytest.mark.parametrize("stop_after", [1, 2, 3, 6])
def test_stop_returns_the_best_so_far_at_any_time(build: Any, stop_after: int) -> None:
    spectra = build.spectra(n=200, bins=300)
    seen, model = build.reports(spectra, stop_after=stop_after)
    assert len(seen) <= stop_after + 1
    assert balanced_accuracy(predict_matrix(model, spectra.values), spectra.classes) > 0.9


def test_reports_come_at_least_every_half_second(build: Any) -> None:
    spectra = build.distant_gate(60, 20_000, 0)
    job = fit(spectra, FitConfig(device="cpu", epochs=1))
    last, gaps = time.monotonic(), []
    for _ in job:
        gaps.append(time.monotonic() - last)
        last = time.monotonic()
    assert max(gaps) < 1.0  # 0.5 s on a machine that does nothing else


def test_stop_in_the_middle_of_an_epoch_keeps_a_model(build: Any) -> None:
    job = fit(build.distant_gate(400, 600, 0), FitConfig(device="cpu"))
    report = next(job)
    while not report.phase.startswith("Network"):
        report = next(job)
    begun = time.monotonic()
    with pytest.raises(StopIteration) as end:
        job.send(STOP)
    assert time.monotonic() - begun < 0.5
    assert end.value.value.network.network in ("linear", "default")


@pytest.mark.parametrize("limit", [0.01, 0.5])
def test_a_time_limit_ends_the_fit_and_the_card_says_so(build: Any, limit: float) -> None:
    begun = time.monotonic()
    model = build.fitted(build.distant_gate(400, 600, 0), time_limit_s=limit)
    assert time.monotonic() - begun < limit + 2.5
    assert predict_matrix(model, np.ones((1, 600))).shape == (1, 2)
    assert f"ended by its time limit of {limit:g} s" in str(model.card["note"])


def test_ended_before_the_first_epoch_it_does_not_say_that_a_cnn_was_judged(build: Any) -> None:
    job = fit(build.distant_gate(300, 60, 0), FitConfig(device="cpu"))
    report = next(job)
    while not report.phase.startswith("Network"):
        report = next(job)
    with pytest.raises(StopIteration) as end:
        job.send(STOP)
    note = end.value.value.card["note"]
    assert note == "stopped after 0 of 12 epochs; no CNN was judged by then: linear is used"


@pytest.mark.parametrize("network", ["default", "linear"])
def test_limits_that_cost_nothing_change_nothing(build: Any, network: Any) -> None:
    spectra = build.distant_gate(300, 60, 0)
    free, timed, counted = (
        model_bytes(build.fitted(spectra, network=network, epochs=1, **limits))
        for limits in ({}, {"time_limit_s": 3600}, {"steps": 100_000})
    )
    assert free == timed == counted


def test_within_a_time_limit_the_cnn_on_all_labels_is_always_ready(build: Any) -> None:
    spectra = build.distant_gate(300, 60, 0)
    job = fit(spectra, FitConfig(device="cpu", time_limit_s=3600))
    report = next(job)
    while report.loss is None:
        report = next(job)
    with pytest.raises(StopIteration) as end:
        job.send(STOP)
    stopped, whole = end.value.value, build.fitted(spectra, epochs=1)
    assert whole.has_cnn
    assert stopped.model_id == whole.model_id
    assert stopped.temperature is not None
    assert "stopped after 1 of 12 epochs" in str(stopped.card["note"])


def test_within_a_time_limit_fewer_groups_may_judge_the_linear_model(build: Any) -> None:
    spectra = build.spectra(n=2000, bins=300, n_groups=40)
    config = FitConfig("linear", device="cpu")
    hurried, unhurried = (
        run_inline(linear_phase(spectra, config, None, FitRun(3600, "CPU", later)))
        for later in (1.0, 0.5)
    )
    assert len(hurried.validation.folds) == 1
    assert len(unhurried.validation.folds) == 5
    assert hurried.held_out.rows.size == hurried.validation.folds[0].held_out.size
    assert hurried.model.calibrated
    assert "1 of 5 parts of the groups judged it" in str(hurried.model.card["note"])
    assert "note" not in unhurried.model.card


def test_steps_bound_what_the_network_learns(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epoch_choice, "NOTHING_LEFT", 0.0)
    seen, model = build.reports(build.distant_gate(200, 60, 0), steps=90)
    assert max(report.epoch for report in seen if report.loss is not None) == 2
    assert "ended by its limit of 90 steps after 2 of 12 epochs" in str(model.card["note"])


def test_one_pixel_per_class_fits_and_says_that_nothing_was_judged(build: Any) -> None:
    spectra = build.spectra(n=2, n_groups=2)
    seen, model = build.reports(spectra)
    assert (predict_matrix(model, spectra.values).argmax(axis=1) == spectra.classes).all()
    assert model.temperature is None
    assert all(r.held_out_score is None for r in seen)
    assert "no validation" in str(model.card["note"])
    assert "no validation" in seen[-1].note


@pytest.mark.parametrize("bins", [3, 7, 20_000])
def test_axes_of_any_length(build: Any, bins: int) -> None:
    model = build.fitted(build.spectra(n=24, bins=bins, signal=200.0), epochs=1)
    assert np.isfinite(predict_matrix(model, np.ones((2, bins)))).all()


def test_empty_spectra_say_nothing_and_break_nothing(build: Any) -> None:
    spectra = build.spectra()
    values = spectra.values.copy()
    values[:5] = 0
    model = build.fitted(replace(spectra, values=values), network="linear")
    empty = predict_matrix(model, np.zeros((1, 50)))
    assert np.allclose(empty, 0.5, atol=0.2)


def test_nothing_but_empty_spectra(build: Any) -> None:
    spectra = replace(build.spectra(), values=np.zeros((60, 50), np.float32))
    assert np.allclose(predict_matrix(build.fitted(spectra, epochs=1), np.ones((1, 50))), 0.5)


def test_one_class_is_refused(build: Any) -> None:
    spectra = replace(build.spectra(), classes=np.zeros(60, np.int64))
    with pytest.raises(FitRefused, match="No tumor pixel"):
        build.fitted(spectra)
    assert why_not_fit({"healthy": 0, "tumor": 0}) is not None
    assert why_not_fit({"healthy": 1, "tumor": 1}) is None


def test_an_imbalance_of_one_to_a_hundred_does_not_hide_the_rare_class(build: Any) -> None:
    spectra = build.spectra(n=808, n_groups=8, signal=60.0)
    rare = np.flatnonzero((spectra.classes == 0) | (np.arange(808) % 101 == 1))
    model = build.fitted(spectra.take(rare), network="linear")
    test = build.spectra(seed=5, signal=60.0)
    assert balanced_accuracy(predict_matrix(model, test.values), test.classes) > 0.9


def test_held_out_groups_are_never_fitted(build: Any) -> None:
    """Each group has peaks of its own that tell its labels: only a leak can use them."""
    rng = np.random.default_rng(0)
    spectra = build.spectra(n=240, bins=80, n_groups=24, signal=0.0)
    classes = rng.integers(0, 2, 240)
    values = spectra.values.copy()
    # Either of two peaks is high, so that the sum of a spectrum tells nothing.
    values[np.arange(240), 20 + 2 * spectra.groups + classes] += 300
    leaky = replace(spectra, values=values, classes=classes)
    seen, _ = build.reports(leaky, network="linear")
    by_pixel = replace(leaky, groups=np.arange(240))
    open_eyes, _ = build.reports(by_pixel, network="linear")
    assert open_eyes[-1].held_out_score > seen[-1].held_out_score + 0.1


FIT_IN_A_PROCESS = """
import hashlib, numpy as np, sys
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.model import network_phase
from napari_ims_tumor.model.checkpoint import model_bytes
from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.model.fitting import fit
from napari_ims_tumor.model.samples import LabelledSpectra
from napari_ims_tumor.msi.mass_axis import MassAxis
rng = np.random.default_rng(0)
n, bins = 120, 150
a, c, d = (rng.integers(0, 2, n) for _ in range(3))
values = rng.poisson(20.0, (n, bins)).astype(np.float32)
for at, high in ((15, a), (75, c), (135, d)):
    values[:, at] += 200 * high
spectra = LabelledSpectra(
    values, np.where(c == 1, a, d), np.arange(n) // 6, MassAxis(np.arange(bins) + 500.0)
)
model = run_inline(fit(spectra, FitConfig(device="cpu", epochs=2, seed=3)))
print(model.blend, hashlib.sha256(model_bytes(model)).hexdigest())
"""


def test_two_processes_make_the_same_bytes() -> None:
    def run(threads: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", FIT_IN_A_PROCESS],
            check=True, capture_output=True, text=True,
            env={"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, "PATH": "/usr/bin"},
        ).stdout  # fmt: skip

    assert run("1") == run("2") != ""


def test_fine_tuning_keeps_axis_classes_and_normalization(build: Any) -> None:
    base = build.fitted(build.spectra(), network="linear")
    tuned = build.fitted(build.spectra(n=12, seed=4), base, network="linear")
    assert np.array_equal(tuned.weights["input.center"], base.weights["input.center"])
    assert not np.array_equal(tuned.weights["linear.weight"], base.weights["linear.weight"])
    with pytest.raises(ModelFileError, match="m/z"):
        build.fitted(build.spectra(bins=51), base)


def test_fine_tuning_from_few_pixels_is_better_than_starting_new(build: Any) -> None:
    def noisy(n: int, seed: int) -> Any:
        return build.spectra(n=n, bins=400, seed=seed, signal=8.0)

    base = build.fitted(noisy(300, 0), network="linear")
    few, test = noisy(10, 1), noisy(400, 2)
    tuned, new = (build.fitted(few, start, network="linear") for start in (base, None))
    scores = [balanced_accuracy(predict_matrix(m, test.values), test.classes) for m in (tuned, new)]
    assert scores[0] > scores[1]


def test_a_base_with_a_cnn_is_fine_tuned_and_its_cnn_kept_where_nothing_can_judge(
    build: Any, gate_fit: tuple[list[EpochReport], FittedModel]
) -> None:
    base = gate_fit[1]
    assert base.blend > 0
    few = build.distant_gate(12, 200, 5)
    alone = replace(few, groups=np.zeros(12, np.int64))
    tuned = build.fitted(alone, base)
    assert np.array_equal(tuned.weights["cnn.stem.weight"], base.weights["cnn.stem.weight"])
    test = build.distant_gate(200, 200, 6)
    assert balanced_accuracy(predict_matrix(tuned, test.values), test.classes) > 0.85


def test_models_of_one_fit_are_the_same_bytes_twice(build: Any) -> None:
    first, second = (build.fitted(build.spectra(), epochs=2) for _ in range(2))
    assert model_bytes(first) == model_bytes(second)


def test_a_broken_loss_keeps_what_was_good_and_says_so(
    build: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trainer, "_step", lambda *_: float("nan"))
    spectra = build.spectra()
    seen, model = build.reports(spectra)
    assert "not a number" in seen[-1].note + str(model.card["note"])
    assert balanced_accuracy(predict_matrix(model, spectra.values), spectra.classes) > 0.9


@pytest.mark.parametrize("network", ["linear", "default", "isotopenet", "faithful"])
def test_where_matrices_lie_leaves_no_trace_in_the_model(build: Any, network: Any) -> None:
    spectra = build.distant_gate(300, 64, 1)
    room = MatrixRoom(0)
    in_files = build.fitted(replace(spectra, room=room), network=network, epochs=2)
    assert room.in_files > 5 * spectra.values.nbytes
    assert model_bytes(in_files) == model_bytes(build.fitted(spectra, network=network, epochs=2))


def test_the_first_answer_is_that_of_the_linear_model_but_for_rounding(build: Any) -> None:
    spectra = build.spectra(n=120, bins=400)
    reports: list[EpochReport] = []
    model = run_inline(fit(spectra, FitConfig("linear")), reports.append)
    first = next(report.preview for report in reports if report.preview is not None)
    assert first.trust.familiarity is None
    quick = predict_matrix(first, spectra.values)
    exact = predict_matrix(replace(model, temperature=None), spectra.values)
    np.testing.assert_allclose(quick, exact, atol=1e-3)


def test_stopped_at_its_first_answer_a_fit_keeps_it(build: Any) -> None:
    spectra = build.spectra(n=120, bins=400)
    seen: list[FittedModel] = []

    def listen(report: EpochReport) -> None:
        if report.preview is not None:
            seen.append(report.preview)

    job = fit(spectra, FitConfig("default"))
    model = run_inline(job, listen, lambda: bool(seen))
    assert len(seen) == 1
    np.testing.assert_array_equal(model.linear.weight, seen[0].linear.weight)
