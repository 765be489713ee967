"""One measure, wherever an ion image comes from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ims_tumor.msi.ion_measure import PLAIN, IonMeasure, measured_images
from napari_ims_tumor.msi.mass_axis import MassAxis, MassTolerance, MassWindow
from napari_ims_tumor.msi.normalization import NORMALIZATIONS, Normalizer
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.reduction import REDUCTIONS, Reduction
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset

REFERENCE = MassWindow(502.0, MassTolerance(0.5))
WINDOWS = [MassWindow(500.5, MassTolerance(0.5)), MassWindow(504.0, MassTolerance(2.0))]


def slide(seed: int = 0) -> InMemoryDataset:
    rng = np.random.default_rng(seed)
    matrix = rng.gamma(1, 10, (20, 7))
    matrix[3, 2], matrix[4] = 0, 0
    matrix[5, 3] = np.nan
    pixels = PixelGrid(np.arange(20) // 5, np.arange(20) % 5, (5, 5))
    return InMemoryDataset.from_matrix(MassAxis(np.arange(500.0, 507)), matrix, pixels)


@given(
    st.sampled_from(REDUCTIONS), st.sampled_from([*NORMALIZATIONS, REFERENCE]), st.integers(0, 99)
)
def test_images_equal_spectrum_by_spectrum(reduce: Reduction, by: Normalizer, seed: int) -> None:
    dataset = slide(seed)
    spectra = [dataset.spectrum(i) for i in range(20)]
    reduced = np.array([[_reduced(s.mz, s.intensity, w, reduce) for s in spectra] for w in WINDOWS])
    references = np.array([_reference(s.mz, s.intensity, by) for s in spectra])
    target = references[references > 0].mean()
    factors = np.where(references > 0, target / np.maximum(references, 1e-300), 0)
    expected = dataset.pixels.as_image(reduced * factors)
    images = measured_images(dataset, WINDOWS, IonMeasure(reduce, by))
    assert np.allclose(images, expected, rtol=1e-9, equal_nan=True)
    assert np.array_equal(np.isnan(images[0]), ~dataset.pixels.measured)


def _reduced(mz, intensity, window, reduce):
    inside = intensity[(mz >= window.low) & (mz <= window.high)]
    inside = inside[np.isfinite(inside)]
    return {"sum": np.sum, "max": np.max, "mean": np.mean}[reduce](inside) if inside.size else 0


def _reference(mz, intensity, by):
    if isinstance(by, MassWindow):
        return _reduced(mz, intensity, by, "sum")
    finite = intensity[np.isfinite(intensity)]
    signal = finite[finite > 0]
    median = np.median(signal) if signal.size else 0
    known = {"none": 1, "tic": finite.sum(), "rms": np.sqrt((finite**2).mean()), "median": median}
    return known[by]


def test_a_pixel_without_the_reference_is_zero_and_not_nan() -> None:
    image = measured_images(slide(), WINDOWS, IonMeasure("sum", REFERENCE))[0]
    assert image[0, 3] == 0
    assert np.isfinite(image[slide().pixels.measured]).all()


def test_words() -> None:
    assert (PLAIN.note, PLAIN.units) == ("", "summed intensity (units of the file)")
    measure = IonMeasure("max", MassWindow(885.5, MassTolerance(0.1)))
    assert measure.note == "max, per m/z 885.5000"
    assert measure.units == "highest intensity (units of the file, per m/z 885.5000)"
    assert measure.about() == {"intensity": "max", "normalization": "reference:885.5:0.1Da"}
    assert IonMeasure("sum", "tic").note == "per TIC"


def test_measures_are_kept_apart() -> None:
    assert IonMeasure("sum", "tic") != PLAIN
    with pytest.raises(AttributeError):
        PLAIN.reduce = "max"  # type: ignore[misc]
