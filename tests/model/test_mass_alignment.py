from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ims_tumor.model.mass_alignment import MassAlignment
from napari_ims_tumor.model.normalization import InputNormalization, root_of_shares
from napari_ims_tumor.model.preparation import Preparation
from napari_ims_tumor.msi.arrays import Float32Array

BINS, REACH = 3000, 5
PLACES = np.arange(30, BINS - 30, 17) + np.random.default_rng(0).integers(-4, 5, 173)


def mean_spectrum(low: float = 0.0, high: float = 0.0, seed: int = 1) -> Float32Array:
    """Peaks whose heights differ, moved by so many bins at the two ends."""
    heights = np.random.default_rng(seed).lognormal(3, 1, PLACES.size)
    centers = PLACES + low + (high - low) * PLACES / (BINS - 1)
    at = np.arange(BINS)[:, None]
    curve: Float32Array = 3 + (heights * np.exp(-0.5 * ((at - centers) / 1.1) ** 2)).sum(axis=1)
    return curve


def counted(mean: Float32Array, n: int = 40, seed: int = 2) -> Float32Array:
    return np.random.default_rng(seed).poisson(mean, (n, mean.size)).astype(np.float32)


TEMPLATE = root_of_shares(counted(mean_spectrum(), 200)).mean(axis=0)
ALIGNMENT = MassAlignment(TEMPLATE, REACH)


@pytest.mark.parametrize(("low", "high"), [(0, 0), (4, 4), (-4, -4), (-5, -5), (1, 4), (2, -2)])
def test_a_shift_is_found_in_every_single_spectrum(low: int, high: int) -> None:
    roots = root_of_shares(counted(mean_spectrum(low, high)))
    moves = ALIGNMENT.moves[ALIGNMENT.found(roots)]
    assert np.abs(moves - (low, high)).max() <= 1
    assert (np.abs(moves - (low, high)).sum(axis=1) == 0).mean() > (0.9 if low == high else 0.5)


def test_aligned_spectra_are_what_they_would_have_been() -> None:
    values = counted(mean_spectrum())
    moved = np.roll(values, 4, axis=1)
    found = ALIGNMENT.aligned(root_of_shares(moved))
    inner = slice(10, -10)
    assert np.allclose(found[:, inner], root_of_shares(values)[:, inner], rtol=1e-4, atol=1e-5)


def test_what_lies_in_place_is_given_back_untouched() -> None:
    roots = root_of_shares(counted(mean_spectrum()))
    assert ALIGNMENT.aligned(roots) is roots
    empty = np.zeros((3, BINS), np.float32)
    assert ALIGNMENT.aligned(empty) is empty


def test_noise_and_foreign_tissue_move_nothing() -> None:
    flat = root_of_shares(counted(np.full(BINS, 30.0)))
    assert not ALIGNMENT.found(flat).any()
    other = root_of_shares(counted(mean_spectrum(seed=9)))
    assert (ALIGNMENT.found(other) == 0).mean() > 0.9


def test_a_template_without_a_peak_moves_nothing() -> None:
    roots = root_of_shares(counted(mean_spectrum(3, 3)))
    for template in (np.ones(BINS, np.float32), np.zeros(BINS, np.float32)):
        assert not MassAlignment(template, REACH).found(roots).any()


@given(bins=st.integers(1, 200), reach=st.integers(1, 16))
def test_axes_of_any_length(bins: int, reach: int) -> None:
    template = np.random.default_rng(bins).random(bins).astype(np.float32)
    roots = np.random.default_rng(reach).random((3, bins)).astype(np.float32)
    assert MassAlignment(template, reach).aligned(roots).shape == roots.shape


def test_a_spectrum_is_moved_alike_alone_and_among_others() -> None:
    roots = root_of_shares(counted(mean_spectrum(1.5, 1.5), 60))
    among = ALIGNMENT.found(roots)
    assert len(np.unique(among)) > 1, "half a bin between two moves should be undecided"
    assert [ALIGNMENT.found(root[None])[0] for root in roots] == among.tolist()


def test_a_normalization_learns_from_spectra_in_place() -> None:
    """Of slides with different shifts, the scale is that of the spectra, not of their shifts."""
    parts = [counted(mean_spectrum(s, s), 60, seed=s + 9) for s in (-3, 0, 3)]
    straight = root_of_shares(counted(mean_spectrum(), 180))
    crooked = root_of_shares(np.concatenate(parts))
    expected = InputNormalization.learn(straight).scale
    found = InputNormalization.learn(crooked, None, Preparation(1, REACH)).scale
    unaligned = InputNormalization.learn(crooked).scale
    inner = slice(30, -30)
    assert np.median(np.abs(found / expected - 1)[inner]) < 0.15
    assert np.median(np.abs(unaligned / expected - 1)[inner]) > 0.3
