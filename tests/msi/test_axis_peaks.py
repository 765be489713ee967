from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ims_tumor.msi.axis_peaks import AxisPeaks, axis_peaks, is_peak_list
from napari_ims_tumor.msi.mass_axis import MassAxis

RNG = np.random.default_rng(3)
UNIFORM = MassAxis(np.linspace(600.0, 700.0, 1001))
FLIGHT = MassAxis(np.linspace(np.sqrt(600.0), np.sqrt(700.0), 1001) ** 2)
PEAKS = MassAxis(np.sort(RNG.uniform(600.0, 700.0, 60)))


def mean_on(axis: MassAxis, centers: tuple[float, ...]) -> np.ndarray:
    bells = np.exp(-((axis.mz[:, None] - np.array(centers)) ** 2) / (2 * 0.1**2))
    noise = np.random.default_rng(0).gamma(20, 0.02, len(axis))
    return np.asarray(noise + 50 * bells.sum(axis=1))


@pytest.mark.parametrize(("axis", "expected"), [(UNIFORM, False), (FLIGHT, False), (PEAKS, True)])
def test_samples_are_told_from_picked_peaks(axis: MassAxis, expected: bool) -> None:
    assert is_peak_list(axis) is expected


@pytest.mark.parametrize("axis", [UNIFORM, FLIGHT])
def test_the_peaks_of_a_curve_are_found_and_own_the_bins_beneath_them(axis: MassAxis) -> None:
    centers = (612.3, 650.5, 690.2)
    found = axis_peaks(axis, mean_on(axis, centers))
    assert found.mz == pytest.approx(centers, abs=0.1)
    for peak, center in enumerate(centers):
        own = axis.mz[found.owner == peak]
        assert own.min() < center - 0.15
        assert own.max() > center + 0.15
        assert (abs(own - found.mz[peak]) <= found.half[peak]).all()
    assert (found.owner == -1).mean() > 0.9


def test_of_a_list_every_bin_is_a_peak() -> None:
    found = axis_peaks(PEAKS, np.ones(len(PEAKS)))
    assert np.array_equal(found.owner, np.arange(len(PEAKS)))
    assert found.window(7).low < PEAKS.mz[7] < found.window(7).high


def test_isotopes_are_added_to_their_molecule() -> None:
    found = axis_peaks(UNIFORM, mean_on(UNIFORM, (650.5,)) + 0.35 * mean_on(UNIFORM, (651.503,)))
    assert len(found) == 2
    assert len(found.envelopes) == 1
    values = RNG.normal(size=(4, len(UNIFORM)))
    assert np.allclose(found.sums(values)[:, 0], values[:, found.owner >= 0].sum(axis=1))


@pytest.mark.parametrize(
    ("axis", "mean"),
    [(UNIFORM, np.zeros(len(UNIFORM))), (MassAxis(np.arange(500.0, 600.0)), np.full(100, 7.0))],
)
def test_where_no_peak_can_be_told_every_bin_is_one(axis: MassAxis, mean: np.ndarray) -> None:
    found = axis_peaks(axis, mean)
    assert np.array_equal(found.owner, np.arange(len(axis)))
    assert len(found.envelopes) == len(axis)


@given(centers=st.lists(st.floats(602, 698), min_size=1, max_size=12), seed=st.integers(0, 1000))
def test_sums_leave_out_only_what_lies_between_peaks(centers: list[float], seed: int) -> None:
    found: AxisPeaks = axis_peaks(UNIFORM, mean_on(UNIFORM, tuple(centers)))
    values = np.random.default_rng(seed).normal(size=(2, len(UNIFORM)))
    between = values[:, found.owner < 0].sum(axis=1)
    assert np.allclose(found.sums(values).sum(axis=1) + between, values.sum(axis=1))
