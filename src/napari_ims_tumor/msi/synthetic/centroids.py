"""Centroided spectra: a list of the peaks that stand out."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator
from scipy.sparse import csr_array

from napari_ims_tumor.msi.arrays import Float64Array, IntArray
from napari_ims_tumor.msi.spectrum import RaggedBlock
from napari_ims_tumor.msi.synthetic.measurement import Measurement, pulses

LEAST_IONS: Final = 3
RESOLVED_DA: Final = 0.08
NOISE_ABUNDANCE: Final = 0.01
# A peak is seen by several samples of a profile; together they count about twice its top.
IONS_PER_TOP: Final = 2.0
# Error of the m/z of a peak of a single ion.
ERROR_PPM: Final = 25.0


class CentroidCounter:
    """Counts the ions of every resolved peak and keeps those that stand out, with their m/z.

    Parameters
    ----------
    measurement
        The slide.
    """

    def __init__(self, measurement: Measurement) -> None:
        self._slide = measurement
        self._mz, self._mixing = _resolved_peaks(measurement)
        self._drift_ppm = measurement.conditions.batch.drift_at(self._mz)

    def block(self, spectra: IntArray, rng: Generator) -> RaggedBlock:
        """Count some spectra."""
        conditions = self._slide.conditions
        expected = (self._mixing @ self._slide.amounts(spectra, rng).T).T + NOISE_ABUNDANCE
        ions = rng.poisson(IONS_PER_TOP * conditions.gain[spectra, None] * expected)
        row, peak = np.nonzero(ions >= LEAST_IONS)
        counted = ions[row, peak]
        # The more ions, the better the middle of a peak is known.
        error = rng.standard_normal(row.size) * ERROR_PPM / np.sqrt(counted)
        drift = self._drift_ppm[peak] + conditions.drift_ppm[spectra[row]] + error
        place = self._mz[peak] * (1 + drift * 1e-6)
        order = np.lexsort((place, row))
        intensity = pulses(counted[order], rng) * np.float32(conditions.detector)
        bounds = np.append(0, np.cumsum(np.bincount(row, minlength=spectra.size)))
        return RaggedBlock(spectra, place[order], intensity, bounds)


def _resolved_peaks(measurement: Measurement) -> tuple[Float64Array, csr_array]:
    """Merge isotope peaks closer than the instrument resolves; drop those outside the range.

    Returns
    -------
    mz, mixing
        Shape (peaks,), and sparse (peaks, molecules): ions per abundance.
    """
    centers, heights = measurement.peaks()
    inside = (measurement.chemistry.patterns > 0.005) & (centers < measurement.recipe.mz_high)
    molecule, isotope = np.nonzero(inside)
    place, height = centers[molecule, isotope], heights[molecule, isotope]
    order = np.argsort(place)
    first = np.append(True, np.diff(place[order]) > RESOLVED_DA)
    peak = np.cumsum(first) - 1
    shape = (int(peak[-1]) + 1, measurement.chemistry.mz.size)
    mixing = csr_array((height[order], (peak, molecule[order])), shape=shape)
    weighted = np.bincount(peak, place[order] * height[order])
    return weighted / np.bincount(peak, height[order]), mixing
