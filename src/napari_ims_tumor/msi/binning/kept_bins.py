"""The bins of one slide, kept in memory: fitting, looking and painting on take turns on it.

Reading and binning a slide takes longer than answering it with a linear model. What was binned
once is kept while somebody works with the slide. It is one slide at a time, and only where there is
room for it; the numbers are those that would be read again.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from threading import Lock
from typing import Final

import numpy as np

from napari_ims_tumor.msi.arrays import BoolArray, Float32Array, IntArray
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.mass_axis import MassAxis

_VALUES_AT_ONCE: Final = 1 << 21


class KeptBins:
    """Binned spectra of one slide on one axis, as far as they were read.

    Any thread may put and take: a row is taken only after it was put, and does not change again.
    """

    def __init__(self, n: int, axis: MassAxis) -> None:
        self.axis = axis
        self._values = np.zeros((n, len(axis)), np.float32)
        self._known: BoolArray = np.zeros(n, np.bool_)

    @property
    def nbytes(self) -> int:
        """What it takes in memory."""
        return self._values.nbytes

    @property
    def missing(self) -> IntArray:
        """Which spectra were not read yet."""
        return np.flatnonzero(~self._known).astype(np.int64)

    def n_known(self, indices: IntArray) -> int:
        """How many of some spectra, from the first on, are here."""
        known = self._known[indices]
        return len(indices) if known.all() else int(known.argmin())

    def put(self, indices: IntArray, values: Float32Array) -> None:
        """Keep some spectra."""
        self._values[indices] = values
        self._known[indices] = True

    def blocks(self, indices: IntArray) -> Iterator[tuple[IntArray, Float32Array]]:
        """Spectra that are known, in blocks, read-only where they lie side by side."""
        at_once = max(1, _VALUES_AT_ONCE // len(self.axis))
        for start in range(0, len(indices), at_once):
            chosen = indices[start : start + at_once]
            yield chosen, self._rows(chosen)

    def _rows(self, chosen: IntArray) -> Float32Array:
        first, last = int(chosen[0]), int(chosen[-1])
        if last - first + 1 != len(chosen) or (np.diff(chosen) != 1).any():
            return self._values[chosen]
        view = self._values[first : last + 1]
        view.flags.writeable = False
        return view


_lock = Lock()
_current: list[tuple[weakref.ref[MsiDataset], KeptBins]] = []
"""At most one."""


def keep_bins(dataset: MsiDataset, axis: MassAxis, most: int) -> KeptBins | None:
    """From now on keep what of a slide is binned on an axis; another slide's bins are let go.

    Parameters
    ----------
    most
        Bytes that it may take; ``None`` is returned where it would take more.
    """
    with _lock:
        found = _found(dataset, axis)
        if found is not None:
            return found
        _current.clear()
        if dataset.n_spectra * len(axis) * 4 > most:
            return None
        try:
            made = KeptBins(dataset.n_spectra, axis)
        except MemoryError:
            return None
        _current.append((weakref.ref(dataset, _gone), made))
        return made


def kept_bins(dataset: MsiDataset, axis: MassAxis) -> KeptBins | None:
    """What is kept of a slide on an axis; ``None`` where nothing is to be kept."""
    with _lock:
        return _found(dataset, axis)


def let_bins_go(dataset: MsiDataset | None = None) -> None:
    """Give the memory back: of this slide, or of whichever it is."""
    with _lock:
        if dataset is None or any(whose() is dataset for whose, _ in _current):
            _current.clear()


def kept_nbytes() -> int:
    """What is taken by the bins that are kept."""
    with _lock:
        return sum(kept.nbytes for _, kept in _current)


def _found(dataset: MsiDataset, axis: MassAxis) -> KeptBins | None:
    for whose, kept in _current:
        if whose() is dataset and kept.axis == axis:
            return kept
    return None


def _gone(whose: weakref.ref[MsiDataset]) -> None:
    # Called whenever the slide is collected, in any thread, perhaps in one that holds the lock.
    _current[:] = [one for one in _current if one[0] is not whose]
