from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_ims_tumor.errors import FitRefused
from napari_ims_tumor.model.samples import LabelledSpectra, why_not_fit


def test_shapes_that_do_not_fit_are_refused(build: Any) -> None:
    axis = build.axis(5)
    with pytest.raises(FitRefused, match="axis of 5"):
        LabelledSpectra(np.zeros((2, 4)), np.zeros(2, int), np.zeros(2, int), axis)
    with pytest.raises(FitRefused, match="one class and one group"):
        LabelledSpectra(np.zeros((2, 5)), np.zeros(3, int), np.zeros(2, int), axis)
    with pytest.raises(FitRefused, match="0 to 1"):
        LabelledSpectra(np.zeros((2, 5)), np.array([0, 2]), np.zeros(2, int), axis)


def test_reasons_name_the_missing_class() -> None:
    assert (
        why_not_fit({"healthy": 3, "tumor": 0}) == "No tumor pixel is labelled: paint at least one."
    )
    assert "healthy and tumor" in str(why_not_fit({"healthy": 0, "tumor": 0}))


def test_taking_some(build: Any) -> None:
    spectra = build.spectra()
    some = spectra.take(np.array([3, 1]))
    assert np.array_equal(some.values, spectra.values[[3, 1]])
    assert some.counts == {"healthy": 0, "tumor": 2}
