"""Normalization: one rule for everybody, and never NaN."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_ims_tumor.errors import QueryError
from napari_ims_tumor.msi.mass_axis import MassAxis, MassTolerance, MassWindow
from napari_ims_tumor.msi.normalization import (
    NORMALIZATIONS,
    factors_of,
    normalizer_text,
    read_normalizer,
    references,
    scale_factors,
)
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.spectrum import Spectrum
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset

anything = arrays(np.float64, (4, 7), elements=st.floats(allow_nan=True, allow_infinity=True))
ordinary = arrays(
    np.float64, (4, 7), elements=st.floats(0, 1e6).map(lambda v: v if v > 1e-3 else 0)
)


def dataset_of(matrix: np.ndarray) -> InMemoryDataset:
    pixels = PixelGrid(np.zeros(len(matrix)), np.arange(len(matrix)), (1, len(matrix)))
    return InMemoryDataset.from_matrix(MassAxis(np.arange(500.0, 507)), matrix, pixels)


@given(anything, st.sampled_from(NORMALIZATIONS))
@pytest.mark.filterwarnings("ignore:overflow")
def test_factors_are_finite_whatever_comes_in(matrix, kind):
    factors = scale_factors(dataset_of(matrix), kind)
    assert factors.shape == (4,)
    assert np.isfinite(factors).all()
    assert (factors >= 0).all()


def test_a_reference_too_small_to_divide_by_counts_as_none():
    assert scale_factors(np.array([5e-324, 1e300, 1e300]), "tic")[0] == 0


@given(ordinary)
def test_tic_brings_every_spectrum_to_the_mean_tic_of_the_slide(matrix):
    tic = matrix.sum(axis=1)
    scaled = (matrix * scale_factors(dataset_of(matrix), "tic")[:, None]).sum(axis=1)
    expected = np.where(tic > 0, tic[tic > 0].mean() if tic.any() else 0, 0)
    assert np.allclose(scaled, expected, rtol=1e-9)


@given(ordinary, st.sampled_from(NORMALIZATIONS))
def test_a_dataset_and_its_references_give_the_same_factors(matrix, kind):
    dataset = dataset_of(matrix)
    vector = references(dataset, kind) if kind != "none" else matrix[:, 0]
    assert np.array_equal(scale_factors(dataset, kind), scale_factors(vector, kind))


@pytest.mark.parametrize(
    ("kind", "reference"), [("tic", 9.0), ("rms", np.sqrt(29 / 4)), ("median", 3.0)]
)
def test_references_of_a_known_spectrum(kind, reference):
    spectrum = Spectrum(np.arange(4.0) + 500, np.array([0, 2.0, 3.0, 4.0]))
    pixels = PixelGrid(np.zeros(2), np.arange(2), (1, 2))
    empty = Spectrum(np.zeros(0), np.zeros(0))
    found = references(InMemoryDataset.from_spectra([spectrum, empty], pixels), kind)
    assert found == pytest.approx([reference, 0])


def test_an_unknown_kind_is_refused():
    with pytest.raises(QueryError, match="none, tic, rms, median"):
        scale_factors(np.ones(3), "z-score")  # type: ignore[arg-type]


def test_a_reference_peak_is_the_sum_of_its_window():
    matrix = np.array([[1, 2, 0, 9], [4, 4, 0, 9], [0, 0, 5, 9], [np.nan, 3, 5, 9]], float)
    pixels = PixelGrid(np.zeros(4), np.arange(4), (1, 4))
    slide = InMemoryDataset.from_matrix(MassAxis(np.arange(500.0, 504)), matrix, pixels)
    window = MassWindow(500.5, MassTolerance(0.5))
    assert references(slide, window).tolist() == [3, 8, 0, 3]
    factors = scale_factors(slide, window)
    assert factors == pytest.approx([14 / 9, 14 / 24, 0, 14 / 9])


def test_factors_that_are_known_are_not_found_out_again(monkeypatch):
    slide = dataset_of(np.arange(28.0).reshape(4, 7))
    first = factors_of(slide, "rms")
    assert np.array_equal(first, scale_factors(slide, "rms"))
    monkeypatch.setattr(InMemoryDataset, "blocks", None)
    assert factors_of(slide, "rms") is first
    assert not first.flags.writeable


@pytest.mark.parametrize("text", ["none", "tic", "rms", "median", "reference:885.55:0.1Da"])
def test_a_normalizer_is_read_as_it_is_written(text):
    assert normalizer_text(read_normalizer(text, MassTolerance(0.3))) == text


def test_a_reference_peak_without_a_tolerance_gets_the_one_at_hand():
    read = read_normalizer("reference:885.55", MassTolerance(20, "ppm"))
    assert read == MassWindow(885.55, MassTolerance(20, "ppm"))
    exact = MassWindow(1 / 3, MassTolerance(1 / 7, "ppm"))
    assert read_normalizer(normalizer_text(exact), MassTolerance(0)) == exact


@pytest.mark.parametrize("text", ["peak", "reference", "reference:x", "tic:5", "reference:1:2:3"])
def test_a_normalizer_that_is_none_says_how_to_write_it(text):
    with pytest.raises(QueryError, match=r"reference:885\.55"):
        read_normalizer(text, MassTolerance(0.3))
