from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ims_tumor.msi.envelopes import NEUTRON_DA, fold_envelopes
from napari_ims_tumor.msi.synthetic.isotopes import (
    ISOTOPE_STEP_DA,
    MoleculeKind,
    isotope_pattern,
)


def envelope(mass: float, kind: MoleculeKind, z: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """m/z and height of the isotopes that stand out."""
    heights = isotope_pattern(mass, kind)
    mz = mass / z + np.arange(heights.size) * ISOTOPE_STEP_DA[kind] / z
    seen = heights > 0.02 * heights.max()
    return mz[seen], heights[seen]


def folded(mz: np.ndarray, heights: np.ndarray, half: float = 0.2) -> list[list[int]]:
    order = np.argsort(mz)
    found = fold_envelopes(mz[order], heights[order], np.full(mz.size, half))
    return [found.members(e).tolist() for e in range(len(found))]


@pytest.mark.parametrize("kind", ["lipid", "peptide"])
@pytest.mark.parametrize("mass", [450.3, 760.6, 1100.5, 1570.7, 2400.2])
@pytest.mark.parametrize("half", [0.005, 0.2])
def test_the_isotopes_of_a_molecule_are_one(kind: MoleculeKind, mass: float, half: float) -> None:
    mz, heights = envelope(mass, kind)
    assert folded(mz, heights, half) == [list(range(mz.size))]


@pytest.mark.parametrize("z", [2, 3])
def test_a_closer_spacing_tells_the_charge(z: int) -> None:
    mz, heights = envelope(2400.2, "peptide", z)
    found = fold_envelopes(mz, heights, np.full(mz.size, 0.02))
    assert (len(found), found.charge[0]) == (1, z)


def test_a_higher_peak_in_the_place_of_an_isotope_is_another_molecule() -> None:
    mz, heights = envelope(760.6, "lipid")
    # A molecule two hydrogens heavier, ten times as high.
    other_mz, other = envelope(762.6, "lipid")
    found = folded(np.concatenate([mz[:2], other_mz]), np.concatenate([heights[:2], 10 * other]))
    assert found == [[0, 1], list(range(2, 2 + other.size))]


def test_peaks_that_are_no_neutron_apart_stay_apart() -> None:
    mz = 700 + np.array([0, 0.7, 1.6, 5])
    assert folded(mz, np.ones(4), half=0.01) == [[0], [1], [2], [3]]


def test_no_peak_no_envelope() -> None:
    assert folded(np.zeros(0), np.zeros(0)) == []


@given(
    steps=st.lists(st.sampled_from([0.3, 0.5, NEUTRON_DA, 1.7]), max_size=30),
    seed=st.integers(0, 100),
)
def test_every_peak_belongs_to_one_envelope(steps: list[float], seed: int) -> None:
    mz = 600 + np.cumsum(steps)
    heights = np.random.default_rng(seed).gamma(1, 1, mz.size)
    found = fold_envelopes(mz, heights, np.full(mz.size, 0.1))
    assert found.size.sum() == mz.size
    assert np.array_equal(np.bincount(found.of_peak, minlength=len(found)), found.size)
    assert all(found.members(e)[0] == found.first[e] for e in range(len(found)))
    assert (np.diff(found.first) > 0).all()
