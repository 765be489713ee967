"""Puts the peaks of some spectra in the order of their m/z, by counting and not by comparing.

The m/z axis is cut into bins of 5 ppm, each bin into 65,536 cells: a cell is 0.00008 ppm wide. A
peak's bin is known from where it lies, so that only its place inside, 16 bits, is written down
beside its intensity and its spectrum: 8 bytes, where the file takes 12 or 16.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.msi.arrays import Float64Array, IntArray
from napari_ims_tumor.msi.spectrum import RaggedBlock

BIN_PPM: Final = 5.0
CELL_BITS: Final = 16
CELL_MASK: Final = (1 << CELL_BITS) - 1
MOST_SPECTRA: Final = 1 << 16
"""Spectra whose peaks may be put in order together: their numbers take 16 bits too."""

_CELLS_PER_E: Final = 1e6 / BIN_PPM * (1 << CELL_BITS)
_LOWEST, _HIGHEST = 1.0, 1e6
"""All m/z beyond share the first or the last cell: no instrument reaches there."""


@dataclass(frozen=True, slots=True, eq=False)
class OrderedPeaks:
    """The peaks of up to :data:`MOST_SPECTRA` spectra, ordered by bin, then by spectrum and m/z.

    Attributes
    ----------
    first_bin
        The bin of the lowest m/z.
    starts
        Shape (bins + 1,), uint32: where each bin's peaks start.
    peaks
        Shape (n,): ``intensity`` in the type of the file, and ``place``, the spectrum in its upper
        and the cell in its lower 16 bits.
    """

    first_bin: int
    starts: NDArray[np.uint32]
    peaks: NDArray[Any]


def peak_type(intensity: np.dtype[Any]) -> np.dtype[Any]:
    """How a peak is written down."""
    return np.dtype([("intensity", intensity.newbyteorder("<")), ("place", "<u4")])


def cells_of(mz: Float64Array) -> IntArray:
    """The cell of each m/z: never less for a higher one, but for an error of one cell.

    Only the logarithm rounds, by far less than a cell.
    """
    place = np.clip(mz, _LOWEST, _HIGHEST)
    np.log(place, out=place)
    place *= _CELLS_PER_E
    return place.astype(np.int64)


def put_in_order(block: RaggedBlock) -> OrderedPeaks:
    """Order the peaks of a block, whose spectra ascend in m/z."""
    lengths = np.diff(block.bounds)
    cells = cells_of(block.mz)
    place = np.repeat(np.arange(lengths.size, dtype=np.uint32) << CELL_BITS, lengths)
    place |= (cells & CELL_MASK).astype(np.uint32)
    cells >>= CELL_BITS
    first = int(cells.min()) if cells.size else 0
    bins = (cells - first).astype(np.int32)
    rows = block.bounds.astype(np.int32), bins, int(bins.max(initial=0)) + 1
    peaks = np.empty(bins.size, peak_type(block.intensity.dtype))
    if peaks.itemsize == np.dtype(np.int64).itemsize:
        peaks["intensity"], peaks["place"] = block.intensity, place
        starts, moved = _counted(peaks.view(np.int64), *rows)
        return OrderedPeaks(first, starts, moved.view(peaks.dtype))
    _, peaks["intensity"] = _counted(block.intensity, *rows)
    starts, peaks["place"] = _counted(place, *rows)
    return OrderedPeaks(first, starts, peaks)


def _counted(
    values: NDArray[Any], bounds: NDArray[np.int32], bins: NDArray[np.int32], n_bins: int
) -> tuple[NDArray[np.uint32], NDArray[Any]]:
    """Sort by bin: what turning rows into columns does, in one walk and keeping the order."""
    # Here, so that opening a slide costs no scipy.
    from scipy.sparse import csr_array

    matrix = csr_array((values, bins, bounds), shape=(bounds.size - 1, n_bins)).tocsc()
    return matrix.indptr.astype(np.uint32), matrix.data
