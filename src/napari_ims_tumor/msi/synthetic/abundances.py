"""How much of every molecule is in every pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator

from napari_ims_tumor.msi.arrays import BoolArray, Float64Array, IntArray
from napari_ims_tumor.msi.synthetic.chemistry import N_FACTORS, Chemistry
from napari_ims_tumor.msi.synthetic.gate import gate_states, gate_weights
from napari_ims_tumor.msi.synthetic.outline import smooth_noise
from napari_ims_tumor.msi.synthetic.recipe import SlideRecipe
from napari_ims_tumor.msi.synthetic.tissue import Tissue

# Dead tissue gives fewer ions: exp(-0.9), two fifths.
NECROSIS_LOSS: Final = 0.9
PAIR_FOLD: Final = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class Abundances:
    """The expected abundance of every molecule in every measured pixel, computed when asked.

    Logarithms add up: what a pixel is (features) times what that does to a molecule (weights).

    Attributes
    ----------
    features
        Shape (n_spectra, k): shares of tissue, latent factors, states.
    weights
        Shape (k, molecules).
    patients
        Shape (pieces, molecules): what each patient's molecules differ by, with the usual level.
    piece
        Shape (n_spectra,).
    on_tissue
        Shape (n_spectra,).
    matrix
        Level of the matrix peaks, shape (molecules,); NaN for other molecules.
    pixel_effect
        Spread between neighboring pixels.
    """

    features: Float64Array
    weights: Float64Array
    patients: Float64Array
    piece: IntArray
    on_tissue: BoolArray
    matrix: Float64Array
    pixel_effect: float

    def of(self, spectra: IntArray, rng: Generator) -> Float64Array:
        """Return the abundances in some spectra, shape (spectra, molecules), at least 0."""
        log = self.features[spectra] @ self.weights + self.patients[self.piece[spectra]]
        log += self.pixel_effect * rng.standard_normal(log.shape)
        on_tissue = self.on_tissue[spectra][:, None]
        molecules = np.where(on_tissue, 1.0, 0.03) * np.exp(log)
        matrix = np.where(on_tissue, 0.35, 1.6) * np.exp(self.matrix)
        return np.where(np.isfinite(self.matrix), matrix, molecules)


def make_abundances(
    chemistry: Chemistry, tissue: Tissue, recipe: SlideRecipe, rng: Generator
) -> Abundances:
    """Draw the patients, the latent factors and the states of a slide."""
    at = np.nonzero(tissue.measured)
    piece = tissue.piece[at]
    features = [
        tissue.compartments[:, at[0], at[1]].T,
        _factors(tissue, recipe.variation.texture_pixels, rng),
    ]
    weights = [chemistry.compartments, chemistry.loadings]
    patients = chemistry.level + _patient_effects(chemistry, recipe, piece, rng)
    # Tumors of different patients show the same signs more or less clearly.
    spread = recipe.variation.clarity
    clarity = rng.uniform(1 - spread, 1 + spread, int(piece.max()) + 1)
    features += [(tissue.tumor[at] * clarity[piece])[:, None], tissue.necrosis[at][:, None]]
    weights += [chemistry.tumor[None], (chemistry.necrosis - NECROSIS_LOSS)[None]]
    if recipe.signal == "distant-gate":
        features.append(gate_states(tissue, rng).T)
        weights.append(gate_weights(chemistry, recipe.strength))
    else:
        features.append(_moods(chemistry, tissue, rng))
        weights.append(_pair_weights(chemistry, recipe.strength))
    return Abundances(
        features=np.concatenate(features, axis=1),
        weights=np.concatenate(weights),
        patients=patients,
        piece=piece,
        on_tissue=tissue.tissue[at],
        matrix=np.where(chemistry.is_matrix, chemistry.level, np.nan),
        pixel_effect=recipe.variation.pixel_effect,
    )


def _factors(tissue: Tissue, texture: float, rng: Generator) -> Float64Array:
    """Draw the latent factors at the measured pixels, shape (n_spectra, factors)."""
    shape = (tissue.measured.shape[0], tissue.measured.shape[1])
    at = np.nonzero(tissue.measured)
    fields = [smooth_noise(rng, shape, texture * (1 + f))[at] for f in range(N_FACTORS)]
    return np.stack(fields, axis=1)


def _patient_effects(
    chemistry: Chemistry, recipe: SlideRecipe, piece: IntArray, rng: Generator
) -> Float64Array:
    n, spread = chemistry.mz.size, recipe.variation.patient_effect
    of_patient = rng.normal(0, spread, (int(piece.max()) + 1, n))
    effects: Float64Array = of_patient + rng.normal(0, spread / 3, n)
    return effects


def _moods(chemistry: Chemistry, tissue: Tissue, rng: Generator) -> Float64Array:
    """Draw how each pair goes; its far half follows in tumor and does the opposite elsewhere."""
    at = np.nonzero(tissue.measured)
    shape = (tissue.measured.shape[0], tissue.measured.shape[1])
    agree = 2 * tissue.tumor[at] - 1
    moods = [np.tanh(2 * smooth_noise(rng, shape, 2.0)[at]) for _ in chemistry.pairs]
    columns = [column for mood in moods for column in (mood, mood * agree)]
    return np.stack(columns, axis=1) if columns else np.zeros((agree.size, 0))


def _pair_weights(chemistry: Chemistry, strength: float) -> Float64Array:
    """Make far peaks go together in tumor and apart elsewhere; each alone is the same in both."""
    ends = chemistry.pairs.ravel()
    weights = np.zeros((ends.size, chemistry.mz.size))
    weights[np.arange(ends.size), ends] = PAIR_FOLD * strength
    return weights
