"""From abundances to measured spectra: peaks, baseline, drift and counting noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator

from napari_ims_tumor.msi.arrays import BoolArray, Float32Array, Float64Array, IntArray
from napari_ims_tumor.msi.mass_axis import MassAxis
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.spectrum import Mode, RaggedBlock
from napari_ims_tumor.msi.synthetic.abundances import Conditions
from napari_ims_tumor.msi.synthetic.chemistry import Chemistry, kind_at
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset
from napari_ims_tumor.msi.synthetic.isotopes import ISOTOPE_STEP_DA, N_ISOTOPES
from napari_ims_tumor.msi.synthetic.recipe import SlideRecipe

DRIFT_GROUPS: Final = 16
BASELINE_IONS: Final = 1.2
LEAST_IONS: Final = 3
RESOLVED_DA: Final = 0.08
SPECTRA_AT_ONCE: Final = 512


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """All that is known before the first ion is counted."""

    recipe: SlideRecipe
    chemistry: Chemistry
    abundances: Float64Array
    conditions: Conditions
    pixels: PixelGrid
    name: str


def measure(scene: Scene, rng: Generator) -> InMemoryDataset:
    """Count ions and store the spectra in the recipe's layout."""
    if scene.recipe.layout == "processed-centroid":
        return _centroids(scene, rng)
    axis = profile_axis(scene.recipe)
    if scene.recipe.layout == "continuous-profile":
        matrix = _profiles(scene, axis, rng, scene.conditions.drift_ppm)
        return InMemoryDataset.from_matrix(axis, matrix, scene.pixels, scene.name, "profile")
    # Each spectrum keeps its own axis: the drift is in the m/z values, not in the samples.
    matrix = _profiles(scene, axis, rng, np.zeros(len(scene.pixels)))
    return _without_zeros(scene, axis, matrix)


def profile_axis(recipe: SlideRecipe) -> MassAxis:
    """Return the evenly sampled axis of a recipe."""
    return MassAxis(recipe.mz_low + recipe.step_da * np.arange(recipe.channels, dtype=np.float64))


def peak_list(chemistry: Chemistry) -> tuple[Float64Array, Float64Array]:
    """Return m/z, shape (molecules, 6), and height per abundance of every isotope peak."""
    step = np.array([ISOTOPE_STEP_DA[kind_at(m)] for m in chemistry.mz])
    return chemistry.mz[:, None] + step[:, None] * np.arange(N_ISOTOPES), chemistry.patterns


def _profiles(
    scene: Scene, axis: MassAxis, rng: Generator, drift_ppm: Float64Array
) -> Float32Array:  # fmt: skip
    """Count profile spectra, shape (n_spectra, channels); equal drifts share their templates."""
    counted = np.zeros((len(scene.pixels), len(axis)), np.float32)
    edges = np.quantile(drift_ppm, np.linspace(0, 1, DRIFT_GROUPS + 1)[1:-1])
    group = np.searchsorted(edges, drift_ppm)
    for number in np.unique(group):
        members = np.flatnonzero(group == number)
        templates = _templates(scene, axis, float(drift_ppm[members].mean()))
        for start in range(0, members.size, SPECTRA_AT_ONCE):
            some = members[start : start + SPECTRA_AT_ONCE]
            expected = _baseline(axis) + scene.abundances[some] @ templates
            counted[some] = rng.poisson(expected * scene.conditions.gain[some, None])
    counted *= np.float32(scene.conditions.detector)
    counted.flags.writeable = False
    return counted


def _templates(scene: Scene, axis: MassAxis, drift_ppm: float) -> Float64Array:
    """Return the profile of one unit of every molecule, shape (molecules, channels)."""
    centers, heights = peak_list(scene.chemistry)
    width = scene.recipe.peak_width_da / 2.3548
    seen = centers * (1 + drift_ppm * 1e-6)
    templates = np.zeros((centers.shape[0], len(axis)))
    for isotope in range(N_ISOTOPES):
        offset = (axis.mz - seen[:, isotope, None]) / width
        templates += heights[:, isotope, None] * np.exp(-0.5 * np.minimum(offset**2, 80))
    return templates


def _baseline(axis: MassAxis) -> Float64Array:
    """Return the chemical noise under the peaks, falling with m/z, in abundances."""
    fall = np.exp(-2.0 * (axis.mz - axis.low) / (axis.high - axis.low))
    ripple = 1 + 0.25 * np.cos(2 * np.pi * (axis.mz - 0.45))
    noise: Float64Array = BASELINE_IONS / 60.0 * (0.3 + fall) * ripple
    return noise


def _without_zeros(scene: Scene, axis: MassAxis, matrix: Float32Array) -> InMemoryDataset:
    """Store profiles as exporters do: long stretches of zeros are left out."""
    signal = matrix > 0
    kept: BoolArray = signal.copy()
    kept[:, 1:] |= signal[:, :-1]
    kept[:, :-1] |= signal[:, 1:]
    lengths = kept.sum(axis=1)
    mz, start = np.empty(int(lengths.sum())), 0
    for row, length in enumerate(lengths):
        scale = 1 + scene.conditions.drift_ppm[row] * 1e-6
        mz[start : start + length] = axis.mz[kept[row]] * scale
        start += length
    return _ragged(scene, lengths, mz, matrix[kept], "profile")


def _centroids(scene: Scene, rng: Generator) -> InMemoryDataset:
    """Count the ions of every resolved peak and store those that stand out, with their m/z."""
    mz, mixing = _resolved_peaks(scene.chemistry, scene.recipe)
    rows, places, ions = [], [], []
    for start in range(0, len(scene.pixels), SPECTRA_AT_ONCE):
        some = np.arange(start, min(start + SPECTRA_AT_ONCE, len(scene.pixels)))
        gain = 2 * scene.conditions.gain[some, None]
        counted = rng.poisson(gain * (scene.abundances[some] @ mixing + 0.01))
        row, peak = np.nonzero(counted >= LEAST_IONS)
        rows.append(some[row])
        ions.append(counted[row, peak])
        # The more ions, the better the middle of a peak is known.
        error = rng.standard_normal(row.size) * 25 / np.sqrt(counted[row, peak])
        places.append(mz[peak] * (1 + (scene.conditions.drift_ppm[some[row]] + error) * 1e-6))
    row, place = np.concatenate(rows), np.concatenate(places)
    order = np.lexsort((place, row))
    intensity = np.concatenate(ions)[order] * np.float32(scene.conditions.detector)
    lengths = np.bincount(row, minlength=len(scene.pixels))
    return _ragged(scene, lengths, place[order], intensity.astype(np.float32), "centroid")


def _resolved_peaks(
    chemistry: Chemistry, recipe: SlideRecipe
) -> tuple[Float64Array, Float64Array]:  # fmt: skip
    """Merge isotope peaks closer than the instrument resolves; drop those outside the range.

    Returns
    -------
    mz, mixing
        Shape (peaks,), and (molecules, peaks): ions per abundance.
    """
    centers, heights = peak_list(chemistry)
    molecule, isotope = np.nonzero((heights > 0.005) & (centers < recipe.mz_high))
    place, height = centers[molecule, isotope], heights[molecule, isotope]
    order = np.argsort(place)
    first = np.append(True, np.diff(place[order]) > RESOLVED_DA)
    peak = np.cumsum(first) - 1
    mixing = np.zeros((chemistry.mz.size, int(peak[-1]) + 1))
    np.add.at(mixing, (molecule[order], peak), height[order])
    weighted = np.bincount(peak, place[order] * height[order])
    return weighted / np.bincount(peak, height[order]), mixing


def _ragged(
    scene: Scene, lengths: IntArray, mz: Float64Array, intensity: Float32Array, mode: Mode
) -> InMemoryDataset:
    mz.flags.writeable = intensity.flags.writeable = False
    bounds = np.append(0, np.cumsum(lengths))
    block = RaggedBlock(np.arange(len(scene.pixels)), mz, intensity, bounds)
    return InMemoryDataset.from_ragged(block, scene.pixels, scene.name, mode)
