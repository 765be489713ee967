from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from napari_ims_tumor.errors import FitRefused
from napari_ims_tumor.job import STOP
from napari_ims_tumor.model.checkpoint import model_bytes
from napari_ims_tumor.model.config import PLAIN, FitConfig, Network
from napari_ims_tumor.model.fitting import fit
from napari_ims_tumor.model.predicting import predict_matrix
from napari_ims_tumor.model.scores import balanced_accuracy
from napari_ims_tumor.model.training import Trainer

both = pytest.mark.parametrize("network", PLAIN)


@both
def test_it_answers_alone_after_the_linear_preview(build: Any, network: Network) -> None:
    epochs = {"isotopenet": 40, "faithful": 8}[network]
    seen, model = build.reports(build.spectra(signal=90.0), network=network, epochs=epochs)
    previews = [r.preview for r in seen if r.preview is not None]
    assert previews[0].network.network == "linear"
    assert previews[-1] is model or previews[-1].model_id == model.model_id
    assert (model.network.network, model.blend, model.calibrated) == (network, 1.0, True)
    assert [record.epoch for record in model.history] == list(range(1, epochs + 1))
    assert not any(report.is_optimistic for report in seen)
    assert not model.is_optimistic
    assert model.card["network"] == network
    test = build.spectra(seed=9, signal=90.0)
    no_linear = {**model.weights, "linear.weight": 0 * model.weights["linear.weight"]}
    found = predict_matrix(model, test.values)
    assert np.array_equal(found, predict_matrix(replace(model, weights=no_linear), test.values))
    assert balanced_accuracy(found, test.classes) > 0.9


@both
def test_the_score_is_that_of_fits_that_never_saw_the_held_out_groups(
    build: Any, network: Network
) -> None:
    """Labels without signal score like chance, however well the network remembers them."""
    scores = []
    for seed in range(2):
        spectra = build.spectra(n=240, bins=20, n_groups=24, seed=seed, signal=0.0)
        model = build.fitted(spectra, network=network, epochs=1)
        scores.append(model.card["held-out balanced accuracy"])
    assert abs(np.mean(scores) - 0.5) <= 0.12


@both
def test_one_pixel_is_predicted_alone_as_among_others(build: Any, network: Network) -> None:
    model = build.fitted(build.spectra(), network=network, epochs=1)
    values = build.spectra(n=40, seed=3).values
    together = predict_matrix(model, values)
    alone = np.concatenate([predict_matrix(model, values[i : i + 1]) for i in range(5)])
    assert np.allclose(together[:5], alone, atol=1e-5)


@both
def test_the_same_fit_is_the_same_bytes(build: Any, network: Network) -> None:
    first, second = (build.fitted(build.spectra(), network=network, epochs=1) for _ in range(2))
    assert model_bytes(first) == model_bytes(second)


@both
def test_stop_before_the_network_is_complete_leaves_the_linear_answer(
    build: Any, network: Network
) -> None:
    job = fit(build.distant_gate(200, 600, 0), FitConfig(network, device="cpu"))
    report = next(job)
    while not report.phase.startswith("Network"):
        report = next(job)
    begun = time.monotonic()
    with pytest.raises(StopIteration) as end:
        job.send(STOP)
    assert time.monotonic() - begun < 0.5
    assert end.value.value.network.network == "linear"
    assert "before the network was complete" in end.value.value.card["note"]


@both
def test_stop_while_it_is_judged_leaves_the_network_uncalibrated(
    build: Any, network: Network
) -> None:
    job = fit(build.spectra(), FitConfig(network, epochs=2, device="cpu"))
    while not next(job).phase.startswith("Network on held-out groups"):
        pass
    with pytest.raises(StopIteration) as end:
        job.send(STOP)
    model = end.value.value
    assert (model.network.network, model.temperature) == (network, None)
    assert "uncalibrated" in model.card["note"]


@both
def test_a_time_limit_keeps_the_best_model_so_far(build: Any, network: Network) -> None:
    begun = time.monotonic()
    model = build.fitted(build.distant_gate(200, 600, 0), network=network, time_limit_s=0.5)
    assert time.monotonic() - begun < 3
    assert predict_matrix(model, np.ones((1, 600))).shape == (1, 2)


@both
def test_with_nothing_to_hold_out_it_is_fitted_and_says_that_nothing_judged_it(
    build: Any, network: Network
) -> None:
    model = build.fitted(build.spectra(n=4, n_groups=1), network=network, epochs=1)
    assert (model.network.network, model.temperature) == (network, None)
    assert "no validation" in model.card["note"]


@both
@pytest.mark.parametrize("bins", [3, 16])
def test_the_shortest_axes(build: Any, network: Network, bins: int) -> None:
    model = build.fitted(build.spectra(n=5, bins=bins), network=network, epochs=1)
    assert np.isfinite(predict_matrix(model, np.ones((1, bins)))).all()


@both
def test_it_is_not_fine_tuned(build: Any, network: Network) -> None:
    linear = build.fitted(build.spectra(), network="linear")
    with pytest.raises(FitRefused, match="fitted anew"):
        build.fitted(build.spectra(), linear, network=network)
    base = build.fitted(build.spectra(), network=network, epochs=1)
    with pytest.raises(FitRefused, match="fitted anew"):
        build.fitted(build.spectra(), base, network="linear")


@both
def test_a_broken_loss_leaves_the_linear_answer_and_says_so(
    build: Any, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trainer, "_step", lambda *_: float("nan"))
    model = build.fitted(build.spectra(), network=network)
    assert model.network.network == "linear"
    assert "not a number" in model.card["note"]
