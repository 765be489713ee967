"""What the instrument did: to a batch of slides, to one slide, to each of its spectra."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.random import Generator

from napari_ims_tumor.msi.arrays import Float64Array, frozen
from napari_ims_tumor.msi.synthetic.faults import alive_pixels
from napari_ims_tumor.msi.synthetic.outline import smooth_noise
from napari_ims_tumor.msi.synthetic.recipe import SlideRecipe
from napari_ims_tumor.msi.synthetic.tissue import Tissue

N_KNOTS: Final = 9


@dataclass(frozen=True, eq=False)
class Batch:
    """What all slides of one batch have in common: the state of the instrument that day.

    Attributes
    ----------
    number
        From 0.
    mz, gain
        The gain at some m/z, straight lines between them: multiplies every intensity.
    drift_ppm, stretch_ppm
        Error of the m/z scale in the middle of the axis, and how much it grows from there to its
        end.
    baseline
        Multiplies the chemical noise.
    """

    number: int
    mz: Float64Array
    gain: Float64Array
    drift_ppm: float
    stretch_ppm: float
    baseline: float

    def __post_init__(self) -> None:
        for name in ("mz", "gain"):
            object.__setattr__(self, name, frozen(getattr(self, name), np.float64))

    def gain_at(self, mz: Float64Array) -> Float64Array:
        """Gain at some m/z."""
        gain: Float64Array = np.interp(mz, self.mz, self.gain)
        return gain

    def drift_at(self, mz: Float64Array) -> Float64Array:
        """Error of the m/z scale at some m/z, in ppm."""
        low, high = float(self.mz[0]), float(self.mz[-1])
        from_middle = (2 * mz - low - high) / (high - low)
        drift: Float64Array = self.drift_ppm + self.stretch_ppm * from_middle
        return drift

    def as_truth(self) -> dict[str, Any]:
        """List everything as plain numbers, so that it can be undone."""
        return {
            "number": self.number,
            "gain_mz": [round(float(m), 3) for m in self.mz],
            "gain": [float(g) for g in self.gain],
            "drift_ppm": self.drift_ppm,
            "stretch_ppm": self.stretch_ppm,
            "baseline": self.baseline,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Conditions:
    """What the measurement did to each spectrum.

    Attributes
    ----------
    batch
        What is common to the batch.
    gain
        Ions per abundance, shape (n_spectra,); 0 for a dead pixel.
    drift_ppm
        Error of the m/z scale beside the batch's, shape (n_spectra,).
    detector
        Intensity units per ion, for the slide.
    """

    batch: Batch
    gain: Float64Array
    drift_ppm: Float64Array
    detector: float


def make_batch(recipe: SlideRecipe, number: int) -> Batch:
    """Draw a batch; all slides of a cohort that name it share it."""
    rng = np.random.default_rng([recipe.seed, 4, number])
    effect = recipe.variation.batch_effect
    knots = np.linspace(recipe.mz_low, recipe.mz_high, N_KNOTS)
    at = np.linspace(0, 1, N_KNOTS)
    log_gain = np.full(N_KNOTS, rng.normal(0, 0.25))
    for waves in (1, 2, 3):
        height = rng.normal(0, 0.2 / waves)
        log_gain += height * np.cos(np.pi * waves * at + rng.uniform(0, 2 * np.pi))
    return Batch(
        number=number,
        mz=knots,
        gain=np.exp(effect * log_gain),
        drift_ppm=effect * float(rng.normal(0, 40)),
        stretch_ppm=effect * float(rng.normal(0, 25)),
        baseline=float(np.exp(effect * rng.normal(0, 0.4))),
    )


def make_conditions(
    tissue: Tissue, batch: Batch, recipe: SlideRecipe, rng: Generator
) -> Conditions:
    """Draw gain and mass drift of every spectrum, and the detector's gain of the slide."""
    at = np.nonzero(tissue.measured)
    shape = (tissue.measured.shape[0], tissue.measured.shape[1])
    piece = tissue.piece[at]
    n_pieces = int(piece.max()) + 1
    uneven = 0.2 * smooth_noise(rng, shape, 6.0)[at] + 0.12 * rng.standard_normal(piece.size)
    gain = np.exp(uneven + rng.normal(0, 0.2, n_pieces)[piece] + rng.normal(0, 0.1))
    far = recipe.variation.drift_ppm
    along = far * (np.linspace(-1, 1, piece.size) + 0.6 * smooth_noise(rng, shape, 8.0)[at])
    drift = rng.normal(0, 0.5 * far) + along + rng.normal(0, 0.25 * far, piece.size)
    detector = float(np.exp(rng.normal(1.0, 0.1)))
    alive = alive_pixels(piece.size, recipe.faults.dead_pixels, rng)
    return Conditions(batch, recipe.instrument.ions * gain * alive, drift, detector)
