"""Profiles whose samples lie one on a node after the other are added as rows."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ims_tumor.msi import mass_grid
from napari_ims_tumor.msi.mass_grid import ProfileSums
from napari_ims_tumor.msi.spectrum import Spectrum


@given(st.integers(0, 10_000), st.sampled_from([0, 3, 40, 2000]), st.integers(1, 4))
def test_rows_give_what_single_points_give(seed: int, n_missing: int, n_spectra: int) -> None:
    rng = np.random.default_rng(seed)
    mz = np.linspace(300, 900, 3000) + rng.random() * 0.2
    empty = ProfileSums.like([Spectrum(mz, np.zeros(mz.size), "profile")], 300.0, 900.2)
    rows, points = (deepcopy(empty) for _ in range(2))
    for _ in range(n_spectra):
        kept = np.sort(rng.choice(mz.size, mz.size - n_missing, replace=False))
        own, intensity = mz[kept] + rng.random() * 0.1, rng.gamma(1, 100, kept.size)
        rows.add(own, intensity)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(mass_grid, "_LONG_RUN", 10**9)
            points.add(own, intensity)
    for name in ("sums", "passed_on", "tops"):
        np.testing.assert_array_equal(getattr(rows, name), getattr(points, name))
