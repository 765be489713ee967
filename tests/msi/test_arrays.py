"""Frozen arrays cannot change, and are not copied for nothing."""

from __future__ import annotations

import numpy as np

from napari_ims_tumor.msi.arrays import frozen
from napari_ims_tumor.msi.spectrum import Spectrum


def test_what_others_may_write_to_is_copied() -> None:
    owned = np.arange(3.0)
    view = owned[:]
    view.flags.writeable = False
    for values in (owned, view):
        assert not np.may_share_memory(frozen(values, np.float64), owned)


def test_what_nobody_can_write_to_is_kept() -> None:
    once = frozen([1.0, 2.0], np.float64)
    assert frozen(once, np.float64) is once
    data = np.frombuffer(np.arange(3.0).tobytes(), np.float64)
    assert frozen(data, np.float64) is data


def test_other_types_strides_and_alignments_are_copied() -> None:
    once = frozen(np.arange(6.0), np.float64)
    assert frozen(once, np.float32).dtype == np.float32
    odd = np.frombuffer(b"x" + np.arange(3.0).tobytes(), np.float64, 3, 1)
    assert frozen(odd, np.float64).flags.aligned
    grid = frozen(np.ones((2, 2)), np.float64)
    assert frozen(grid.T, np.float64).flags.c_contiguous


def test_an_adopted_spectrum_is_copied_where_it_could_change() -> None:
    mz, intensity = np.arange(3.0), np.ones(3)
    spectrum = Spectrum.adopt(mz, intensity, "centroid")
    mz[0] = 9
    assert spectrum.mz.tolist() == [0, 1, 2]
    assert not spectrum.intensity.flags.writeable
