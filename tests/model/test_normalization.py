from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ims_tumor.model.normalization import (
    LIMIT,
    LOOKED_AT_FIRST,
    SCALE_FLOOR,
    InputNormalization,
    has_intensity,
    root_of_shares,
)


def test_intensity_scale_does_not_matter_and_rms_is_one() -> None:
    values = np.random.default_rng(0).random((5, 30))
    roots = root_of_shares(values)
    assert np.allclose(roots, root_of_shares(values * 1e6), rtol=1e-5)
    assert np.allclose((roots**2).mean(axis=1), 1, rtol=1e-5)


def test_what_is_not_a_number_or_negative_counts_as_nothing() -> None:
    roots = root_of_shares(np.array([[np.nan, -3.0, 4.0, np.inf], [0, 0, 0, 0]]))
    assert np.allclose(roots, [[0, 0, 2, 0], [0, 0, 0, 0]])


def test_inputs_are_centered_scaled_and_limited() -> None:
    roots = root_of_shares(np.random.default_rng(1).poisson(5.0, (200, 40)).astype(float))
    inputs = InputNormalization.learn(roots).apply(roots)
    assert np.abs(inputs.mean(axis=0)).max() < 0.05
    assert np.abs(inputs.std(axis=0) - 1).max() < 0.1
    assert np.abs(inputs).max() <= LIMIT


def test_constant_bins_and_empty_spectra_are_safe() -> None:
    values = np.ones((6, 8))
    values[:, 0] = np.arange(6)
    values[5] = 0
    values[:, 3] = 0
    roots = root_of_shares(values)
    inputs = InputNormalization.learn(roots).apply(roots)
    assert np.isfinite(inputs).all()
    assert (inputs[5] == 0).all()
    assert (inputs[:, 3] == 0).all()


def test_nothing_but_empty_spectra() -> None:
    roots = np.zeros((3, 4), np.float32)
    assert (InputNormalization.learn(roots).apply(roots) == 0).all()


@pytest.mark.parametrize(("n", "bins"), [(40, 5), (700, 4), (600, 5000), (900, 1)])
def test_centers_learned_in_pieces_are_exact(n: int, bins: int) -> None:
    """To the last bit those of the whole matrix."""
    roots = np.random.default_rng(n).gamma(1, 1, (n, bins)).astype(np.float32)
    roots[::7] = 0
    rows = np.random.default_rng(0).permutation(n)[: n // 2 + 1]
    for learned, seen in (
        (InputNormalization.learn(roots), roots),
        (InputNormalization.learn(roots, rows), roots[rows]),
    ):
        full = seen[seen.any(axis=1)]
        center = full.mean(axis=0, dtype=np.float64).astype(np.float32)
        np.testing.assert_array_equal(learned.center, center)
        deviation = full.std(axis=0, dtype=np.float64)
        floor = SCALE_FLOOR * float(np.sqrt(np.mean(deviation**2)))
        np.testing.assert_array_equal(
            learned.scale, np.maximum(deviation, floor).astype(np.float32)
        )


def test_one_odd_spectrum_changes_no_other() -> None:
    values = np.random.default_rng(0).gamma(0.5, 9, (5, 40)).astype(np.float32)
    alone = root_of_shares(values)
    odd = np.concatenate([values, [[np.nan, np.inf, -3.0] + [1e-40] * 37], [[3e38] * 40]])
    together = root_of_shares(odd.astype(np.float32))
    assert np.array_equal(together[:5], alone)
    assert np.isfinite(together).all()
    assert np.allclose((together**2).mean(axis=1), 1, rtol=1e-3)
    assert has_intensity(odd).all()
    assert not has_intensity(np.array([[0.0, np.inf, np.nan, -1.0]])).any()


@given(st.integers(0, 3 * LOOKED_AT_FIRST - 1), st.sampled_from([0.0, -1.0, np.nan, np.inf]))
def test_one_peak_anywhere_is_an_intensity(place: int, elsewhere: float) -> None:
    spectra = np.full((3, 3 * LOOKED_AT_FIRST), elsewhere, np.float32)
    spectra[1, place] = 1e-30
    assert has_intensity(spectra).tolist() == [False, True, False]


def test_spectra_without_bins_hold_nothing() -> None:
    assert has_intensity(np.zeros((2, 0))).tolist() == [False, False]
