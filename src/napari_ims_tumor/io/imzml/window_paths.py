"""The ways to the numbers of m/z windows, the fastest first: an index, parts of spectra, a stream.

All give what reading every spectrum gives, to the last bit.
"""

from __future__ import annotations

from functools import cached_property
from threading import Lock
from typing import Final

import numpy as np

from napari_ims_tumor.io.cache_folder import CacheEntry, CacheError
from napari_ims_tumor.io.imzml.alike import AlikeSpectra
from napari_ims_tumor.io.imzml.channel_index import ChannelIndex
from napari_ims_tumor.io.imzml.indexing import (
    IndexSource,
    WindowIndex,
    build_in_memory,
    build_kept,
    find_kept,
)
from napari_ims_tumor.io.imzml.key_skeleton import KeySkeleton, is_for_keys
from napari_ims_tumor.io.imzml.peak_index import PeakIndex
from napari_ims_tumor.io.imzml.ragged import RaggedReader, Scratch, ragged_blocks
from napari_ims_tumor.io.imzml.strips import Strips
from napari_ims_tumor.io.imzml.summary import Summary
from napari_ims_tumor.io.imzml.windows import WindowStream
from napari_ims_tumor.job import Job, Progress
from napari_ims_tumor.msi.arrays import Float64Array, IntArray
from napari_ims_tumor.msi.ion_image import block_values
from napari_ims_tumor.msi.reduction import Reduction, reduce_points

_MANY: Final = 1 / 16
"""Share of doubtful spectra above which reading all of them, in larger pieces, is faster."""


class WindowPaths:
    """What is known of a slide that makes windows fast.

    Parameters
    ----------
    source
        Its spectra.
    entry
        Where an index is kept; ``None`` where none can be.
    memory_budget
        Most bytes of an index that is kept in memory instead.
    """

    def __init__(self, source: IndexSource, entry: CacheEntry | None, memory_budget: int) -> None:
        self._source = source
        self._entry = entry
        self._memory_budget = memory_budget
        self._looking = Lock()
        self._has_looked = False
        self._index: WindowIndex | None = None
        self._building = Lock()
        self._skeleton: KeySkeleton | None = None

    @cached_property
    def _strips(self) -> Strips | None:
        source, axis = self._source, self._source.axis
        if axis is None or axis.order is not None:
            return None
        return Strips.of(source.ibd, source.index, axis.axis.mz)

    @cached_property
    def _stream(self) -> WindowStream | None:
        source = self._source
        return None if source.axis is not None else WindowStream.of(source.ibd, source.index)

    @cached_property
    def _alike(self) -> AlikeSpectra | None:
        return AlikeSpectra.of(self._source.ibd, self._source.index)

    def values(
        self, bounds: Float64Array, reduce: Reduction, summary: Summary | None
    ) -> Float64Array | None:
        """Make the numbers of windows, as (windows, n_spectra); ``None``: read all spectra."""
        self._source.ibd.refuse_changed()
        index = self._found()
        if isinstance(index, ChannelIndex):
            return self._of_channels(index, bounds, reduce)
        # Arrays are only bisected where it is known that all of them ascend.
        is_orderly = summary is not None and summary.is_orderly
        stream = self._stream if is_orderly else None
        if isinstance(index, PeakIndex):
            found = [self._of_peaks(index, stream, w[:, None], reduce) for w in bounds.T]
            # A slider asks for one at a time, and for a fraction of a millisecond.
            return found[0][None] if len(found) == 1 else np.stack(found)
        if self._strips is not None:
            return self._strips.values(bounds, reduce)
        if stream is None:
            return None
        values = self._of_parts(bounds, reduce, summary)
        return stream.values(bounds, reduce) if values is None else values

    def _of_parts(
        self, bounds: Float64Array, reduce: Reduction, summary: Summary | None
    ) -> Float64Array | None:
        """Make the numbers of windows of parts of spectra; ``None`` if that takes longer."""
        if self._alike is not None:
            return self._alike.values(bounds, reduce, self._read)
        skeleton = self._skeleton
        if skeleton is None and summary is not None and self._building.acquire(blocking=False):
            try:
                skeleton = self._skeleton = self._new_skeleton(summary)
            finally:
                self._building.release()
        return None if skeleton is None else skeleton.values(bounds, reduce)

    def _new_skeleton(self, summary: Summary) -> KeySkeleton | None:
        source = self._source
        if not is_for_keys(source.index, self._memory_budget):
            return None
        return KeySkeleton.of(source.ibd, source.index, summary.mass_range)

    def job(self) -> Job[Progress, str]:
        """Build the index, if there is none; returns a note where that cannot be done."""
        if self._found(wait=True) is not None:
            return ""
        note = ""
        if self._entry is not None:
            try:
                self._index = yield from build_kept(self._source, self._entry)
            except CacheError as error:
                note = str(error)
        if self._index is None and self._source.nbytes <= self._memory_budget:
            self._index = yield from build_in_memory(self._source)
        if self._index is not None:
            self._skeleton = None
        return "" if self._index is not None else note

    def _found(self, wait: bool = False) -> WindowIndex | None:
        """Take the index that was kept, once; while another thread looks for it, do without."""
        if not self._has_looked and self._looking.acquire(blocking=wait):
            try:
                self._look()
            finally:
                self._looking.release()
        return self._index

    def _look(self) -> None:
        if not self._has_looked and self._entry is not None:
            self._index = find_kept(self._source, self._entry)
        self._has_looked = True

    def _of_channels(
        self, index: ChannelIndex, bounds: Float64Array, reduce: Reduction
    ) -> Float64Array:
        assert self._source.axis is not None  # noqa: S101 - only such slides have channels
        mz = self._source.axis.axis.mz
        first = np.searchsorted(mz, bounds[0], "left").tolist()
        last = np.searchsorted(mz, bounds[1], "right").tolist()
        return np.stack([index.values(a, b, reduce) for a, b in zip(first, last, strict=True)])

    def _of_peaks(
        self, index: PeakIndex, stream: WindowStream | None, bounds: Float64Array, reduce: Reduction
    ) -> Float64Array:
        n = len(self._source.index)
        points = index.points(float(bounds[0, 0]), float(bounds[1, 0]))
        if stream is not None and points.doubtful.size > n * _MANY:
            return np.asarray(stream.values(bounds, reduce)[0], np.float64)
        values = reduce_points(points.spectra, points.intensity, n, reduce)
        if points.doubtful.size:
            values[points.doubtful] = self._read(points.doubtful, bounds, reduce)
        return values

    def _read(self, spectra: IntArray, bounds: Float64Array, reduce: Reduction) -> Float64Array:
        """Read some spectra, ascending, as they are."""
        index = self._source.index
        reader = RaggedReader(self._source.ibd, index, Scratch(index.intensity.floating))
        blocks = ragged_blocks(reader, spectra)
        return np.concatenate([block_values(block, bounds, reduce)[0] for block in blocks])
