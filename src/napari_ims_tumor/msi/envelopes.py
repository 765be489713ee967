"""Isotope envelopes: peaks of one molecule, a neutron apart, folded together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from napari_ims_tumor.msi.arrays import Float64Array, IntArray, frozen

NEUTRON_DA: Final = 1.00335
"""From carbon 12 to carbon 13."""
CHARGES: Final = (1, 2, 3)
MOST_ISOTOPES: Final = 6
ISOTOPES_PER_DA: Final = 5.7e-4
"""Heavy isotopes per Da of lipid or peptide: the envelope is about Poisson with this mean."""
LEAST_RATIO, MOST_RATIO = 0.25, 2.2
"""An isotope may be this many times as high as expected; a higher peak is another molecule's."""
LEAST_PPM: Final = 10.0
MOST_TOLERANCE_DA: Final = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Envelopes:
    """Peaks by envelope; every peak belongs to exactly one.

    Attributes
    ----------
    of_peak
        Shape (peaks,): number of the envelope; envelopes ascend by their first peak.
    first
        Shape (envelopes,): the peak that an envelope begins with, the monoisotopic one.
    size
        Shape (envelopes,): how many peaks it has.
    charge
        Shape (envelopes,): as told by the spacing; 1 for a peak alone.
    """

    of_peak: IntArray
    first: IntArray
    size: IntArray
    charge: IntArray

    def __post_init__(self) -> None:
        for name in ("of_peak", "first", "size", "charge"):
            object.__setattr__(self, name, frozen(getattr(self, name), np.int64))

    def __len__(self) -> int:
        return int(self.first.size)

    def members(self, envelope: int) -> IntArray:
        """Peaks of an envelope, ascending."""
        return np.flatnonzero(self.of_peak == envelope)


def fold_envelopes(mz: Float64Array, height: Float64Array, half: Float64Array) -> Envelopes:
    """Fold isotopes, from the lowest m/z up.

    A peak joins the one before where it lies a neutron higher and is about as high as an isotope
    would be; where it is much higher, another molecule begins there. The rule sees one spectrum
    and cannot part two molecules in one peak.

    Parameters
    ----------
    mz, height, half
        Shape (peaks,): ascending m/z, height above the floor, half-width of the window.
    """
    of_peak = np.full(mz.size, -1, np.int64)
    first: list[int] = []
    size: list[int] = []
    charge: list[int] = []
    for peak in range(mz.size):
        if of_peak[peak] >= 0:
            continue
        chains = [(_chain(peak, z, (mz, height, half), of_peak), z) for z in CHARGES]
        # A charge of 2 or 3 is believed where three peaks say so.
        told = [(c, z) for c, z in chains if z == 1 or len(c) > 2]
        chain, z = max(told, key=lambda found: (len(found[0]), -found[1]))
        of_peak[chain] = len(first)
        first.append(peak)
        size.append(len(chain))
        charge.append(z)
    return Envelopes(of_peak, np.array(first), np.array(size), np.array(charge))


def _chain(
    peak: int, z: int, peaks: tuple[Float64Array, Float64Array, Float64Array], taken: IntArray
) -> list[int]:
    mz, height, half = peaks
    chain = [peak]
    expected_mean = ISOTOPES_PER_DA * float(mz[peak]) * z
    tolerance = min(
        max(float(half[peak]) / 2, LEAST_PPM * 1e-6 * float(mz[peak])), MOST_TOLERANCE_DA / z
    )
    for k in range(1, MOST_ISOTOPES):
        wanted = float(mz[peak]) + k * NEUTRON_DA / z
        low, high = np.searchsorted(mz, [wanted - tolerance, wanted + tolerance])
        near = [i for i in range(int(low), int(high)) if taken[i] < 0]
        if not near:
            break
        found = min(near, key=lambda i: abs(float(mz[i]) - wanted))
        ratio = float(height[found]) / max(float(height[chain[-1]]) * expected_mean / k, 1e-30)
        if not LEAST_RATIO <= ratio <= MOST_RATIO:
            break
        chain.append(found)
    return chain
