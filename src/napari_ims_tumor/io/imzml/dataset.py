"""An open imzML slide."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final

import numpy as np

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.io.imzml.arrays import IbdFile
from napari_ims_tumor.io.imzml.axis import SharedAxis
from napari_ims_tumor.io.imzml.dense import dense_blocks
from napari_ims_tumor.io.imzml.grid import Placement, Positions, stated_positions
from napari_ims_tumor.io.imzml.held import BUDGET, Held, HeldRagged, make_room, share
from napari_ims_tumor.io.imzml.index import SpectrumIndex
from napari_ims_tumor.io.imzml.ragged import (
    Disorder,
    RaggedReader,
    Scratch,
    ragged_blocks,
)
from napari_ims_tumor.io.imzml.single import (
    Plain,
    find_plain,
    read_intensity,
    read_mz,
    tidy_pair,
)
from napari_ims_tumor.io.imzml.summary import Summary, Survey
from napari_ims_tumor.msi.arrays import Float64Array, FloatArray, IntArray
from napari_ims_tumor.msi.ion_image import ion_images
from napari_ims_tumor.msi.mass_axis import MassAxis, MassWindow
from napari_ims_tumor.msi.mean_spectrum import MeanAndMax, mean_and_max
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.reduction import Reduction
from napari_ims_tumor.msi.spectrum import Layout, Mode, Spectrum, SpectrumBlock

_READ_AT_ONCE: Final = 16 << 20
"""Slides up to this size are read whole when opened, so that every warning is known at once."""


@dataclass(frozen=True, slots=True)
class SlideParts:
    """All that opening a slide finds out."""

    path: Path
    ibd: IbdFile
    index: SpectrumIndex
    pixels: PixelGrid
    placement: Placement
    layout: Layout
    mode: Mode
    axis: SharedAxis | None
    metadata: dict[str, str]
    checksums: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]


class ImzmlDataset:
    """A slide in an .imzML and .ibd file: an :class:`~napari_ims_tumor.msi.dataset.MsiDataset`.

    Reading is thread-safe and never changes the files. Use it as a context manager, or call
    :meth:`close`.
    """

    def __init__(self, parts: SlideParts, memory_budget: int = BUDGET) -> None:
        self._parts = parts
        self._memory_budget = memory_budget
        self._reading_first = threading.Lock()
        self._keeping = threading.Lock()
        self._summary: Summary | None = None
        self._mean_and_max: MeanAndMax | None = None
        self._held: Held | None = None
        self._notes: tuple[str, ...] = ()
        self._n_spectra = len(parts.index)
        self._plain = _plain(parts)
        self._all_tidy = False
        if parts.ibd.size <= _READ_AT_ONCE:
            self._summarized()

    @property
    def name(self) -> str:
        """The file's stem."""
        return self._parts.path.stem

    @property
    def source(self) -> Path:
        """The .imzML file."""
        return self._parts.path

    @property
    def layout(self) -> Layout:
        """``"continuous"`` (one shared axis) or ``"processed"`` (an axis per spectrum)."""
        return self._parts.layout

    @property
    def mode(self) -> Mode:
        """``"profile"`` or ``"centroid"``."""
        return self._parts.mode

    @property
    def pixels(self) -> PixelGrid:
        """Where the spectra lie."""
        return self._parts.pixels

    @property
    def positions(self) -> Positions:
        """x, y and z of every spectrum, as the file states them."""
        return stated_positions(self._parts.pixels, self._parts.placement)

    @property
    def n_spectra(self) -> int:
        """How many spectra there are."""
        return self._n_spectra

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the file says about itself, in words."""
        return MappingProxyType(self._parts.metadata)

    @property
    def mass_axis(self) -> MassAxis | None:
        """The shared axis of a continuous slide; ``None`` for a processed one."""
        return None if self._parts.axis is None else self._parts.axis.axis

    @property
    def mass_range(self) -> tuple[float, float]:
        """Lowest and highest m/z of any spectrum; the first call reads a processed slide once."""
        axis = self.mass_axis
        return (axis.low, axis.high) if axis is not None else self._summarized().mass_range

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is off but unambiguous; in large slides, spectra out of order once all were read."""
        notes = dict.fromkeys((*self._parts.warnings, *self._notes))
        return tuple(f"{self._parts.path.name}: {note}" for note in notes)

    def spectrum(self, i: int) -> Spectrum:
        """Spectrum ``i`` in file order, ascending in m/z, exact."""
        parts, plain, i = self._parts, self._plain, self._checked(i)
        if plain is None:
            return self._decoded(i)
        if parts.axis is not None:
            return Spectrum.adopt(parts.axis.axis.mz, plain.intensity(parts.ibd, i), parts.mode)
        mz, values = plain.pair(parts.ibd, i)
        if not self._all_tidy:
            mz, values = tidy_pair(mz, values)
        return Spectrum.adopt(mz, values, parts.mode)

    def _decoded(self, i: int) -> Spectrum:
        """Spectrum ``i``, where it takes work to make it."""
        parts = self._parts
        if self._held is not None and i < self._held.count:
            parts.ibd.refuse_changed()
            return Spectrum(*self._held.one(i), parts.mode)
        values = read_intensity(parts.ibd, parts.index, i)
        if parts.axis is not None:
            return Spectrum(parts.axis.axis.mz, parts.axis.in_order(values), parts.mode)
        return Spectrum(*tidy_pair(read_mz(parts.ibd, parts.index, i), values), parts.mode)

    def blocks(self, indices: IntArray | None = None) -> Iterator[SpectrumBlock]:
        """Read spectra (all, or those given) in blocks of bounded memory, in the given order.

        Each time that a slide of up to 512 MB is read whole, except the first, another eighth of
        it is kept in memory: a single image or mean needs no copy of the slide.
        """
        chosen = None if indices is None else np.asarray(indices, np.int64)
        if chosen is not None and chosen.size and not self._has(chosen):
            raise SlideError(
                f"{self.name} has spectra 0 to {self.n_spectra - 1}, not all asked for"
            )
        self._parts.ibd.refuse_changed()
        if chosen is None:
            return self._surveyed() if self._summary is None else self._whole()
        held = self._held
        if held is not None and held.count == self._n_spectra:
            return held.picked(chosen)
        return self._read(chosen)

    def ion_images(self, windows: Sequence[MassWindow], reduce: Reduction = "sum") -> FloatArray:
        """Raw intensity inside each window, (windows, *image_shape); NaN = unmeasured."""
        return ion_images(self, windows, reduce)

    def total_ion_current(self) -> Float64Array:
        """Sum of each spectrum's finite intensities, shape (n_spectra,)."""
        return self._summarized().tic

    def mean_spectrum(self) -> Spectrum:
        """Mean over all spectra; later calls cost nothing."""
        return self._averaged().mean

    def max_spectrum(self) -> Spectrum:
        """Largest intensity of any spectrum, on the m/z of the mean and found out with it."""
        return self._averaged().max

    @property
    def checksums(self) -> tuple[tuple[str, str], ...]:
        """Stated hashes of the .ibd file, as (kind, hexadecimal digits)."""
        return self._parts.checksums

    @property
    def ibd_size(self) -> int:
        """Bytes in the .ibd file."""
        return self._parts.ibd.size

    def read_bytes(self, offset: int, nbytes: int) -> bytes | bytearray:
        """Bytes of the .ibd file as they are."""
        return self._parts.ibd.read(offset, nbytes)

    def close(self) -> None:
        """Close the .ibd file; reads that are under way finish first."""
        self._parts.ibd.close()

    def __enter__(self) -> ImzmlDataset:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<ImzmlDataset {self.name}: {self.n_spectra} spectra, {self.layout} {self.mode}>"

    def _checked(self, i: int) -> int:
        if not 0 <= i < self._n_spectra:
            raise SlideError(f"{self.name} has spectra 0 to {self.n_spectra - 1}, not {i}")
        return int(i)

    def _has(self, indices: IntArray) -> bool:
        return bool(indices.min() >= 0 and indices.max() < self.n_spectra)

    def _summarized(self) -> Summary:
        """Read all spectra once, for what needs all of them; later calls cost nothing."""
        with self._reading_first:
            while self._summary is None:
                for _ in self._surveyed():
                    pass
            return self._summary

    def _averaged(self) -> MeanAndMax:
        if self._mean_and_max is None:
            self._mean_and_max = mean_and_max(self)
        return self._mean_and_max

    def _surveyed(self) -> Iterator[SpectrumBlock]:
        """Pass all blocks on; what they tell is known once the last was taken."""
        disorder, survey = Disorder(), Survey(self.n_spectra)
        for block in self._read(np.arange(self.n_spectra), disorder):
            survey.add(block)
            yield block
        self._all_tidy = not disorder.notes
        self._notes, self._summary = disorder.notes, survey.result()

    def _whole(self) -> Iterator[SpectrumBlock]:
        """All spectra: those kept in memory, then the others."""
        n = self._n_spectra
        held, count = self._grown()
        if held is None or count == 0:
            return self._read(np.arange(n))
        return chain(held.first(count), self._read(np.arange(count, n)) if count < n else ())

    def _grown(self) -> tuple[Held | None, int]:
        """Keep some more spectra in memory.

        Returns
        -------
        tuple
            What is kept, and how many spectra: others may add to it at any time.
        """
        parts = self._parts
        with self._keeping:
            if self._held is None:
                self._held = make_room(parts.index, parts.axis, self._memory_budget)
            held = self._held
            if held is None:
                return None, 0
            more = share(held, self._n_spectra)
            if more.size:
                for block in self._read(more, held=held):
                    held.take(block)
            return held, held.count

    def _read(
        self, indices: IntArray, disorder: Disorder | None = None, held: Held | None = None
    ) -> Iterator[SpectrumBlock]:
        parts = self._parts
        if parts.axis is not None:
            return dense_blocks(parts.ibd, parts.index, parts.axis, indices)
        room = held if isinstance(held, HeldRagged) else Scratch(parts.index.intensity.floating)
        return ragged_blocks(RaggedReader(parts.ibd, parts.index, room, disorder), indices)


def _plain(parts: SlideParts) -> Plain | None:
    if parts.axis is not None and parts.axis.order is not None:
        return None
    return find_plain(parts.index, with_mz=parts.axis is None)
