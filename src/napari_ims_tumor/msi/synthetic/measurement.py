"""All that is known of a slide before the first ion is counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator

from napari_ims_tumor.msi.arrays import Float32Array, Float64Array, IntArray
from napari_ims_tumor.msi.mass_axis import MassAxis
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.synthetic.abundances import Abundances
from napari_ims_tumor.msi.synthetic.chemistry import Chemistry, peak_list
from napari_ims_tumor.msi.synthetic.conditions import Conditions
from napari_ims_tumor.msi.synthetic.faults import HotSpots
from napari_ims_tumor.msi.synthetic.recipe import SlideRecipe

# In abundances: a hundredth of a usual peak.
USUAL_BASELINE: Final = 0.01
PULSE_SHAPE: Final = 3.0
NOISE_DEFECT: Final = 5.5e-4


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """A slide in front of the laser: what is in every pixel, and what the instrument will do.

    Attributes
    ----------
    recipe, chemistry, abundances, conditions, hot_spots
        What is measured, and how.
    pixels
        Where the spectra lie.
    name
        Of the slide.
    number
        Which slide of the cohort.
    """

    recipe: SlideRecipe
    chemistry: Chemistry
    abundances: Abundances
    conditions: Conditions
    hot_spots: HotSpots
    pixels: PixelGrid
    name: str
    number: int

    @property
    def axis(self) -> MassAxis:
        """The evenly sampled axis of a recipe."""
        recipe = self.recipe
        steps = np.arange(recipe.channels, dtype=np.float64)
        return MassAxis(recipe.mz_low + recipe.step_da * steps)

    def amounts(self, spectra: IntArray, rng: Generator) -> Float64Array:
        """Return the abundances in some spectra with what hot spots do to them."""
        return self.hot_spots.applied(self.abundances.of(spectra, rng), spectra)

    def peaks(self) -> tuple[Float64Array, Float64Array]:
        """Return true m/z and height of every isotope peak, each (molecules, 6), gain included."""
        centers, heights = peak_list(self.chemistry)
        return centers, heights * self.conditions.batch.gain_at(centers)


def pulses(ions: IntArray, rng: Generator) -> Float32Array:
    """Return what the detector makes of some ions: each gives a pulse of another height.

    Heights of single pulses spread by 1/√3 of their mean, as those of electron multipliers do.
    """
    heights: Float32Array = rng.standard_gamma(
        np.float32(PULSE_SHAPE) * ions.astype(np.float32), dtype=np.float32
    )
    heights /= np.float32(PULSE_SHAPE)
    return heights


def baseline(measurement: Measurement, mz: Float64Array) -> Float64Array:
    """Return the chemical noise under the peaks, falling with m/z, in abundances."""
    recipe, batch = measurement.recipe, measurement.conditions.batch
    instrument = recipe.instrument
    fall = np.exp(
        -instrument.baseline_decay * (mz - recipe.mz_low) / (recipe.mz_high - recipe.mz_low)
    )
    # Fragments and clusters lie near whole masses times the usual mass defect.
    comb = 0.35 + 1.6 * np.exp(5 * (np.cos(2 * np.pi * mz / (1 + NOISE_DEFECT)) - 1))
    noise = batch.baseline * instrument.baseline * USUAL_BASELINE * (0.3 + fall) * comb
    raised: Float64Array = noise * batch.gain_at(mz)
    return raised
