"""Simulated slides of every kind, fitted and predicted end to end, and what a mass shift costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.cohort.gathering import gather
from napari_ims_tumor.cohort.table import CohortSlide
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.model.config import FitConfig, Network
from napari_ims_tumor.model.fitting import fit
from napari_ims_tumor.model.predicting import predict, predict_matrix
from napari_ims_tumor.model.samples import LabelledSpectra
from napari_ims_tumor.model.scores import balanced_accuracy
from napari_ims_tumor.msi.arrays import Float32Array
from napari_ims_tumor.msi.synthetic.recipe import make_recipe
from napari_ims_tumor.msi.synthetic.slide import SimulatedSlide, simulate_slide

SIZE = {"rows": 24, "columns": 32, "channels": 1500, "signal": "local", "batch_effect": 0.3}


def slide(number: int, **options: Any) -> SimulatedSlide:
    return simulate_slide(make_recipe(**{**SIZE, "seed": 5, **options}), number, number)


def labelled(of: SimulatedSlide) -> LabelledSpectra:
    one = CohortSlide(of.dataset, Annotation(of.labels), of.patients)
    return run_inline(gather((one,))).spectra


def moved(values: Float32Array, by: int) -> Float32Array:
    return np.roll(values, by, axis=1)


def cost_of_a_shift(score: Callable[[Float32Array], float], values: Float32Array) -> float:
    return score(values) - min(score(moved(values, by)) for by in (4, -4))


def cost(network: Network, **options: Any) -> float:
    """Of four bins to either side, in balanced accuracy on another slide of another batch."""
    here, there = (labelled(slide(number)) for number in (0, 1))
    some = here.take(np.arange(0, len(here), 2))
    model = run_inline(fit(some, FitConfig(network, 1, device="cpu", **options)))

    def score(values: Float32Array) -> float:
        found = balanced_accuracy(predict_matrix(model, values, "cpu"), there.classes)
        assert found is not None
        return found

    assert score(there.values) > 0.75
    return cost_of_a_shift(score, there.values)


@pytest.mark.parametrize("network", ["linear", "default"])
def test_a_shift_of_four_bins_costs_two_points_at_most(network: Network) -> None:
    assert cost(network) <= 0.02


def test_without_alignment_it_costs_more() -> None:
    assert cost("linear", align=False, smooth=False) >= 0.05


@pytest.mark.parametrize(
    "layout", ["continuous-profile", "processed-profile", "processed-centroid"]
)
def test_every_layout_is_fitted_and_predicted_without_choosing_bins(layout: str) -> None:
    here, there = (slide(number, layout=layout) for number in (0, 1))
    model = run_inline(fit(labelled(here), FitConfig("linear")))
    assert bool(model.preparation.facts()) == layout.endswith("profile")
    predicted = run_inline(predict(model, there.dataset, "cpu")).probabilities
    known = (there.labels > 0) & there.dataset.pixels.measured
    found = balanced_accuracy(predicted[:, known].T, there.labels[known].astype(np.int64) - 1)
    assert found is not None
    assert found > 0.75
