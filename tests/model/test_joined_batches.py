"""Blocks joined into batches: in order, and never written over before they were read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from napari_ims_tumor.job import outcome_of
from napari_ims_tumor.model import joined_batches
from napari_ims_tumor.model.batches import Batches
from napari_ims_tumor.model.config import NetworkConfig
from napari_ims_tumor.model.joined_batches import JoinedBatches, memory_for
from napari_ims_tumor.model.presets import build_network
from napari_ims_tumor.msi.arrays import Float32Array

BINS = 60
INPUTS = np.random.default_rng(0).normal(size=(40, BINS)).astype(np.float32)


def batches(size: int) -> Batches:
    network = build_network(NetworkConfig.for_axis("default", BINS, 2), 0)
    torch.nn.init.normal_(network.output.weight, generator=torch.Generator().manual_seed(0))
    made = Batches(network)
    made.sparing.size = size
    return made


def told(asks: Batches, cuts: list[int], look: Callable[[JoinedBatches], Any]) -> Float32Array:
    joined = JoinedBatches(asks, BINS, len(INPUTS), False)
    found = []
    for block in np.split(INPUTS, sorted(cuts)):
        outcome_of(joined.put(block))
        if look(joined):
            found.append(joined.fetched())
    outcome_of(joined.ask())
    found.append(joined.fetched())
    assert joined.fetched().shape == (0, 2), "each is fetched once"
    return np.concatenate(found)


@settings(deadline=None, max_examples=25)
@given(
    st.integers(1, 50),
    st.lists(st.integers(0, len(INPUTS)), max_size=12),
    st.lists(st.booleans(), min_size=13, max_size=13),
)
def test_logits_are_those_of_all_at_once_however_they_come_and_are_fetched(
    size: int, cuts: list[int], fetch: list[bool]
) -> None:
    asks, when = batches(size), iter(fetch)
    expected = outcome_of(asks.logits(INPUTS))
    assert np.array_equal(told(asks, cuts, lambda _: next(when)), expected)


class Late:
    """Logits of a GPU that begins to read its batch only when somebody waits for it."""

    def __init__(self, rows: Tensor, ask: Callable[[Tensor], Tensor]) -> None:
        self._rows, self._ask, self._found = rows, ask, list[Tensor]()

    def synchronize(self) -> None:
        if not self._found:
            self._found.append(self._ask(self._rows))

    def cpu(self) -> Tensor:
        self.synchronize()
        return self._found[0]


def test_a_batch_is_not_written_over_before_a_gpu_has_read_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asks = batches(7)
    expected, asked, late = outcome_of(asks.logits(INPUTS)), asks.asked, list[Late]()

    def begun(rows: Tensor) -> Late:
        late.append(Late(rows, asked))  # type: ignore[arg-type,return-value]
        return late[-1]

    monkeypatch.setattr(asks, "asked", begun)
    monkeypatch.setattr(joined_batches, "given_mark", lambda _: late[-1])
    found = told(asks, [3, 4, 11, 25], lambda _: False)
    assert len(late) == 6, "batches of the device's size, not of the blocks'"
    assert np.array_equal(found, expected)


def test_nobody_waits_for_a_gpu_that_has_a_batch_to_read_yet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waited: list[int] = []

    class Mark:
        def synchronize(self) -> None:
            waited.append(len(given_))

    given_: list[Mark] = []

    def mark(_: torch.device) -> Mark:
        given_.append(Mark())
        return given_[-1]

    monkeypatch.setattr(joined_batches, "given_mark", mark)
    told(batches(10), [], lambda _: False)
    assert waited == [2, 3, 4], "for the batch before the last one, when the last is given"


def test_where_memory_ends_batches_are_cut_and_no_spectrum_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asks = batches(16)
    expected = outcome_of(asks.logits(INPUTS))
    answer, tries = Batches._answer, iter(range(10**6))

    def tight(*given_: Any) -> Tensor:
        if next(tries) in (1, 3):
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return answer(*given_)

    monkeypatch.setattr(Batches, "_answer", tight)
    assert np.allclose(told(asks, [5, 30], lambda _: False), expected, atol=1e-6)
    assert asks.size == 4
    assert len(asks.notes) == 2


def test_logits_are_due_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    joined = JoinedBatches(batches(10), BINS, 40, False)
    assert not joined.is_due
    outcome_of(joined.put(INPUTS[:10]))
    assert not joined.is_due
    monkeypatch.setattr(joined_batches, "FETCH_EVERY_S", 0.0)
    assert joined.is_due
    joined.fetched()
    assert not joined.is_due, "there are none"


def test_memory_that_a_gpu_reads_is_asked_for_and_done_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[dict[str, Any]] = []
    real = torch.empty

    def empty(shape: Any, **options: Any) -> Tensor:
        asked.append(options)
        if options:
            raise RuntimeError("CUDA error: out of memory")
        return real(shape)

    monkeypatch.setattr(torch, "empty", empty)
    assert memory_for(3, 5, torch.device("cuda:1")).shape == (3, 5)
    assert memory_for(3, 5, torch.device("mps")).shape == (3, 5)
    assert asked == [{"pin_memory": True}, {}, {}]


def test_no_more_memory_is_taken_than_spectra_come() -> None:
    joined = JoinedBatches(batches(5000), BINS, 12, False)
    assert joined._filling.values.shape == (12, BINS)
