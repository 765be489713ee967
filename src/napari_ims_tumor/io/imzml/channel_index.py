"""Ion images of a continuous slide out of a copy in which each channel lies together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.msi.arrays import Float64Array
from napari_ims_tumor.msi.reduction import Reduction, reduce_channels


@dataclass(frozen=True, slots=True, eq=False)
class ChannelIndex:
    """A slide turned over, in chunks of consecutive spectra.

    Attributes
    ----------
    chunks
        Each of shape (channels, spectra).
    """

    chunks: tuple[NDArray[Any], ...]

    @classmethod
    def of(cls, chunks: Sequence[NDArray[Any]], n_channels: int, n_spectra: int) -> ChannelIndex:
        """Make an index of what was kept; raise a ``ValueError`` where that does not fit."""
        turned = tuple(chunk.reshape(n_channels, -1) for chunk in chunks)
        if sum(chunk.shape[1] for chunk in turned) != n_spectra:
            raise ValueError("the chunks hold other spectra")
        return cls(turned)

    def values(self, first: int, last: int, reduce: Reduction) -> Float64Array:
        """Make one number of channels ``first`` to ``last`` - 1 of every spectrum."""
        parts = [reduce_channels(chunk[first : max(first, last)], reduce) for chunk in self.chunks]
        return np.concatenate(parts)
