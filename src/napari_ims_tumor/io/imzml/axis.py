"""Finds out whether the spectra of a slide share one m/z axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.io.imzml import vocabulary as cv
from napari_ims_tumor.io.imzml.arrays import IbdFile
from napari_ims_tumor.io.imzml.index import ArrayTable, SpectrumIndex
from napari_ims_tumor.io.imzml.single import read_mz
from napari_ims_tumor.io.imzml.terms import Header
from napari_ims_tumor.msi.arrays import Float64Array, IntArray
from napari_ims_tumor.msi.mass_axis import MassAxis
from napari_ims_tumor.msi.spectrum import Layout


@dataclass(frozen=True, slots=True)
class SharedAxis:
    """The m/z axis of a continuous slide.

    Attributes
    ----------
    axis
        Ascending m/z.
    order
        Shape (channels,): which value of the file belongs to each; ``None`` = as written.
    """

    axis: MassAxis
    order: IntArray | None = None

    def in_order(self, intensity: NDArray[Any]) -> NDArray[Any]:
        """Bring intensities, shape (..., channels in the file), into the order of the axis."""
        return intensity if self.order is None else intensity[..., self.order]


def find_layout(
    header: Header, index: SpectrumIndex, ibd: IbdFile
) -> tuple[Layout, SharedAxis | None, list[str]]:
    """Decide between continuous and processed: what the arrays are counts, not what is claimed.

    Returns
    -------
    tuple
        Layout, the shared axis of a continuous slide, and notes.
    """
    claims = {term.accession for term in header.expanded(header.file_content)}
    continuous, processed = cv.CONTINUOUS in claims, cv.PROCESSED in claims
    notes = []
    if continuous == processed:
        said = "both continuous and processed" if continuous else "neither continuous nor processed"
        continuous = len(index) > 1 and _same_place(index.mz)
        kind = "continuous" if continuous else "processed"
        notes.append(f"it is said to be {said}; it is read as {kind}, as its arrays are")
    if not continuous:
        return "processed", None, notes
    other = _first_of_another_axis(index, ibd)
    if other is not None:
        notes.append(
            f"it is said to be continuous, but spectrum {other} has another m/z axis than "
            "spectrum 0; it is read as processed, which is right but slower"
        )
        return "processed", None, notes
    axis, more = _axis(read_mz(ibd, index, 0))
    return ("processed" if axis is None else "continuous"), axis, notes + more


def _same_place(table: ArrayTable) -> bool:
    columns = (table.offsets, table.nbytes, table.kinds)
    return all(bool((column == column[0]).all()) for column in columns)


def _first_of_another_axis(index: SpectrumIndex, ibd: IbdFile) -> int | None:
    """First spectrum whose m/z array has another length or other values than the first one's."""
    lengths = index.mz.lengths
    if _same_place(index.mz):
        return None
    if (lengths != lengths[0]).any():
        return int(np.argmax(lengths != lengths[0]))
    first = read_mz(ibd, index, 0)
    places = np.stack([index.mz.offsets, index.mz.nbytes, index.mz.kinds])
    for i in np.sort(np.unique(places, axis=1, return_index=True)[1]).tolist():
        if i and not np.array_equal(read_mz(ibd, index, i), first, equal_nan=True):
            return int(i)
    return None


def _axis(mz: Float64Array) -> tuple[SharedAxis | None, list[str]]:
    order = np.argsort(mz, kind="stable")
    order = order[np.isfinite(mz[order])]
    values = mz[order]
    if values.size == 0 or (np.diff(values) == 0).any():
        return None, [
            "its shared m/z axis repeats values or has none; it is read as processed, which is "
            "right but slower"
        ]
    if np.array_equal(order, np.arange(mz.size)):
        return SharedAxis(MassAxis(values)), []
    return SharedAxis(MassAxis(values), order), [
        "its shared m/z axis was not ascending; it was sorted, and so was every spectrum"
    ]
