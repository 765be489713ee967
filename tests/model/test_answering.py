"""A GPU and all cores at the same time: a network on the CPU stands for one on a GPU."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from napari_ims_tumor.errors import FitFailed
from napari_ims_tumor.job import STOP, JobStopped, outcome_of, run_inline
from napari_ims_tumor.model import answering, predicting, predictor
from napari_ims_tumor.model.batches import Batches
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.predicting import predict, predict_matrix, predict_rows
from napari_ims_tumor.model.prediction import Prediction
from napari_ims_tumor.model.predictor import Predictor, Seen
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.synthetic import in_memory
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset

N, BINS, BLOCK = 300, 60, 30
AT_ONCE = 70
"""Spectra per batch of what stands for a GPU: more than two blocks, and none at the end."""


@pytest.fixture(scope="module")
def model(build: Any) -> FittedModel:
    found: FittedModel = build.fitted(build.distant_gate(N, BINS, 0), epochs=1)
    assert found.has_cnn
    return found


@pytest.fixture
def slide(build: Any, monkeypatch: pytest.MonkeyPatch) -> InMemoryDataset:
    monkeypatch.setattr(in_memory, "BLOCK_VALUES", BLOCK * BINS)
    values = build.distant_gate(N, BINS, 0).values.copy()
    values[[4, 170]] = 0
    pixels = PixelGrid(*np.divmod(np.arange(N), 20), (15, 20), (50.0, 50.0))
    return InMemoryDataset.from_matrix(build.axis(BINS), values, pixels, "slide")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (answering, predicting):
        monkeypatch.setattr(module, "computes_apart", lambda _: True)
    monkeypatch.setattr(answering, "cpu_cores", lambda: 3)
    monkeypatch.setattr(Batches, "size", property(lambda self: min(AT_ONCE, self.sparing.size)))


def images(made: Prediction) -> dict[str, Any]:
    return {
        name: getattr(made, name)
        for name in ("probabilities", "disagreement", "unfamiliarity", "alone")
        if getattr(made, name) is not None
    }


@pytest.mark.parametrize("neighbors", [None, 1.3])
def test_a_slide_is_answered_as_by_the_cpu_alone(
    neighbors: float | None, model: FittedModel, slide: InMemoryDataset, request: Any
) -> None:
    asks = replace(model, neighbor_temperature=neighbors)
    expected = run_inline(predict(asks, slide, "cpu"))
    request.getfixturevalue("gpu")
    made = run_inline(predict(asks, slide, "cpu"))
    assert images(made).keys() == images(expected).keys() >= {"probabilities", "disagreement"}
    for name, image in images(made).items():
        assert np.allclose(image, images(expected)[name], atol=1e-5, equal_nan=True), name
    assert made.n_empty == expected.n_empty == 2


def test_blocks_are_joined_into_batches_of_the_device(
    model: FittedModel, slide: InMemoryDataset, gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, sizes = Batches.asked, list[int]()

    def counted(self: Batches, rows: torch.Tensor) -> torch.Tensor | None:
        sizes.append(len(rows))
        return asked(self, rows)

    monkeypatch.setattr(Batches, "asked", counted)
    run_inline(predict(model, slide, "cpu"))
    assert sizes == [70, 70, 70, 70, 20]


def test_cores_look_at_the_next_blocks_while_a_batch_is_computed(
    model: FittedModel, slide: InMemoryDataset, gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, look, answer = list[int](), Predictor.look, Batches._answer
    together, first, further = threading.Barrier(3, timeout=20), [True] * 3, threading.Event()
    consumers: set[int] = set()

    def watched(self: Predictor, values: Any) -> Seen:
        if first:
            first.pop()
            together.wait()  # three cores are at it at the same time
        looked.append(threading.get_ident())
        if len(looked) > -(-AT_ONCE // BLOCK):
            further.set()
        return look(self, values)

    def slow(*given: Any) -> torch.Tensor:
        consumers.add(threading.get_ident())
        assert further.wait(20), "nobody looked at a block meanwhile"
        return answer(*given)

    monkeypatch.setattr(Predictor, "look", watched)
    monkeypatch.setattr(Batches, "_answer", slow)
    run_inline(predict(model, slide, "cpu"))
    assert len(looked) >= N // BLOCK
    assert consumers == {threading.get_ident()}
    assert not consumers & set(looked)


def test_no_more_blocks_are_read_than_can_be_looked_at(
    model: FittedModel, slide: InMemoryDataset, gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, answer, ahead = list[int](), Batches._answer, list[int]()
    values = slide.content.intensity

    def blocks() -> Iterator[tuple[Any, Any]]:
        for at in range(0, N, BLOCK):
            read.append(at)
            yield np.arange(at, at + BLOCK), values[at : at + BLOCK]

    def slow(*given: Any) -> torch.Tensor:
        time.sleep(0.05)
        ahead.append(len(read) * BLOCK - len(ahead) * AT_ONCE)
        return answer(*given)

    monkeypatch.setattr(Batches, "_answer", slow)
    asks = Predictor(model, "cpu")
    rows = np.concatenate([rows for rows, _ in predict_rows(asks, blocks(), N)])
    assert np.array_equal(rows, np.arange(N))
    assert max(ahead) <= AT_ONCE + (2 * 3 + 2) * BLOCK


def test_products_of_one_core_do_not_ask_for_the_others(
    model: FittedModel, slide: InMemoryDataset, gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def threads() -> set[int]:
        return {lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"}

    seen, before, answer = list[set[int]](), threads(), Batches._answer

    def watched(*given: Any) -> torch.Tensor:
        seen.append(threads())
        return answer(*given)

    monkeypatch.setattr(Batches, "_answer", watched)
    with answering._thread_pools().limit(limits=2, user_api="blas"):
        blocks = [(np.arange(N), slide.content.intensity)]
        for _ in predict_rows(Predictor(model, "cpu"), blocks, N):
            assert threads() == {2}
    assert seen
    assert all(found == {1} for found in seen)
    assert threads() == before


def test_it_can_be_stopped_and_leaves_no_thread(
    model: FittedModel, slide: InMemoryDataset, gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = Predictor.look

    def slowly(self: Predictor, values: Any) -> Seen:
        time.sleep(0.12)
        return look(self, values)

    monkeypatch.setattr(Predictor, "look", slowly)
    before = threading.active_count()
    job = predict(model, slide, "cpu")
    for _ in range(3):
        next(job)
    begun = time.monotonic()
    with pytest.raises(JobStopped):
        job.send(STOP)
    assert time.monotonic() - begun < 2
    assert threading.active_count() == before


def test_what_fails_in_a_core_or_in_the_network_fails_the_prediction(
    model: FittedModel, slide: InMemoryDataset, gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("no kernel image is available")

    with monkeypatch.context() as patched:
        patched.setattr(Batches, "_answer", broken)
        with pytest.raises(FitFailed, match="no kernel image"):
            run_inline(predict(model, slide, "cpu"))
    monkeypatch.setattr(Predictor, "look", broken)
    with pytest.raises(RuntimeError, match="no kernel image"):
        run_inline(predict(model, slide, "cpu"))


def test_memory_that_ends_half_way_changes_no_answer_and_is_told(
    model: FittedModel, slide: InMemoryDataset, gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = run_inline(predict(model, slide, "cpu"))
    answer, tries = Batches._answer, iter(range(10**6))

    def tight(self: Batches, *given: Any) -> torch.Tensor:
        if next(tries) == 1:
            self.sparing.size = AT_ONCE
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return answer(self, *given)

    monkeypatch.setattr(Batches, "_answer", tight)
    made = run_inline(predict(model, slide, "cpu"))
    assert np.allclose(made.probabilities, expected.probabilities, atol=1e-5, equal_nan=True)
    assert made.note == "GPU memory ran out: batches of 35 spectra now"


def test_a_matrix_is_answered_alike_and_looked_at_a_few_rows_at_a_time(
    model: FittedModel, slide: InMemoryDataset, request: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = slide.content.intensity
    expected = predict_matrix(model, values, "cpu")
    request.getfixturevalue("gpu")
    most, look = list[int](), Predictor.look

    def counted(self: Predictor, some: Any) -> Seen:
        assert np.shares_memory(some, values), "a copy was made"
        most.append(len(some))
        return look(self, some)

    monkeypatch.setattr(Predictor, "look", counted)
    assert np.allclose(predict_matrix(model, values, "cpu"), expected, atol=1e-5)
    assert max(most) <= 256
    assert sum(most) == N


@pytest.mark.parametrize("kind", ["linear", "default"])
def test_on_a_cpu_a_matrix_in_blocks_is_the_whole_one_bit_by_bit(
    kind: str, model: FittedModel, slide: InMemoryDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    asks = replace(model, blend=0.0) if kind == "linear" else model
    monkeypatch.setattr(predictor, "IN_CACHE", 4 * BINS)
    monkeypatch.setattr(Batches, "size", 6)
    values = slide.content.intensity
    whole = outcome_of(Predictor(asks, "cpu").steps(values)).probabilities
    rows, look = list[int](), Predictor.look

    def counted(self: Predictor, some: Any) -> Seen:
        rows.append(len(some))
        return look(self, some)

    monkeypatch.setattr(Predictor, "look", counted)
    assert np.array_equal(predict_matrix(asks, values, "cpu"), whole)
    assert max(rows) == (12 if kind == "default" else 4)
