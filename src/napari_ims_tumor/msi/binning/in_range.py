"""Intensities as numbers that 32 bits hold, and that can be added up in them.

No instrument counts to 10³⁰, but files of 64 bits may be scaled by anything. What a model sees are
shares of a spectrum's total, so a spectrum beyond it is scaled as a whole; all others are left as
they are, bit by bit.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.msi.arrays import IntArray

LARGEST: Final = 1e30
"""A million bins of it still add up to less than 32 bits hold."""


def rows_in_range(values: NDArray[Any]) -> NDArray[Any]:
    """Intensities (n, m) with 0 for what is not finite; no copy where nothing is wrong."""
    if _are_in_range(values):
        return values
    wide = _finite(values)
    return _scaled(wide, _factors(wide.max(axis=1, initial=0))[:, None], values.dtype)


def ragged_in_range(values: NDArray[Any], bounds: IntArray) -> NDArray[Any]:
    """The same for spectra one behind the other, each from a bound to the next."""
    if _are_in_range(values):
        return values
    wide = _finite(values)
    spectra = zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
    highest = np.array([wide[first:last].max(initial=0) for first, last in spectra])
    return _scaled(wide, np.repeat(_factors(highest), np.diff(bounds)), values.dtype)


def _are_in_range(values: NDArray[Any]) -> bool:
    # NaN is neither above nor below; two passes without a copy cost no more than asking for it.
    return not values.size or bool(values.max() <= LARGEST and values.min() >= -LARGEST)


def _finite(values: NDArray[Any]) -> NDArray[np.float64]:
    wide = values.astype(np.float64)
    wide[~np.isfinite(wide)] = 0
    return wide


def _scaled(
    wide: NDArray[np.float64], factors: NDArray[np.float64], kind: np.dtype[Any]
) -> NDArray[Any]:
    wide *= factors
    # Below 0 nothing is a signal: the peaks alone say how a spectrum is scaled.
    np.maximum(wide, -LARGEST, out=wide)
    # As wide as they came: a spectrum is binned alike alone and beside one that was scaled.
    return wide.astype(kind)


def _factors(highest: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(highest > LARGEST, LARGEST / np.maximum(highest, LARGEST), 1.0)
