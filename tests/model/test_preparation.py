from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ims_tumor.model.config import FitConfig, Network
from napari_ims_tumor.model.normalization import root_of_shares
from napari_ims_tumor.model.preparation import (
    AS_IT_IS,
    MOST_REACH,
    MOST_WIDTH,
    Preparation,
    is_sampled_curve,
    peak_width,
    sums_of_neighbors,
)
from napari_ims_tumor.msi.arrays import Float32Array
from napari_ims_tumor.msi.mass_axis import MassAxis

SAMPLED = {
    "equal steps": np.arange(500.0, 900.0, 0.1),
    "time of flight": np.linspace(np.sqrt(1000.0), np.sqrt(9000.0), 40_000) ** 2,
    "orbital trap": np.linspace(500.0**-0.5, 1000.0**-0.5, 9000) ** -2,
    "gaps between stretches": np.concatenate(
        [start + np.arange(0.0, 1.0, 0.02) for start in range(500, 900, 7)]
    ),
}
PICKED = {
    "one peak per Da, with gaps": np.sort(
        np.random.default_rng(0).choice(np.arange(800.0, 2200.0), 593, replace=False)
    ),
    "peaks anywhere": np.sort(np.random.default_rng(1).uniform(400.0, 2000.0, 4000)),
    "coarse bins": np.arange(500.0, 1500.0, 1.0),
    "few": np.arange(500.0, 505.0, 0.1),
}


@pytest.mark.parametrize("mz", SAMPLED.values(), ids=SAMPLED.keys())
def test_a_profile_is_a_sampled_curve(mz: Float32Array) -> None:
    assert is_sampled_curve(MassAxis(mz))


@pytest.mark.parametrize("mz", PICKED.values(), ids=PICKED.keys())
def test_on_picked_peaks_nothing_is_done(mz: Float32Array) -> None:
    roots = np.random.default_rng(2).random((5, mz.size), np.float32)
    assert Preparation.for_spectra(MassAxis(mz), roots) == AS_IT_IS


def peaks(step: float, width_da: float) -> tuple[MassAxis, Float32Array]:
    """Isotope envelopes on a slope, as counts."""
    mz = np.arange(600.0, 800.0, step)
    mean = 4 * np.exp(-(mz - 600) / 100)
    for place in np.random.default_rng(3).uniform(603, 797, 60):
        for isotope, height in enumerate((100, 60, 20)):
            mean += height * np.exp(-0.5 * ((mz - place - isotope) / (width_da / 2.3548)) ** 2)
    return MassAxis(mz), np.random.default_rng(4).poisson(mean, (30, mz.size)).astype(np.float32)


@pytest.mark.parametrize(
    ("step", "width_da", "expected"),
    [
        (0.1, 0.24, Preparation(5, 5)),
        (0.05, 0.24, Preparation(9, 10)),
        (0.02, 0.05, Preparation(5, 5)),
        # Narrower than a bin: it and its neighbors.
        (0.05, 0.03, Preparation(3, 2)),
    ],
)
def test_it_follows_the_width_of_a_peak(
    step: float, width_da: float, expected: Preparation
) -> None:
    axis, values = peaks(step, width_da)
    found = Preparation.for_spectra(axis, root_of_shares(values))
    assert abs(found.width - expected.width) <= 2
    assert abs(found.reach - expected.reach) <= 1


def test_no_spectrum_is_moved_onto_the_next_isotope() -> None:
    axis, values = peaks(0.1, 0.45)
    assert Preparation.for_spectra(axis, root_of_shares(values)).reach <= 5


def test_flat_and_empty_spectra_are_left_alone() -> None:
    axis = MassAxis(np.arange(600.0, 620.0, 0.05))
    assert Preparation.for_spectra(axis, np.ones((3, len(axis)), np.float32)) == AS_IT_IS
    assert Preparation.for_spectra(axis, np.zeros((3, len(axis)), np.float32)) == AS_IT_IS


def test_a_width_is_measured_between_bins() -> None:
    at = np.arange(-400, 401)
    for sigma in (1.0, 2.5, 6.0):
        curve = np.exp(-0.5 * ((at % 100 - 50) / sigma) ** 2)
        found = peak_width(curve, 40)
        assert found is not None
        assert abs(found - 2.3548 * sigma) < 0.15


@given(width=st.integers(0, 8), bins=st.integers(1, 40), seed=st.integers(0, 99))
def test_sums_are_those_of_a_window(width: int, bins: int, seed: int) -> None:
    values = np.random.default_rng(seed).poisson(5.0, (3, bins)).astype(np.float32)
    full = 2 * width + 1
    padded = np.pad(values, ((0, 0), (width, width)))
    expected = np.lib.stride_tricks.sliding_window_view(padded, full, axis=1).sum(axis=2)
    assert np.array_equal(sums_of_neighbors(values, full), expected)


@pytest.mark.parametrize("network", ["default", "linear", "isotopenet", "faithful"])
def test_networks_to_compare_with_see_spectra_as_they_are(network: Network) -> None:
    found, ours = Preparation(5, 4), network in ("default", "linear")
    assert found.limited_to(FitConfig(network)) == (found if ours else AS_IT_IS)
    asked = FitConfig(network, smooth=not ours, align=not ours)
    assert found.limited_to(asked) == (AS_IT_IS if ours else found)


@pytest.mark.parametrize(
    "wrong",
    [(2, 0), (-1, 0), (MOST_WIDTH + 2, 0), (1, -1), (1, MOST_REACH + 1), (1.0, 0), (1, "4")],
)
def test_what_this_program_cannot_have_made_is_not_sound(wrong: tuple[int, int]) -> None:
    assert Preparation(5, 4).is_sound
    assert not Preparation(*wrong).is_sound
