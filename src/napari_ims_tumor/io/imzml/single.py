"""Reads one spectrum; where the file holds its values as they are needed, without a copy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.io.imzml.arrays import Encoding, IbdFile, decode
from napari_ims_tumor.io.imzml.index import ArrayTable, SpectrumIndex
from napari_ims_tumor.io.imzml.ragged import tidy
from napari_ims_tumor.msi.arrays import FLOAT64, Float64Array, FloatArray, IntArray
from napari_ims_tumor.msi.spectrum import RaggedBlock


@dataclass(frozen=True, slots=True)
class Plain:
    """Arrays that need no decoding, and no copy after they were read.

    Attributes
    ----------
    starts, lengths
        Shape (n_spectra,): first byte, and the number of values in each array.
    mz_size
        Bytes per m/z, which lie before the intensities; 0 where only intensities are read.
    """

    starts: IntArray
    lengths: IntArray
    type: np.dtype[Any]
    mz_size: int

    def intensity(self, ibd: IbdFile, i: int) -> NDArray[Any]:
        """Read the intensities of one spectrum, as a view of bytes that nobody can change."""
        n = self.lengths.item(i)
        return np.frombuffer(ibd.read(self.starts.item(i), n * self.type.itemsize), self.type, n)

    def pair(self, ibd: IbdFile, i: int) -> tuple[Float64Array, NDArray[Any]]:
        """Read (m/z, intensities) of one spectrum, as views of bytes that nobody can change."""
        n = self.lengths.item(i)
        data = ibd.read(self.starts.item(i), n * (self.mz_size + self.type.itemsize))
        return np.frombuffer(data, FLOAT64, n), np.frombuffer(data, self.type, n, n * self.mz_size)


def find_plain(index: SpectrumIndex, with_mz: bool) -> Plain | None:
    """Describe arrays that are stored as they are needed; ``None`` where some are not.

    With m/z, each m/z array must lie right before its intensities: then both are one read, and
    values of eight bytes lie where a processor can take them.
    """
    mz, intensity = index.mz, index.intensity
    if not _is_plain(intensity, intensity.floating):
        return None
    if not with_mz:
        return Plain(intensity.offsets, intensity.lengths, intensity.floating, 0)
    if not _is_plain(mz, FLOAT64) or (mz.ends != intensity.offsets).any():
        return None
    return Plain(mz.offsets, mz.lengths, intensity.floating, FLOAT64.itemsize)


def _is_plain(table: ArrayTable, dtype: np.dtype[Any]) -> bool:
    return table.uniform_encoding == Encoding(dtype)


def read_intensity(ibd: IbdFile, index: SpectrumIndex, i: int) -> NDArray[Any]:
    """Read the intensities of one spectrum as they are written, in a floating type."""
    span = index.intensity.span(i)
    data = ibd.read(span.offset, span.nbytes)
    values = decode(data, span, f"{ibd.path.name}: the intensity array of spectrum {i}")
    return values.astype(index.intensity.floating, copy=False)


def read_mz(ibd: IbdFile, index: SpectrumIndex, i: int) -> Float64Array:
    """Read the m/z array of one spectrum as it is written, shape (n,)."""
    span = index.mz.span(i)
    data = ibd.read(span.offset, span.nbytes)
    values = decode(data, span, f"{ibd.path.name}: the m/z array of spectrum {i}")
    return values.astype(np.float64, copy=False)


def tidy_pair(mz: Float64Array, intensity: FloatArray) -> tuple[Float64Array, FloatArray]:
    """Return one spectrum ascending in m/z and with finite m/z only."""
    if mz.size == 0:
        return mz, intensity
    # Comparisons with NaN are false, and infinities can only hide at the ends.
    rising = np.count_nonzero(mz[1:] >= mz[:-1]) == mz.size - 1
    if rising and math.isfinite(mz.item(0)) and math.isfinite(mz.item(-1)):
        return mz, intensity
    tidied = tidy(RaggedBlock(np.zeros(1, np.int64), mz, intensity, np.array([0, mz.size])))
    return tidied.mz, tidied.intensity
