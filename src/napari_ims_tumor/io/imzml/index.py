"""The table of an open slide: where the two arrays of each spectrum lie."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from napari_ims_tumor.io.imzml.arrays import Encoding, Span
from napari_ims_tumor.msi.arrays import IntArray

MISSING: Final = np.iinfo(np.int64).min
"""Stands where a file gives no number; no real offset or position has this value."""


_FLOAT32: Final = np.dtype(np.float32)
_FLOAT64: Final = np.dtype(np.float64)


@dataclass(slots=True)
class ArrayTable:
    """One array (m/z or intensity) of every spectrum.

    Attributes
    ----------
    offsets, lengths, nbytes
        Shape (n_spectra,): first byte, number of values, bytes on disk.
    kinds
        Shape (n_spectra,): index into ``encodings``.
    """

    offsets: IntArray
    lengths: IntArray
    nbytes: IntArray
    kinds: IntArray
    encodings: list[Encoding] = field(default_factory=list)

    @property
    def floating(self) -> np.dtype[Any]:
        """The floating type that holds the values of all arrays, exactly up to 2⁵³."""
        types = [encoding.dtype for encoding in self.encodings]
        small = all(dtype.kind == "f" and dtype.itemsize <= 4 for dtype in types)
        return _FLOAT32 if small else _FLOAT64

    @property
    def ends(self) -> IntArray:
        """First byte after each array."""
        return self.offsets + self.nbytes

    def span(self, i: int) -> Span:
        """Where the array of spectrum ``i`` lies."""
        encoding = self.encodings[int(self.kinds[i])]
        return Span(int(self.offsets[i]), int(self.lengths[i]), int(self.nbytes[i]), encoding)

    @property
    def uniform_encoding(self) -> Encoding | None:
        """The encoding of all arrays, where there is only one."""
        return self.encodings[0] if len(self.encodings) == 1 else None


@dataclass(slots=True)
class SpectrumIndex:
    """Where the arrays of all spectra lie, in file order."""

    mz: ArrayTable
    intensity: ArrayTable

    def __len__(self) -> int:
        return int(self.mz.offsets.size)
