"""How much of every molecule is in every pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator

from napari_ims_tumor.msi.arrays import Float64Array, IntArray
from napari_ims_tumor.msi.synthetic.chemistry import N_FACTORS, Chemistry
from napari_ims_tumor.msi.synthetic.recipe import SlideRecipe
from napari_ims_tumor.msi.synthetic.tissue import Tissue, smooth_noise

IONS_OF_A_USUAL_PEAK: Final = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Conditions:
    """What the measurement did to each spectrum.

    Attributes
    ----------
    gain
        Ions per abundance, shape (n_spectra,).
    drift_ppm
        Error of the m/z scale, shape (n_spectra,).
    detector
        Intensity units per ion, for the slide.
    """

    gain: Float64Array
    drift_ppm: Float64Array
    detector: float


def make_abundances(
    chemistry: Chemistry, tissue: Tissue, recipe: SlideRecipe, rng: Generator
) -> Float64Array:
    """Return the expected abundance of every molecule in every measured pixel.

    Returns
    -------
    ndarray
        Shape (n_spectra, molecules), at least 0.
    """
    at = np.nonzero(tissue.measured)
    tumor, piece = tissue.tumor[at], tissue.piece[at]
    shares = tissue.compartments[:, at[0], at[1]].T
    log: Float64Array = chemistry.level + shares @ chemistry.compartments
    log += _factors(tissue, rng) @ chemistry.loadings
    log += _patient_effects(chemistry, recipe, piece, rng)
    # Tumors of different patients show the same signs more or less clearly.
    clarity = rng.uniform(0.6, 1.4, int(piece.max()) + 1)
    log += (tumor * clarity[piece])[:, None] * chemistry.tumor
    log += _pair_pattern(chemistry, recipe, tissue, rng)
    log += 0.12 * rng.standard_normal(log.shape)
    on_tissue = tissue.tissue[at][:, None]
    matrix = np.where(on_tissue, 0.35, 1.6) * np.exp(chemistry.level)
    molecules = np.where(on_tissue, 1.0, 0.03) * np.exp(log)
    return np.where(chemistry.is_matrix, matrix, molecules)


def make_conditions(tissue: Tissue, rng: Generator) -> Conditions:
    """Draw gain and mass drift of every spectrum, and the detector's gain of the slide."""
    at = np.nonzero(tissue.measured)
    shape = (tissue.measured.shape[0], tissue.measured.shape[1])
    piece = tissue.piece[at]
    n_pieces = int(piece.max()) + 1
    uneven = 0.25 * smooth_noise(rng, shape, 6.0)[at] + 0.2 * rng.standard_normal(piece.size)
    gain = np.exp(uneven + rng.normal(0, 0.2, n_pieces)[piece] + rng.normal(0, 0.2))
    along = 20 * np.linspace(-1, 1, piece.size) + 12 * smooth_noise(rng, shape, 8.0)[at]
    drift = rng.normal(0, 30) + along + rng.normal(0, 5, piece.size)
    return Conditions(IONS_OF_A_USUAL_PEAK * gain, drift, float(np.exp(rng.normal(1.0, 0.25))))


def _factors(tissue: Tissue, rng: Generator) -> Float64Array:
    """Draw the latent factors at the measured pixels, shape (n_spectra, factors)."""
    shape = (tissue.measured.shape[0], tissue.measured.shape[1])
    at = np.nonzero(tissue.measured)
    fields = [smooth_noise(rng, shape, 1.5 + 1.5 * f)[at] for f in range(N_FACTORS)]
    return np.stack(fields, axis=1)


def _patient_effects(
    chemistry: Chemistry, recipe: SlideRecipe, piece: IntArray, rng: Generator
) -> Float64Array:
    n = chemistry.mz.size
    of_patient = rng.normal(0, recipe.patient_effect, (int(piece.max()) + 1, n))
    of_slide = rng.normal(0, recipe.patient_effect / 3, n)
    effects: Float64Array = of_patient[piece] + of_slide
    return effects


def _pair_pattern(
    chemistry: Chemistry, recipe: SlideRecipe, tissue: Tissue, rng: Generator
) -> Float64Array:
    """Make far peaks go together in tumor and apart elsewhere; each alone is the same in both."""
    at = np.nonzero(tissue.measured)
    shape = (tissue.measured.shape[0], tissue.measured.shape[1])
    agree = 2 * tissue.tumor[at] - 1
    pattern = np.zeros((agree.size, chemistry.mz.size))
    for low, high in chemistry.pairs:
        mood = np.tanh(2 * smooth_noise(rng, shape, 2.0)[at])
        pattern[:, low] = 0.6 * recipe.distant_signal * mood
        pattern[:, high] = 0.6 * recipe.distant_signal * mood * agree
    return pattern
