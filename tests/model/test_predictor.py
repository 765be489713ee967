from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_ims_tumor.job import outcome_of
from napari_ims_tumor.model import predictor
from napari_ims_tumor.model.calibration import softmax
from napari_ims_tumor.model.predictor import Predictor


@pytest.mark.parametrize("network", ["linear", "default", "isotopenet"])
def test_spectra_are_answered_alike_however_many_are_looked_at_at_once(
    network: str, build: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    spectra = build.spectra(bins=64)
    model = build.fitted(spectra, network=network, epochs=1)
    values = spectra.values[:11]
    whole = outcome_of(Predictor(model).steps(values))
    monkeypatch.setattr(predictor, "IN_CACHE", 3 * 64)
    parts = outcome_of(Predictor(model).steps(values))
    assert np.allclose(parts.probabilities, whole.probabilities, atol=1e-6)
    assert whole.unfamiliarity is not None
    assert parts.unfamiliarity is not None
    assert np.allclose(parts.unfamiliarity, whole.unfamiliarity, atol=1e-5)


def test_the_quick_linear_answer_is_the_one_of_the_slow_way(build: Any) -> None:
    spectra = build.spectra(bins=64)
    model = build.fitted(spectra, network="linear")
    inputs = model.normalization.apply(model.normalization.roots(spectra.values))
    expected = softmax(model.linear.logits(inputs) / (model.temperature or 1.0))
    slow = Predictor(model)
    quick = Predictor(model)
    quick._familiarity = None
    for way in (slow, quick):
        answer = outcome_of(way.steps(spectra.values))
        assert np.allclose(answer.probabilities, expected, atol=1e-6)


def test_no_spectra_have_no_answer(build: Any) -> None:
    model = build.fitted(build.spectra(), network="linear")
    answer = outcome_of(Predictor(model).steps(np.zeros((0, 50), np.float32)))
    assert answer.probabilities.shape == (0, 2)
