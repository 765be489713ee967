from __future__ import annotations

from typing import Any

import pytest

from napari_ims_tumor.job import outcome_of, run_inline
from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.model.epoch_budget import EpochBudget
from napari_ims_tumor.model.epoch_choice import Check
from napari_ims_tumor.model.fit_run import FitRun
from napari_ims_tumor.model.linear_phase import linear_phase
from napari_ims_tumor.model.network_phase import _begin

WHOLE = 63
"""Steps that show 2,000 spectra, 32 at a time."""


@pytest.fixture(scope="module")
def answer(build: Any) -> Any:
    spectra, config = build.spectra(n=2000, bins=16, n_groups=20), FitConfig(device="cpu")
    return run_inline(linear_phase(spectra, config, None, FitRun(None, "CPU")))


def begun(answer: Any, **limits: Any) -> tuple[EpochBudget, Check]:
    config = FitConfig(device="cpu", **limits)
    check = _begin(answer, config, None, None)
    budget = EpochBudget(check, config, FitRun(config.time_limit_s, "CPU"))
    outcome_of(budget.measure(1))
    return budget, check


@pytest.mark.parametrize("limits", [{}, {"time_limit_s": 3600.0}, {"steps": 12 * WHOLE}])
def test_an_epoch_that_fits_shows_all_spectra(answer: Any, limits: Any) -> None:
    budget, check = begun(answer, **limits)
    assert all(trainer.steps_of_epoch == trainer.steps_of_all for trainer in check.all_trainers)
    assert check.all_trainers[-1].steps_of_all <= WHOLE
    assert budget.patience(3) == 3
    assert budget.why_end == budget.words == ""


def test_where_time_is_short_an_epoch_is_as_short_as_can_be(answer: Any) -> None:
    budget, check = begun(answer, time_limit_s=0.001)
    assert check.ahead is not None
    assert {t.steps_of_epoch for t in check.all_trainers} == {check.ahead.recipe.least_steps}
    assert budget.patience(3) == 5, "5 times 40 steps are as many as 3 times 63"
    assert budget.why_end == "ended by its time limit of 0.001 s"


@pytest.mark.parametrize("steps", [1, 39, 40, 90, 200, 479, 500])
def test_epochs_use_up_the_steps_that_were_asked_for(answer: Any, steps: int) -> None:
    _, check = begun(answer, steps=steps)
    each = check.trainers[0].steps_of_epoch
    epochs = steps // each
    assert epochs <= 12
    assert steps - epochs * each < epochs
