"""Profile spectra: every sample of the axis counts its ions."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator
from scipy.sparse import csr_array

from napari_ims_tumor.msi.arrays import BoolArray, Float32Array, Float64Array, IntArray
from napari_ims_tumor.msi.mass_axis import MassAxis
from napari_ims_tumor.msi.spectrum import RaggedBlock, SharedAxisBlock, SpectrumBlock
from napari_ims_tumor.msi.synthetic.isotopes import N_ISOTOPES
from napari_ims_tumor.msi.synthetic.measurement import Measurement, baseline, pulses

DRIFT_GROUPS: Final = 16
SIGMAS_SEEN: Final = 4.5
FWHM_IN_SIGMAS: Final = 2.3548


class ProfileCounter:
    """Counts profile spectra of a slide; spectra of about the same drift share their peaks.

    Parameters
    ----------
    measurement
        The slide.
    """

    def __init__(self, measurement: Measurement) -> None:
        self._slide = measurement
        self._axis = measurement.axis
        self._continuous = measurement.recipe.layout == "continuous-profile"
        self._group, self._peaks = self._templates()
        self._noise = baseline(measurement, self._axis.mz)
        # Each spectrum keeps its own axis: the drift is in the m/z values, not in the samples.
        batch = measurement.conditions.batch
        self._batch_scale = 1 + batch.drift_at(self._axis.mz) * 1e-6

    def block(self, spectra: IntArray, rng: Generator) -> SpectrumBlock:
        """Count some spectra."""
        counted = self._counted(spectra, rng)
        if self._continuous:
            return SharedAxisBlock(spectra, self._axis.mz, counted)
        return self._without_zeros(spectra, counted)

    def _templates(self) -> tuple[IntArray, list[csr_array]]:
        """Group the spectra by drift, and draw the peaks of each group."""
        drift = self._slide.conditions.drift_ppm
        if not self._continuous:
            return np.zeros(drift.size, np.int64), [peak_templates(self._slide, self._axis, None)]
        edges = np.quantile(drift, np.linspace(0, 1, DRIFT_GROUPS + 1)[1:-1])
        group = np.searchsorted(edges, drift)
        present, group = np.unique(group, return_inverse=True)
        means = [float(drift[group == g].mean()) for g in range(present.size)]
        return group, [peak_templates(self._slide, self._axis, mean) for mean in means]

    def _counted(self, spectra: IntArray, rng: Generator) -> Float32Array:
        amounts = self._slide.amounts(spectra, rng)
        expected = np.empty((spectra.size, len(self._axis)))
        group = self._group[spectra]
        for number in np.unique(group):
            members = np.flatnonzero(group == number)
            expected[members] = (self._peaks[number] @ amounts[members].T).T
        expected += self._noise
        expected *= self._slide.conditions.gain[spectra, None]
        ions = rng.poisson(expected)
        counted = np.zeros(ions.shape, np.float32)
        seen = ions > 0
        counted[seen] = pulses(ions[seen], rng)
        counted *= np.float32(self._slide.conditions.detector)
        return counted

    def _without_zeros(self, spectra: IntArray, matrix: Float32Array) -> RaggedBlock:
        """Store profiles as exporters do: long stretches of zeros are left out."""
        signal = matrix > 0
        kept: BoolArray = signal.copy()
        kept[:, 1:] |= signal[:, :-1]
        kept[:, :-1] |= signal[:, 1:]
        row, sample = np.nonzero(kept)
        own = 1 + self._slide.conditions.drift_ppm[spectra] * 1e-6
        mz = (self._axis.mz * self._batch_scale)[sample] * own[row]
        bounds = np.append(0, np.cumsum(kept.sum(axis=1)))
        return RaggedBlock(spectra, mz, matrix[kept], bounds)


def peak_templates(measurement: Measurement, axis: MassAxis, drift_ppm: float | None) -> csr_array:
    """Return the profile of one unit of every molecule, sparse, shape (channels, molecules).

    Parameters
    ----------
    measurement
        The slide.
    axis
        Where to draw.
    drift_ppm
        Shift of every peak beside the batch's; ``None`` draws them at their true places.
    """
    centers, heights = measurement.peaks()
    if drift_ppm is not None:
        batch = measurement.conditions.batch
        centers = centers * (1 + (batch.drift_at(centers) + drift_ppm) * 1e-6)
    molecule = np.repeat(np.arange(centers.shape[0]), N_ISOTOPES)
    sigma = measurement.recipe.peak_width_da / FWHM_IN_SIGMAS
    step = measurement.recipe.step_da
    reach = np.arange(-1, 2 + int(np.ceil(SIGMAS_SEEN * sigma / step)) * 2)
    first = np.floor((centers.ravel() - axis.low - SIGMAS_SEEN * sigma) / step).astype(np.int64)
    sample = first[:, None] + reach
    offset = (axis.low + step * sample - centers.reshape(-1, 1)) / sigma
    height: Float64Array = heights.reshape(-1, 1) * np.exp(-0.5 * offset**2)
    inside = (sample >= 0) & (sample < len(axis)) & (np.abs(offset) <= SIGMAS_SEEN + 0.5)
    where = (sample[inside], np.broadcast_to(molecule[:, None], sample.shape)[inside])
    return csr_array((height[inside], where), shape=(len(axis), centers.shape[0]))
