"""What one pass over all spectra of a slide tells."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from napari_ims_tumor.msi.arrays import Float64Array, frozen
from napari_ims_tumor.msi.ion_image import finite_row_sums, finite_sums_between
from napari_ims_tumor.msi.spectrum import SharedAxisBlock, SpectrumBlock


@dataclass(frozen=True, slots=True)
class Summary:
    """Facts about all spectra.

    Attributes
    ----------
    tic
        Shape (n_spectra,), float64, read-only: sum of finite intensities.
    mass_range
        Lowest and highest m/z; NaN where no spectrum holds a point.
    """

    tic: Float64Array
    mass_range: tuple[float, float]


def summarize(blocks: Iterable[SpectrumBlock], n_spectra: int) -> Summary:
    """Look at every spectrum once."""
    tic = np.zeros(n_spectra)
    low, high = math.inf, -math.inf
    for block in blocks:
        if isinstance(block, SharedAxisBlock):
            tic[block.indices] = finite_row_sums(block.intensity)
        else:
            tic[block.indices] = finite_sums_between(block.intensity, block.bounds)
        if block.mz.size:
            low, high = min(low, float(block.mz.min())), max(high, float(block.mz.max()))
    found = low <= high
    return Summary(frozen(tic, np.float64), (low, high) if found else (math.nan, math.nan))
