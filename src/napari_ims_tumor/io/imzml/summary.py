"""What one pass over all spectra of a slide tells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from napari_ims_tumor.msi.arrays import Float64Array, frozen
from napari_ims_tumor.msi.ion_image import finite_row_sums, finite_sums_between
from napari_ims_tumor.msi.spectrum import RaggedBlock, SharedAxisBlock, SpectrumBlock

HIGHEST: Final = 1e6
"""No mass spectrometer has measured a higher m/z of tissue."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Facts about all spectra.

    Attributes
    ----------
    tic
        Shape (n_spectra,), float64, read-only: sum of finite intensities.
    mass_range
        Lowest and highest m/z; NaN where no spectrum holds a point.
    notes
        How spectra had to be put in order, one sentence each.
    """

    tic: Float64Array
    mass_range: tuple[float, float]
    notes: tuple[str, ...] = ()

    @property
    def doubt(self) -> tuple[str, ...]:
        """What makes the m/z values hard to believe."""
        low, high = self.mass_range
        if not (low < 0 or high > HIGHEST):
            return ()
        return (
            f"m/z values from {low:g} to {high:g}, which no instrument measures: a byte was "
            "changed, or the type of the m/z arrays is stated wrongly. Copy or export it again.",
        )

    @property
    def is_tidy(self) -> bool:
        """Whether every spectrum ascends in m/z as it is written."""
        return not self.notes

    @property
    def is_orderly(self) -> bool:
        """Whether that is so, and every m/z is above 0."""
        return self.is_tidy and self.mass_range[0] > 0


class Survey:
    """Gathers a summary while the blocks of a slide pass by."""

    def __init__(self, n_spectra: int) -> None:
        self._tic = np.zeros(n_spectra)
        self._low, self._high = math.inf, -math.inf

    def add(self, block: SpectrumBlock) -> None:
        """Look at the spectra of a block, each ascending in m/z."""
        if isinstance(block, SharedAxisBlock):
            self._tic[block.indices] = finite_row_sums(block.intensity)
            ends = block.mz[[0, -1]]
        else:
            self._tic[block.indices] = finite_sums_between(block.intensity, block.bounds)
            ends = _ends(block)
        if ends.size:
            self._low = min(self._low, float(ends.min()))
            self._high = max(self._high, float(ends.max()))

    @classmethod
    def of_all(cls, parts: Sequence[Survey]) -> Survey:
        """Put together what parts of a slide told."""
        whole = cls(parts[0]._tic.size)
        whole._tic = np.sum([part._tic for part in parts], axis=0)
        whole._low = min(part._low for part in parts)
        whole._high = max(part._high for part in parts)
        return whole

    def result(self, notes: tuple[str, ...]) -> Summary:
        """Return the summary of all blocks seen, with notes on their order."""
        found = self._low <= self._high
        mass_range = (self._low, self._high) if found else (math.nan, math.nan)
        return Summary(frozen(self._tic, np.float64), mass_range, notes)


def _ends(block: RaggedBlock) -> Float64Array:
    """First and last m/z of the spectra that hold a point."""
    filled = np.flatnonzero(np.diff(block.bounds) > 0)
    first, last = block.bounds[:-1][filled], block.bounds[1:][filled] - 1
    return np.concatenate([block.mz[first], block.mz[last]])
