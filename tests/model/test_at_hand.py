from __future__ import annotations

import pytest
import torch

from napari_ims_tumor.model import at_hand
from napari_ims_tumor.model.at_hand import ROOM, AtHand

CPU, ELSEWHERE = torch.device("cpu"), torch.device("meta")
INPUTS = torch.arange(12.0).reshape(6, 2)
TARGETS = torch.arange(8.0).reshape(4, 2)
ROWS = torch.tensor([5, 3, 1, 0])
BYTES = 4 * (12 + 8)


def test_spectra_are_those_that_were_chosen_of_the_rows_that_are_shown() -> None:
    chosen = torch.tensor([2, 0])
    inputs, targets = AtHand(INPUTS, TARGETS, ROWS).of(chosen, CPU)
    assert torch.equal(inputs, INPUTS[[1, 5]])
    assert torch.equal(targets, TARGETS[[2, 0]])
    inputs, _ = AtHand(INPUTS[:4], TARGETS).of(chosen, CPU)
    assert torch.equal(inputs, INPUTS[[2, 0]])


@pytest.mark.parametrize(("free", "fits"), [(ROOM * BYTES, True), (ROOM * BYTES - 1, False)])
def test_they_lie_on_a_device_only_where_it_has_room_for_more_than_them(
    free: int, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at_hand, "free_memory", lambda _: free)
    spectra = AtHand(INPUTS, TARGETS, ROWS)
    spectra.settle(ELSEWHERE)
    inputs, targets = spectra.of(torch.tensor([2, 0]), ELSEWHERE)
    assert (inputs.device, inputs.shape) == (ELSEWHERE, (2, 2))
    assert (targets.device, targets.shape) == (ELSEWHERE, (2, 2))
    assert spectra.leave() is fits
    assert spectra.leave() is False
    inputs, _ = spectra.of(torch.tensor([2, 0]), CPU)
    assert torch.equal(inputs, INPUTS[[1, 5]])


def test_what_does_not_fit_after_all_stays_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: object, **named: object) -> torch.Tensor:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    spectra = AtHand(INPUTS, TARGETS)
    monkeypatch.setattr(at_hand, "free_memory", lambda _: 10**9)
    with monkeypatch.context() as patch:
        patch.setattr(torch.Tensor, "to", full)
        spectra.settle(ELSEWHERE)
    assert not spectra.leave()


def test_on_a_cpu_there_is_nothing_to_bring() -> None:
    spectra = AtHand(INPUTS, TARGETS)
    spectra.settle(CPU)
    assert not spectra.leave()
