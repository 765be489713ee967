from __future__ import annotations

import pytest
import torch

from napari_ims_tumor.model.epoch_loss import EpochLoss


def test_the_mean_is_that_of_spectra_and_not_of_steps() -> None:
    loss = EpochLoss()
    for value, size in ((1.0, 3), (5.0, 1)):
        loss.add(torch.tensor(value), size)
    assert (loss.steps, loss.shown, loss.mean()) == (2, 4, 2.0)


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_one_loss_that_is_not_a_number_leaves_no_mean(broken: float) -> None:
    loss = EpochLoss()
    for value in (1.0, broken, 2.0):
        loss.add(torch.tensor(value), 1)
    assert loss.mean() is None
