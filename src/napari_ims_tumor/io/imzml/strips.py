"""Reads m/z windows of a continuous slide: of each spectrum only the bytes inside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from napari_ims_tumor.io.imzml.arrays import IbdFile
from napari_ims_tumor.io.imzml.index import SpectrumIndex
from napari_ims_tumor.msi.arrays import Float64Array
from napari_ims_tumor.msi.reduction import Reduction, reduce_channels
from napari_ims_tumor.msi.turns import by_turns

_MOST_SHARE: Final = 1 / 16
"""Share of a spectrum above which reading all of it, in larger pieces, is faster."""
_MOST_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Strips:
    """The spectra of a continuous slide whose channels lie in the order of their m/z."""

    ibd: IbdFile
    index: SpectrumIndex
    mz: Float64Array

    @classmethod
    def of(cls, ibd: IbdFile, index: SpectrumIndex, mz: Float64Array) -> Strips | None:
        """Plan the reading; ``None`` where the file is written in another way."""
        encoding = index.intensity.uniform_encoding
        plain = encoding is not None and encoding.compression == "none"
        return cls(ibd, index, mz) if plain else None

    def values(self, bounds: Float64Array, reduce: Reduction) -> Float64Array | None:
        """Make the numbers of windows, as (windows, n_spectra); ``None`` if they are too wide."""
        first = np.searchsorted(self.mz, bounds[0], "left")
        last = np.maximum(np.searchsorted(self.mz, bounds[1], "right"), first)
        low, high = int(first.min()), int(last.max())
        dtype = self.index.intensity.encodings[0].dtype
        n = len(self.index)
        nbytes = (high - low) * dtype.itemsize
        if high - low > self.mz.size * _MOST_SHARE or nbytes * n > _MOST_BYTES:
            return None
        strip = np.empty((n, high - low), dtype)
        view, starts = strip.view(np.uint8).reshape(-1).data, self.index.intensity.offsets
        if nbytes:
            pieces = [view[at : at + nbytes] for at in range(0, n * nbytes, nbytes)]
            places = (starts + low * dtype.itemsize).tolist()
            by_turns(lambda turns: self.ibd.read_each(pieces[turns], places[turns]), n)
        self.ibd.refuse_changed()
        turned = np.ascontiguousarray(strip.T, self.index.intensity.floating)
        pairs = zip((first - low).tolist(), (last - low).tolist(), strict=True)
        return np.stack([reduce_channels(turned[a:b], reduce) for a, b in pairs])
