"""Which spectra are neighbors: exactly the measured ones around a pixel."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_ims_tumor.msi.neighbors import neighbor_pairs

places = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 6), st.integers(0, 6)), max_size=60, unique=True
)


@given(places)
def test_pairs_are_those_that_brute_force_finds(found) -> None:
    section, row, column = (np.array([p[i] for p in found], np.int64) for i in range(3))
    pairs = neighbor_pairs(section, row, column)
    wanted = {
        (i, j)
        for i, a in enumerate(found)
        for j, b in enumerate(found)
        if i != j and a[0] == b[0] and max(abs(a[1] - b[1]), abs(a[2] - b[2])) == 1
    }
    assert len(pairs.pixel) == len(wanted)
    assert set(zip(pairs.pixel.tolist(), pairs.neighbor.tolist(), strict=True)) == wanted
    assert pairs.n == len(found)


def test_spectra_at_one_place_share_their_neighbors_and_are_none_of_each_other() -> None:
    pairs = neighbor_pairs(np.zeros(3, np.int64), np.zeros(3, np.int64), np.array([0, 0, 1]))
    found = sorted(zip(pairs.pixel.tolist(), pairs.neighbor.tolist(), strict=True))
    assert found == [(0, 2), (1, 2), (2, 0)]
