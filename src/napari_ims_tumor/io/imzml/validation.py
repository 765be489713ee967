"""Refuses an index that could show wrong numbers: unequal lengths, arrays outside, overlaps."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.io.imzml.index import ArrayTable, SpectrumIndex
from napari_ims_tumor.io.imzml.slide_index import SlideIndex
from napari_ims_tumor.io.imzml.wording import spectra as many
from napari_ims_tumor.msi.arrays import BoolArray, IntArray

IDENTITY: Final = 16
"""Bytes at the beginning of the .ibd file that hold its UUID."""
_WRAP: Final = 1 << 32
_LARGEST: Final = 1 << 61
_NOWHERE: Final = -(1 << 62)
_MOST_UNPACKED: Final = 1 << 16
"""Bytes that one byte can unpack to: zlib reaches 1,032, xz some 7,000."""


def validate(index: SlideIndex, ibd: Path, size: int) -> None:
    """Check every array of a slide against the .ibd file, repairing wrapped offsets.

    Raises
    ------
    SlideError
        Naming the first spectrum that is wrong, and how many are.
    """
    _refuse_unequal_lengths(index)
    _refuse_impossible(index)
    if _looks_wrapped(index, size):
        _repair_wrapped(index, size)
    _refuse_outside(index, ibd, size)
    _note_shared_intensities(index)
    overlapping = _first_overlap(index)
    if overlapping is not None:
        raise SlideError(
            f"the arrays of spectrum {overlapping[0]} overlap other arrays in {ibd.name} "
            f"(so many times: {overlapping[1]}): the offsets are wrong. Export it again."
        )


def unused_bytes(index: SpectrumIndex, size: int) -> tuple[int, int] | None:
    """First byte of the .ibd file behind its UUID that no array holds, and how many there are."""
    starts, ends, _ = _distinct_ranges(index)
    starts, ends = np.append(starts, size), np.append(IDENTITY, ends)
    gaps = np.maximum(starts - np.maximum.accumulate(ends), 0)
    where = np.flatnonzero(gaps)
    if where.size == 0:
        return None
    return int(np.maximum.accumulate(ends)[where[0]]), int(gaps.sum())


def _refuse_unequal_lengths(index: SpectrumIndex) -> None:
    wrong = np.flatnonzero(index.mz.lengths != index.intensity.lengths)
    if wrong.size:
        i = int(wrong[0])
        raise SlideError(
            f"spectrum {i} has {int(index.mz.lengths[i])} m/z values but "
            f"{int(index.intensity.lengths[i])} intensities ({many(wrong.size)} in all): the "
            "file is damaged. Export it again."
        )


def _refuse_impossible(index: SpectrumIndex) -> None:
    for table in (index.mz, index.intensity):
        too_large = (table.nbytes > _LARGEST) | (np.abs(table.offsets) > _LARGEST)
        huge = np.flatnonzero(too_large | (table.lengths > _most_values(table)))
        if huge.size:
            raise SlideError(
                f"spectrum {int(huge[0])} states an impossible array position or length "
                f"({many(huge.size)} in all): the .imzML file is damaged. Export it again."
            )


def _most_values(table: ArrayTable) -> IntArray:
    """As many values as the bytes of each array can unpack to: before memory is asked for."""
    packed = np.array([encoding.compression != "none" for encoding in table.encodings])
    most = np.full(table.nbytes.size, _LARGEST // 8)
    small = packed[table.kinds] & (table.nbytes < most // _MOST_UNPACKED)
    # An empty array may be packed into a few bytes, or into none.
    return np.where(small, (table.nbytes + 1) * _MOST_UNPACKED, most)


def _looks_wrapped(index: SpectrumIndex, size: int) -> bool:
    """Whether offsets are negative, or stop below 2³² in a file that is larger and repeat."""
    if any((table.offsets[table.nbytes > 0] < 0).any() for table in (index.mz, index.intensity)):
        return True
    last = max(int(index.mz.ends.max()), int(index.intensity.ends.max()))
    short = size > _WRAP and last <= _WRAP + max(int(index.mz.nbytes.max()), 0)
    return short and _first_overlap(index) is not None


def _repair_wrapped(index: SlideIndex, size: int) -> None:
    """Undo the wrap of 32-bit offsets, if arrays written one after the other explain them all."""
    tables = (index.mz, index.intensity)
    kept = [table.offsets.copy() for table in tables]
    _unwrap(tables)
    last = max(int(table.ends.max()) for table in tables)
    fits = last <= size and size - last < _WRAP and _first_overlap(index) is None
    if fits:
        index.notes.append(
            "array offsets had wrapped around at 4 GB (written by 32-bit software); repaired"
        )
        return
    index.mz.offsets, index.intensity.offsets = kept
    bad = np.flatnonzero((kept[0] < 0) | (kept[1] < 0))
    wrong = "the array offsets repeat, as if they had wrapped around at 4 GB"
    if bad.size:
        wrong = f"spectrum {int(bad[0])} has a negative offset ({many(bad.size)} in all)"
    raise SlideError(
        f"{wrong}, and that cannot be repaired for certain: the .imzML file is damaged or was "
        "written by faulty 32-bit software. Export it again."
    )


def _unwrap(tables: tuple[ArrayTable, ArrayTable]) -> None:
    """Add 2³² each time the arrays, in the order they were written, step back by about as much.

    An array that repeats the place of the one before is shared, and takes no part in the order.
    """
    first, second = sorted(tables, key=lambda table: int(table.offsets[0]) % _WRAP)
    low = np.stack([first.offsets, second.offsets], axis=1) % _WRAP
    fresh = np.stack([_is_fresh(first), _is_fresh(second)], axis=1)
    written = low[fresh]
    turns = np.cumsum(np.diff(written, prepend=written[:1]) < -(_WRAP // 2))
    full = low.copy()
    full[fresh] = written + _WRAP * turns
    rows = np.arange(low.shape[0])
    for column, table in enumerate((first, second)):
        latest = np.maximum.accumulate(np.where(fresh[:, column], rows, 0))
        table.offsets = full[latest, column]


def _is_fresh(table: ArrayTable) -> BoolArray:
    """Which arrays hold bytes, and others than the array before."""
    fresh = np.zeros(table.offsets.size, bool)
    rows = np.flatnonzero(table.nbytes > 0)
    fresh[rows] = np.diff(table.offsets[rows], prepend=_NOWHERE) != 0
    return fresh


def _note_shared_intensities(index: SlideIndex) -> None:
    """Spectra may share an m/z array; that two have one and the same intensities is odd."""
    rows = np.flatnonzero(index.intensity.nbytes > 0)
    starts = index.intensity.offsets[rows]
    if (np.diff(starts) > 0).all():
        return
    order = np.argsort(starts, kind="stable")
    again = rows[order[1:][np.diff(starts[order]) == 0]]
    if again.size:
        index.notes.append(
            f"{many(again.size)} with the same intensity array as another spectrum, the first is "
            f"spectrum {int(again.min())}: is its offset stated wrongly? If its image looks wrong, "
            "export it again."
        )


def _refuse_outside(index: SpectrumIndex, ibd: Path, size: int) -> None:
    ends = np.maximum(
        np.where(index.mz.nbytes > 0, index.mz.ends, 0),
        np.where(index.intensity.nbytes > 0, index.intensity.ends, 0),
    )
    outside = np.flatnonzero(ends > size)
    if outside.size:
        i = int(outside[0])
        raise SlideError(
            f"{ibd.name}: spectrum {i} ends at byte {int(ends[i])}, the file has {size}: "
            f"incomplete copy? (Cut off: {outside.size:,} of {many(len(index))}.) Copy it again."
        )


def _first_overlap(index: SpectrumIndex) -> tuple[int, int] | None:
    """First spectrum of a partial overlap and the number of overlaps; ``None`` if there is none.

    Spectra may share an m/z array, so identical ranges of the same kind are legal.
    """
    if _take_turns(index.mz, index.intensity) or _take_turns(index.intensity, index.mz):
        return None
    starts, ends, spectra = _distinct_ranges(index)
    clash = starts[1:] < np.maximum.accumulate(ends)[:-1]
    if not clash.any():
        return None
    where = np.flatnonzero(clash)
    return int(np.maximum(spectra[where], spectra[where + 1]).min()), int(where.size)


def _take_turns(first: ArrayTable, second: ArrayTable) -> bool:
    """Whether arrays of two kinds follow each other: usual, and seen without sorting."""
    between = (first.ends <= second.offsets).all()
    return bool(between and (second.ends[:-1] <= first.offsets[1:]).all())


def _distinct_ranges(index: SpectrumIndex) -> tuple[IntArray, IntArray, IntArray]:
    """Sorted (starts, ends, spectrum) of all arrays that hold bytes, each range once per kind."""
    parts = [_once(table) for table in (index.mz, index.intensity)]
    starts, ends, spectra = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((ends, starts)) if (np.diff(starts) < 0).any() else np.arange(starts.size)
    return starts[order], ends[order], spectra[order]


def _once(table: ArrayTable) -> tuple[IntArray, IntArray, IntArray]:
    rows = np.flatnonzero(table.nbytes > 0)
    starts, ends = table.offsets[rows], table.ends[rows]
    if (np.diff(starts) > 0).all():
        return starts, ends, rows
    order = np.lexsort((ends, starts))
    starts, ends, rows = starts[order], ends[order], rows[order]
    new = np.ones(rows.size, bool)
    new[1:] = (np.diff(starts) != 0) | (np.diff(ends) != 0)
    return starts[new], ends[new], rows[new]
