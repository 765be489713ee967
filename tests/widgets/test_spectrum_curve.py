"""The lines of a spectrum: as few as there are columns, and nothing that can be seen is lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ims_tumor.msi.arrays import Float64Array, IntArray
from napari_ims_tumor.msi.spectrum import Mode, Spectrum
from napari_ims_tumor.widgets.spectrum_curve import SpectrumCurve, lines_of

WIDTH = 40
LOW, HIGH = 100.0, 200.0


def spectrum_of(n: int, seed: int, mode: Mode) -> Spectrum:
    rng = np.random.default_rng(seed)
    mz = np.sort(rng.uniform(LOW - 5, HIGH + 5, n))
    return Spectrum(mz, rng.normal(10, 30, n), mode)


def columns_of(mz: Float64Array) -> IntArray:
    return np.floor((mz - LOW) * (WIDTH / (HIGH - LOW))).astype(np.int64)


MODES = st.sampled_from(["profile", "centroid"])


@given(n=st.integers(1, 3000), seed=st.integers(0, 99), mode=MODES)
def test_every_column_shows_its_highest_and_lowest_point(n: int, seed: int, mode: Mode) -> None:
    spectrum = spectrum_of(n, seed, mode)
    lines = lines_of(spectrum, LOW, HIGH, WIDTH)
    assert len(lines) <= 4 * WIDTH + 4
    ends = lines.reshape(-1, 2)
    for column in range(WIDTH):
        inside = columns_of(spectrum.mz) == column
        if not inside.any() or spectrum.mz.size == 1:
            continue
        values = spectrum.intensity[inside]
        drawn = ends[columns_of(ends[:, 0]) == column, 1]
        assert drawn.max() == max(values.max(), 0 if mode == "centroid" else -np.inf)
        assert drawn.min() == min(values.min(), 0 if mode == "centroid" else np.inf)


def test_few_points_are_drawn_one_by_one() -> None:
    stick = Spectrum(np.array([110.0, 150.0]), np.array([3.0, 7.0]), "centroid")
    expected = [[110, 0, 110, 3], [150, 0, 150, 7]]
    assert lines_of(stick, LOW, HIGH, WIDTH).tolist() == expected
    curve = Spectrum(stick.mz, stick.intensity, "profile")
    assert lines_of(curve, LOW, HIGH, WIDTH).tolist() == [[110, 3, 150, 7]]


def test_a_profile_enters_the_view_from_a_point_outside() -> None:
    curve = Spectrum(np.array([90.0, 150.0, 210.0]), np.array([1.0, 5.0, 2.0]), "profile")
    assert lines_of(curve, 120, 130, WIDTH).tolist() == [[90, 1, 150, 5]]


def test_what_is_not_finite_leaves_a_gap() -> None:
    curve = Spectrum(np.array([110.0, 120, 130, 140]), np.array([1.0, np.nan, 2, 3]), "profile")
    assert lines_of(curve, LOW, HIGH, WIDTH).tolist() == [[130, 2, 140, 3]]
    nothing = Spectrum(np.array([110.0]), np.array([np.inf]), "centroid")
    assert lines_of(nothing, LOW, HIGH, WIDTH).shape == (0, 4)


@pytest.mark.usefixtures("qtbot")
def test_the_height_follows_the_range_in_view() -> None:
    curve = SpectrumCurve()
    assert curve.dataBounds(1) == (None, None)
    curve.show_spectrum(Spectrum(np.array([110.0, 150.0]), np.array([3.0, 7.0]), "centroid"))
    assert curve.dataBounds(0) == (110, 150)
    assert curve.dataBounds(1) == (0, 7)
    assert curve.dataBounds(1, orthoRange=(100, 120)) == (0, 3)
    curve.show_spectrum(None)
    assert curve.boundingRect().isNull()
