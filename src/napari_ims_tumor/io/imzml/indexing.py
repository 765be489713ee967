"""Builds the index of a slide, block by block, and finds the one that was kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.io.cache_folder import CacheEntry
from napari_ims_tumor.io.cache_part import Part
from napari_ims_tumor.io.imzml.arrays import IbdFile
from napari_ims_tumor.io.imzml.axis import SharedAxis
from napari_ims_tumor.io.imzml.channel_index import ChannelIndex
from napari_ims_tumor.io.imzml.dense import dense_block
from napari_ims_tumor.io.imzml.index import SpectrumIndex
from napari_ims_tumor.io.imzml.peak_index import PeakIndex
from napari_ims_tumor.io.imzml.peak_order import MOST_SPECTRA, peak_type, put_in_order
from napari_ims_tumor.io.imzml.ragged import RaggedReader, Scratch, ragged_block
from napari_ims_tumor.io.imzml.runs import Runs, batches
from napari_ims_tumor.job import STOP, Job, JobStopped, Progress
from napari_ims_tumor.msi.arrays import IntArray
from napari_ims_tumor.msi.spectrum import RaggedBlock, SpectrumBlock

WindowIndex = PeakIndex | ChannelIndex

_PART: Final = "index"
_VERSION: Final = 1
_CHUNK_BYTES: Final = 32 << 20
"""Bytes of values that one chunk takes: few chunks make an image quick, small ones are ordered in a
processor's cache."""
_COUNTS: Final = ("spectra", "first_bins", "n_bins", "sizes")


class Sink(Protocol):
    """Takes the arrays of an index, piece by piece."""

    def append(self, name: str, values: NDArray[Any]) -> None:
        """Put values behind those that were given for this name."""


class MemorySink:
    """Keeps the pieces in memory."""

    def __init__(self) -> None:
        self.pieces: dict[str, list[NDArray[Any]]] = {}

    def append(self, name: str, values: NDArray[Any]) -> None:
        """Keep one more piece."""
        self.pieces.setdefault(name, []).append(values)


@dataclass(frozen=True, slots=True, eq=False)
class IndexSource:
    """The spectra that an index is made of."""

    ibd: IbdFile
    index: SpectrumIndex
    axis: SharedAxis | None

    @property
    def nbytes(self) -> int:
        """About how much space the index takes."""
        kind = self.index.intensity.floating
        if self.axis is not None:
            return len(self.index) * len(self.axis.axis) * kind.itemsize
        return int(self.index.mz.lengths.sum()) * peak_type(kind).itemsize * 6 // 5

    def blocks(self) -> Iterator[SpectrumBlock]:
        """Read all spectra in blocks of about a chunk."""
        index, runs, kind = self.index, Runs(self.ibd), self.index.intensity.floating
        if self.axis is not None:
            width = np.full(len(index), len(self.axis.axis) * kind.itemsize)
            for part in batches(width, 2 * _CHUNK_BYTES):
                yield dense_block(runs, index, self.axis, _numbers(part))
            return
        reader = RaggedReader(self.ibd, index, Scratch(kind))
        for part in batches(index.mz.lengths * (8 + kind.itemsize), _CHUNK_BYTES, MOST_SPECTRA):
            yield ragged_block(reader, runs, _numbers(part))


def _numbers(part: slice) -> IntArray:
    return np.arange(part.start, part.stop, dtype=np.int64)


def build_kept(source: IndexSource, entry: CacheEntry) -> Job[Progress, WindowIndex | None]:
    """Build an index into the cache; raises a ``CacheError`` where it cannot be kept."""
    entry.cache.refuse_too_large(source.nbytes)
    facts: dict[str, list[int]] = {}
    with entry.writing(_PART, _VERSION, facts) as writer:
        facts |= yield from _build(source, writer)
    return find_kept(source, entry)


def build_in_memory(source: IndexSource) -> Job[Progress, WindowIndex]:
    """Build an index that lasts as long as the slide is open."""
    sink = MemorySink()
    facts = yield from _build(source, sink)
    if source.axis is not None:
        return ChannelIndex.of(sink.pieces["values"], len(source.axis.axis), len(source.index))
    kind, starts = source.index.intensity.floating, np.concatenate(sink.pieces["starts"])
    return PeakIndex.of(kind, facts, sink.pieces["values"], starts)


def find_kept(source: IndexSource, entry: CacheEntry) -> WindowIndex | None:
    """Map the index that was kept of a slide; ``None`` where there is none, or none that fits."""
    part = entry.read(_PART, _VERSION, mapped=True)
    try:
        return None if part is None else _index_of(source, part)
    except (KeyError, ValueError, TypeError, IndexError):
        return None


def _index_of(source: IndexSource, part: Part) -> WindowIndex:
    flat = part.arrays["values"]
    ends = np.cumsum([0, *part.facts["sizes"]]).tolist()
    chunks = [flat[a:b] for a, b in pairwise(ends)]
    if source.axis is not None:
        return ChannelIndex.of(chunks, len(source.axis.axis), len(source.index))
    kind = source.index.intensity.floating
    return PeakIndex.of(kind, part.facts, chunks, part.arrays["starts"])


def _build(source: IndexSource, sink: Sink) -> Job[Progress, dict[str, list[int]]]:
    facts: dict[str, list[int]] = {name: [] for name in _COUNTS}
    done, total = 0, len(source.index)
    for block in source.blocks():
        if (yield Progress("Preparing fast ion images", done, total)) is STOP:
            raise JobStopped("the index was not finished")
        if isinstance(block, RaggedBlock):
            _add_peaks(block, sink, facts)
        else:
            turned = np.ascontiguousarray(block.intensity.T)
            sink.append("values", turned.reshape(-1))
            facts["sizes"].append(turned.size)
        done += block.indices.size
    if done != total:
        raise SlideError(f"{source.ibd.path.name}: {done} of {total} spectra could be read")
    return facts


def _add_peaks(block: RaggedBlock, sink: Sink, facts: dict[str, list[int]]) -> None:
    ordered = put_in_order(block)
    words = ordered.peaks.view(np.uint32)
    sink.append("values", words)
    sink.append("starts", ordered.starts)
    n_bins = ordered.starts.size - 1
    numbers = (int(block.indices[0]), ordered.first_bin, n_bins, words.size)
    for name, number in zip(_COUNTS, numbers, strict=True):
        facts[name].append(number)
