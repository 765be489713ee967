"""Predictions of whole slides: in which threads they are made, and with which switches."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from napari_ims_tumor.errors import FitRefused
from napari_ims_tumor.job import outcome_of, run_inline
from napari_ims_tumor.model import answering, predicting, predictor, relevance
from napari_ims_tumor.model.batches import Batches
from napari_ims_tumor.model.computing import Computing
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.predicting import predict, predict_matrix
from napari_ims_tumor.model.relevance import Explainer, attribute
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.synthetic import in_memory
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset

N, BINS = 300, 60


@pytest.fixture(autouse=True)
def one_thread_per_step() -> None:
    """Instead of what all tests of this folder hold: switches are as they are in a process."""


@pytest.fixture(scope="module")
def model(build: Any) -> FittedModel:
    found: FittedModel = build.fitted(build.distant_gate(N, BINS, 0), epochs=1)
    assert found.has_cnn
    return found


@pytest.fixture
def slide(build: Any, monkeypatch: pytest.MonkeyPatch) -> InMemoryDataset:
    """A slide that is read in blocks of 30 spectra."""
    monkeypatch.setattr(in_memory, "BLOCK_VALUES", 30 * BINS)
    spectra = build.distant_gate(N, BINS, 0)
    pixels = PixelGrid(*np.divmod(np.arange(N), 20), (15, 20), (50.0, 50.0))
    return InMemoryDataset.from_matrix(spectra.axis, spectra.values, pixels, "slide")


@pytest.mark.parametrize(("workers", "apart"), [(1, False), (2, False), (2, True)])
@pytest.mark.parametrize("deterministic", [False, True])
def test_every_batch_repeats_itself_also_while_somebody_looks_at_a_report(
    workers: int,
    apart: bool,
    deterministic: bool,
    model: FittedModel,
    slide: InMemoryDataset,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(predicting, "TELL_EVERY_S", 0.0)
    seen: Counter[tuple[bool, bool, bool]] = Counter()
    asked = Batches._answer

    def watched(*given: Any) -> torch.Tensor:
        time.sleep(0.01)
        flags = torch.backends.cudnn
        algorithms = torch.are_deterministic_algorithms_enabled()
        seen[flags.deterministic, flags.allow_tf32, algorithms] += 1
        return asked(*given)

    monkeypatch.setattr(Batches, "_answer", watched)
    monkeypatch.setattr(answering, "cpu_cores", lambda: workers)
    monkeypatch.setattr(answering, "computes_apart", lambda _: apart)
    monkeypatch.setattr(Batches, "size", 30)
    for _ in predict(model, slide, Computing("cpu", "float32", deterministic)):
        time.sleep(0.05)
    assert set(seen) == {(deterministic, False, deterministic)}
    assert sum(seen.values()) >= 10


@pytest.mark.parametrize("apart", [False, True])
def test_a_matrix_is_answered_by_what_repeats_itself(
    apart: bool, model: FittedModel, slide: InMemoryDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[tuple[bool, bool]] = set()
    asked = Batches._answer

    def watched(*given: Any) -> torch.Tensor:
        algorithms = torch.are_deterministic_algorithms_enabled()
        seen.add((torch.backends.cudnn.deterministic, algorithms))
        return asked(*given)

    monkeypatch.setattr(Batches, "_answer", watched)
    monkeypatch.setattr(predicting, "computes_apart", lambda _: apart)
    predict_matrix(model, slide.content.intensity, Computing("cpu", deterministic=True))
    assert seen == {(True, True)}
    assert not torch.are_deterministic_algorithms_enabled()


def test_a_matrix_is_refused_where_the_device_cannot_repeat_itself(
    model: FittedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    how, values = Computing("mps", deterministic=True), np.ones((1, BINS), np.float32)
    with pytest.raises(FitRefused, match="Apple"):
        predict_matrix(model, values, how)
    with pytest.raises(FitRefused, match="Apple"):
        Explainer(model, "tumor", None, how)
    linear = replace(model, blend=0.0)
    assert predict_matrix(linear, values, how).shape == (1, 2), "the network alone is meant"


def test_an_explanation_does_not_ask_for_bfloat16(
    model: FittedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.nn.Module, "to", lambda self, _: self)
    monkeypatch.setattr(torch.mps, "synchronize", lambda: None)
    how, values = Computing("mps", "bfloat16"), np.ones((1, BINS), np.float32)
    with pytest.raises(FitRefused, match="bfloat16"):
        predict_matrix(model, values, how)
    assert Explainer(model, "tumor", None, how).model is model


def full_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the device ``meta`` stand for a GPU that has no room for any network."""
    real = torch.nn.Module.to

    def to(self: torch.nn.Module, where: Any) -> torch.nn.Module:
        if torch.device(where).type == "meta":
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return real(self, where)

    monkeypatch.setattr(torch.nn.Module, "to", to)
    for module in (predictor, relevance):
        monkeypatch.setattr(module, "prepare", lambda _: torch.device("meta"))


def test_a_network_without_room_answers_on_the_cpu_and_says_so(
    model: FittedModel, slide: InMemoryDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = slide.content.intensity[:5]
    expected = run_inline(predict(model, slide, "cpu"))
    matrix = predict_matrix(model, values, "cpu")
    why = attribute(model, values, "tumor", device="cpu")
    full_gpu(monkeypatch)
    made = run_inline(predict(model, slide))
    assert np.array_equal(made.probabilities, expected.probabilities, equal_nan=True)
    assert made.note == "GPU memory ran out: continuing on the CPU"
    with pytest.warns(RuntimeWarning, match=f"^{made.note}$"):
        assert np.array_equal(predict_matrix(model, values), matrix)
    explainer = Explainer(model, "tumor")
    found = outcome_of(explainer.steps(values))
    assert np.array_equal(found.bins, why.bins)
    assert explainer.notes == [made.note]


@pytest.mark.parametrize(("every_s", "reports"), [(0.0, N // 30), (1e9, 0)])
def test_threads_that_compute_are_not_held_up_by_more_reports_than_are_read(
    every_s: float,
    reports: int,
    model: FittedModel,
    slide: InMemoryDataset,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(predicting, "TELL_EVERY_S", every_s)
    begun, *between, last = (report.done for report in predict(model, slide, "cpu"))
    assert (begun, last) == (0, N)
    assert len(set(between) - {0, N}) >= reports - 1 if reports else not between
