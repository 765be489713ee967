from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_ims_tumor.errors import ModelFileError
from napari_ims_tumor.job import STOP, JobStopped, run_inline
from napari_ims_tumor.model.prediction import predict, predict_matrix
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


def test_a_slide_that_does_not_cover_the_axis_is_refused(build: Any) -> None:
    model = build.fitted(build.spectra(), network="linear")
    short = slide(build)
    cut = InMemoryDataset.from_matrix(
        type(short.mass_axis)(short.mass_axis.mz[:20]), np.ones((10, 20)), short.pixels, "short"
    )
    with pytest.raises(ModelFileError, match=r"500\.00"):
        run_inline(predict(model, cut))
