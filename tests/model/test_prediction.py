from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from napari_ims_tumor.errors import ModelFileError
from napari_ims_tumor.job import STOP, JobStopped, run_inline
from napari_ims_tumor.model import predicting
from napari_ims_tumor.model.config import NetworkConfig
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.predicting import predict, predict_matrix
from napari_ims_tumor.model.prediction import Prediction
from napari_ims_tumor.model.weight_shapes import weight_shapes
from napari_ims_tumor.msi.binning import binned_blocks
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset


def slide(build: Any, bins: int = 50) -> InMemoryDataset:
    spectra = build.spectra(n=10, bins=bins, seed=3)
    pixels = PixelGrid(np.arange(10) // 4, np.arange(10) % 4, (3, 4))
    return InMemoryDataset.from_matrix(spectra.axis, spectra.values, pixels, "slide")


def test_every_measured_pixel_gets_probabilities_and_no_other(build: Any) -> None:
    model, dataset = build.fitted(build.spectra(), epochs=2), slide(build)
    made = run_inline(predict(model, dataset))
    assert made.probabilities.shape == (2, 3, 4)
    assert np.isnan(made.probabilities[:, 2, 2:]).all()
    expected = predict_matrix(model, build.spectra(n=10, seed=3).values).T
    found = dataset.pixels.as_vector(made.probabilities)
    assert np.allclose(found, expected, atol=1e-6)
    assert (made.model_id, made.class_names) == (model.model_id, ("healthy", "tumor"))
    assert made.about()["calibrated"] == model.calibrated


def test_stop_leaves_no_half_overlay(build: Any) -> None:
    job = predict(build.fitted(build.spectra(), network="linear"), slide(build))
    next(job)
    with pytest.raises(JobStopped):
        job.send(STOP)


def in_threes(monkeypatch: pytest.MonkeyPatch) -> None:
    def blocks(*args: Any) -> Any:
        for indices, values in binned_blocks(*args):
            for first in range(0, len(indices), 3):
                yield indices[first : first + 3], values[first : first + 3]

    monkeypatch.setattr(predicting, "binned_blocks", blocks)


def previews(job: Any) -> tuple[list[Prediction], Prediction]:
    found: list[Prediction] = []
    made = run_inline(job, lambda report: found.append(report.preview))
    return [preview for preview in found if preview is not None], made


def test_what_is_answered_so_far_is_shown_and_nothing_else(
    build: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_threes(monkeypatch)
    model = build.fitted(build.spectra(), network="linear")
    dataset = slide(build)
    halves, made = previews(predict(model, dataset, preview_every_s=0))
    assert len(halves) >= 2
    whole = dataset.pixels.as_vector(made.probabilities)
    for half in halves:
        found = dataset.pixels.as_vector(half.probabilities)
        answered = np.isfinite(found).all(axis=0)
        assert 0 < answered.sum() < 10
        assert np.isnan(found[:, ~answered]).all()
        np.testing.assert_array_equal(found[:, answered], whole[:, answered])
        assert half.n_empty == 0
    assert previews(predict(model, dataset))[0] == []


def test_neighbors_are_asked_when_all_have_answered(
    build: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_threes(monkeypatch)
    model = replace(build.fitted(build.spectra(), network="linear"), neighbor_temperature=1.0)
    halves, made = previews(predict(model, slide(build), preview_every_s=0))
    assert made.alone is not None
    assert (made.alone != made.probabilities).any()
    for half in halves:
        answered = np.isfinite(half.probabilities)
        np.testing.assert_array_equal(half.alone, half.probabilities)
        np.testing.assert_array_equal(half.probabilities[answered], made.alone[answered])


def test_a_slide_that_does_not_cover_the_axis_is_refused(build: Any) -> None:
    model = build.fitted(build.spectra(), network="linear")
    short = slide(build)
    cut = InMemoryDataset.from_matrix(
        type(short.mass_axis)(short.mass_axis.mz[:20]), np.ones((10, 20)), short.pixels, "short"
    )
    with pytest.raises(ModelFileError, match=r"500\.00"):
        run_inline(predict(model, cut))


def blended(build: Any, blend: float) -> FittedModel:
    """A model whose network takes part by a set share; its weights are noise."""
    rng, config = np.random.default_rng(0), NetworkConfig.for_axis("default", 50, 2)
    weights = {
        name: np.abs(rng.normal(size=shape)).astype(np.float32) + 0.1
        for name, shape in weight_shapes(config).items()
    }
    return FittedModel(weights, config, build.axis(50), ("healthy", "tumor"), blend)


def test_disagreement_is_how_far_the_linear_path_alone_is_from_the_answer(build: Any) -> None:
    model, dataset = blended(build, 0.5), slide(build)
    made = run_inline(predict(model, dataset))
    alone = run_inline(predict(replace(model, blend=0.0), dataset))
    expected = np.abs(made.probabilities - alone.probabilities).sum(axis=0) / 2
    assert made.disagreement is not None
    assert np.allclose(made.disagreement, expected, atol=1e-6, equal_nan=True)
    assert np.nanmax(made.disagreement) > 0
    assert np.isnan(made.disagreement[2, 2:]).all()
    assert made.why_no_disagreement is None


def test_where_the_linear_path_answers_alone_nothing_disagrees(build: Any) -> None:
    made = run_inline(predict(blended(build, 0.0), slide(build)))
    assert made.disagreement is None
    assert "nothing can disagree" in (made.why_no_disagreement or "")
    assert made.planes(uncertainty=True)[1] == ("healthy", "tumor", "uncertainty (entropy)")


def test_uncertainty_has_the_shape_of_the_slide_and_joins_the_planes(build: Any) -> None:
    made = run_inline(predict(blended(build, 0.5), slide(build)))
    assert made.uncertainty.shape == (3, 4)
    assert not made.uncertainty.flags.writeable
    assert np.array_equal(np.isnan(made.uncertainty), np.isnan(made.probabilities[0]))
    values, names = made.planes(uncertainty=True)
    assert names == ("healthy", "tumor", "uncertainty (entropy)", "disagreement")
    assert np.array_equal(values[2], made.uncertainty, equal_nan=True)
    assert made.planes() == (made.probabilities, ("healthy", "tumor"))


def test_empty_spectra_are_counted_and_told(build: Any) -> None:
    model, whole = build.fitted(build.spectra(), network="linear"), slide(build)
    assert run_inline(predict(model, whole)).empty_words is None
    values = build.spectra(n=10, seed=3).values.copy()
    values[0], values[1] = 0, np.nan
    holed = InMemoryDataset.from_matrix(whole.mass_axis, values, whole.pixels, "holed")
    made = run_inline(predict(model, holed))
    assert made.n_empty == 2
    assert made.empty_words.startswith("2 spectra hold nothing in the model's m/z range")
