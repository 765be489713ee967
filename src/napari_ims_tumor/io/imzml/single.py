"""Reads one spectrum; where the file holds its values as they are needed, without a copy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.io.imzml.arrays import IbdFile, decode
from napari_ims_tumor.io.imzml.index import ArrayTable, SpectrumIndex
from napari_ims_tumor.io.imzml.ragged import tidy
from napari_ims_tumor.msi.arrays import FLOAT64, Float64Array, FloatArray, IntArray
from napari_ims_tumor.msi.spectrum import RaggedBlock


@dataclass(frozen=True, slots=True)
class Neighbors:
    """The m/z and intensities of every spectrum, if they are uncompressed and lie side by side.

    Attributes
    ----------
    starts, lengths
        Shape (n_spectra,): where the pair begins, and how many values each array of it has.
    mz_place, place
        First byte of the m/z and of the intensities in a pair of arrays with one value each.
    as_needed
        Whether the types of the file are those that a spectrum has.
    """

    starts: IntArray
    lengths: IntArray
    mz_type: np.dtype[Any]
    type: np.dtype[Any]
    mz_place: int
    place: int
    as_needed: bool

    def read(self, ibd: IbdFile, i: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Read (m/z, intensities) of one spectrum, as views of bytes that nobody can change."""
        n = self.lengths.item(i)
        data = ibd.read(self.starts.item(i), n * (self.mz_type.itemsize + self.type.itemsize))
        mz = np.frombuffer(data, self.mz_type, n, n * self.mz_place)
        return mz, np.frombuffer(data, self.type, n, n * self.place)


def find_neighbors(index: SpectrumIndex) -> Neighbors | None:
    """Describe how the arrays of a slide lie side by side; ``None`` where some do not."""
    mz, intensity = index.mz, index.intensity
    kinds = mz.uniform_encoding, intensity.uniform_encoding
    if kinds[0] is None or kinds[1] is None:
        return None
    if kinds[0].compression != "none" or kinds[1].compression != "none":
        return None
    types = kinds[0].dtype, kinds[1].dtype
    as_needed = types == (FLOAT64, intensity.floating)
    if _follows(mz, intensity):
        return Neighbors(mz.offsets, mz.lengths, *types, 0, types[0].itemsize, as_needed)
    if _follows(intensity, mz):
        return Neighbors(intensity.offsets, mz.lengths, *types, types[1].itemsize, 0, as_needed)
    return None


def _follows(one: ArrayTable, other: ArrayTable) -> bool:
    return bool((one.ends == other.offsets).all() and (one.offsets >= 0).all())


def read_intensity(ibd: IbdFile, index: SpectrumIndex, i: int) -> NDArray[Any]:
    """Read the intensities of one spectrum as they are written, in a floating type."""
    span = index.intensity.span(i)
    data = ibd.read(span.offset, span.nbytes)
    values = decode(data, span, f"the intensity array of spectrum {i}")
    return values.astype(index.intensity.floating, copy=False)


def read_mz(ibd: IbdFile, index: SpectrumIndex, i: int) -> Float64Array:
    """Read the m/z array of one spectrum as it is written, shape (n,)."""
    span = index.mz.span(i)
    values = decode(ibd.read(span.offset, span.nbytes), span, f"the m/z array of spectrum {i}")
    return values.astype(np.float64, copy=False)


def read_pair(
    ibd: IbdFile, index: SpectrumIndex, i: int, neighbors: Neighbors | None
) -> tuple[Float64Array, FloatArray]:
    """Read one spectrum as it is written, in floating types."""
    if neighbors is None:
        return read_mz(ibd, index, i), read_intensity(ibd, index, i)
    mz, values = neighbors.read(ibd, i)
    if neighbors.as_needed:
        return mz, values
    return mz.astype(np.float64), values.astype(index.intensity.floating)


def tidy_pair(mz: Float64Array, intensity: FloatArray) -> tuple[Float64Array, FloatArray]:
    """Return one spectrum ascending in m/z and with finite m/z only."""
    # Comparisons with NaN are false, and infinities can only hide at the ends.
    rising = np.count_nonzero(mz[1:] >= mz[:-1])
    if rising == max(mz.size - 1, 0) and (
        mz.size == 0 or (math.isfinite(mz.item(0)) and math.isfinite(mz.item(-1)))
    ):
        return mz, intensity
    tidied = tidy(RaggedBlock(np.zeros(1, np.int64), mz, intensity, np.array([0, mz.size])))
    return tidied.mz, tidied.intensity
