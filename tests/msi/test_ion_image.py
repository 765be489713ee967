"""Ion images equal a brute-force sum, whatever the layout."""

from __future__ import annotations

import itertools
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ims_tumor.errors import QueryError
from napari_ims_tumor.msi.ion_image import (
    finite_sums_between,
    ion_images,
    ion_vectors,
    positions_in_spectra,
)
from napari_ims_tumor.msi.mass_axis import MassAxis, MassTolerance, MassWindow
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.reduction import REDUCTIONS, Reduction
from napari_ims_tumor.msi.spectrum import RaggedBlock, Spectrum
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset


def line(n: int) -> PixelGrid:
    return PixelGrid(np.zeros(n, int), np.arange(n) * 2, (1, max(2 * n - 1, 1)))


def brute_force(spectrum: Spectrum, window: MassWindow, reduce: Reduction) -> float:
    inside = (spectrum.mz >= window.low) & (spectrum.mz <= window.high)
    values = spectrum.intensity[inside].astype(np.float64)
    found = [value for value in values.tolist() if np.isfinite(value)]
    if not found:
        return 0.0
    return {"sum": sum(found), "max": max(found), "mean": sum(found) / len(found)}[reduce]


# A coarse lattice of m/z makes windows end exactly on points, where mistakes live.
lattice = st.integers(1, 40).map(lambda k: k / 4)
intensities = st.sampled_from([0.0, 1.0, 2.5, -1.0, np.nan, np.inf, 1e30])
points = st.lists(st.tuples(lattice, intensities), max_size=12)
windows = st.builds(
    MassWindow, lattice, st.builds(MassTolerance, st.sampled_from([0.0, 0.25, 1.0, 50.0]))
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(points, min_size=1, max_size=6),
    st.lists(windows, max_size=4),
    st.sampled_from(REDUCTIONS),
)
def test_processed_equals_brute_force(
    data: list, asked: list[MassWindow], reduce: Reduction
) -> None:
    spectra = []
    for rows in data:
        table = np.array(sorted(rows, key=lambda row: row[0])).reshape(-1, 2)
        spectra.append(Spectrum(table[:, 0], table[:, 1]))
    slide = InMemoryDataset.from_spectra(spectra, line(len(spectra)))
    found = ion_vectors(slide, asked, reduce)
    wanted = [[brute_force(one, window, reduce) for one in spectra] for window in asked]
    assert np.allclose(found, np.array(wanted).reshape(len(asked), len(spectra)), rtol=1e-12)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(lattice, min_size=1, max_size=10, unique=True),
    st.lists(windows, min_size=1, max_size=4),
    st.sampled_from(REDUCTIONS),
    st.data(),
)
def test_continuous_equals_brute_force(
    mz: list, asked: list[MassWindow], reduce: Reduction, data
) -> None:
    axis = MassAxis(np.sort(mz))
    rows = data.draw(
        st.lists(st.lists(intensities, min_size=len(mz), max_size=len(mz)), min_size=1)
    )
    slide = InMemoryDataset.from_matrix(axis, np.array(rows), line(len(rows)))
    wanted = [
        [brute_force(slide.spectrum(i), window, reduce) for i in range(len(rows))]
        for window in asked
    ]
    assert np.allclose(ion_vectors(slide, asked, reduce), wanted, rtol=1e-12)


def test_an_unknown_reduction_is_refused() -> None:
    slide = InMemoryDataset.from_matrix(MassAxis(np.array([100.0])), np.ones((2, 1)), line(2))
    with pytest.raises(QueryError, match="use sum, max, mean"):
        slide.ion_images([], "median")  # type: ignore[arg-type]


@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_unmeasured_is_nan_and_nothing_found_is_zero(reduce: Reduction) -> None:
    axis = MassAxis(np.array([100.0, 200.0]))
    slide = InMemoryDataset.from_matrix(axis, np.array([[1.0, 2.0], [3.0, 4.0]]), line(2))
    window = [MassWindow(200, MassTolerance(0)), MassWindow(500, MassTolerance(1))]
    images = ion_images(slide, window, reduce)
    assert images.shape == (2, 1, 3)
    assert np.array_equal(images[0], [[2, np.nan, 4]], equal_nan=True)
    assert np.array_equal(images[1], [[0, np.nan, 0]], equal_nan=True)


def test_no_window_gives_no_image() -> None:
    axis = MassAxis(np.array([100.0]))
    slide = InMemoryDataset.from_matrix(axis, np.ones((2, 1)), line(2))
    assert ion_images(slide, []).shape == (0, 1, 3)


def test_sums_are_exact_in_float64() -> None:
    axis = MassAxis(np.arange(1.0, 1001.0))
    matrix = np.full((1, 1000), np.float32(16_777_216))
    matrix[0, 1:] = 1
    slide = InMemoryDataset.from_matrix(axis, matrix.astype(np.float32), line(1))
    found = ion_vectors(slide, [MassWindow(500, MassTolerance(600))])
    assert found[0, 0] == 16_777_216 + 999


@pytest.mark.parametrize("side", ["left", "right"])
def test_bisection_equals_searchsorted(side: str) -> None:
    rng = np.random.default_rng(0)
    lengths = [0, 1, 5, 0, 130, 2]
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    mz = np.concatenate([np.sort(rng.integers(0, 50, n)).astype(float) for n in lengths])
    block = RaggedBlock(np.arange(6), mz, mz, bounds)
    for value in (-1.0, 0.0, 25.0, 25.5, 49.0, 60.0):
        wanted = [a + np.searchsorted(mz[a:b], value, side) for a, b in itertools.pairwise(bounds)]
        assert positions_in_spectra(block, value, side).tolist() == wanted


@pytest.mark.parametrize("longest", [3, 2000, 200_000])
def test_sums_of_slices_are_exact_whatever_their_lengths(longest: int) -> None:
    rng = np.random.default_rng(longest)
    for n in (0, 1, 7, 60):
        bounds = np.concatenate([[0], np.cumsum(rng.integers(0, longest, n))])
        values = rng.normal(size=int(bounds[-1]) + 5).astype(np.float32)
        values[rng.random(values.size) < 1e-4] = np.nan
        slices = [values[a:b].astype(float) for a, b in pairwise(bounds.tolist())]
        wanted = [np.nansum(part) for part in slices]
        assert np.allclose(finite_sums_between(values, bounds), wanted, rtol=1e-12, atol=1e-9)
