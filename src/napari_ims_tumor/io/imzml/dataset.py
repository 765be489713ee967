"""An open imzML slide."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Final

import numpy as np

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.io.cache_folder import CacheFolder
from napari_ims_tumor.io.imzml.dense import dense_blocks
from napari_ims_tumor.io.imzml.first_look import look_at_all, look_through_windows
from napari_ims_tumor.io.imzml.indexing import IndexSource
from napari_ims_tumor.io.imzml.integrity import HashCheck, verify_job
from napari_ims_tumor.io.imzml.kept_spectra import KeptSpectra
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
from napari_ims_tumor.io.imzml.slide_facts import SlideFacts, SlideParts
from napari_ims_tumor.io.imzml.summary import Summary, Survey
from napari_ims_tumor.io.imzml.window_paths import WindowPaths
from napari_ims_tumor.job import Job, Progress, run_inline
from napari_ims_tumor.msi.arrays import Float64Array, FloatArray, IntArray
from napari_ims_tumor.msi.ion_image import ion_images, values_of_blocks
from napari_ims_tumor.msi.mass_axis import MassWindow
from napari_ims_tumor.msi.mean_spectrum import MeanAndMax, mean_and_max
from napari_ims_tumor.msi.reduction import Reduction
from napari_ims_tumor.msi.spectrum import Spectrum, SpectrumBlock

BUDGET: Final = 512 << 20
"""Most bytes of one slide that are kept in memory, if nobody says otherwise."""
SMALL: Final = 16 << 20
"""Slides up to this size are read whole when opened, so that every warning is known at once; they
are read faster than what is kept of them."""


class ImzmlDataset(SlideFacts):
    """A slide in an .imzML and .ibd file: an :class:`~napari_ims_tumor.msi.dataset.MsiDataset`.

    Reading is thread-safe and never changes the files. Use it as a context manager, or call
    :meth:`close`.
    """

    def __init__(self, parts: SlideParts, memory_budget: int = BUDGET) -> None:
        super().__init__(parts)
        self._said: tuple[str, ...] = ()
        self._plain = _plain(parts)
        self._is_small = parts.ibd.size <= SMALL
        files = parts.path, parts.ibd.path
        entry = None if self._is_small else CacheFolder.of_user().entry_of(*files)
        source = IndexSource(parts.ibd, parts.index, parts.axis)
        self._windows = WindowPaths(source, entry, memory_budget)
        self._kept = KeptSpectra(entry)
        self._reading_first = threading.Lock()
        self._summary = self._kept.summary(self._n_spectra)
        self._mean_and_max: MeanAndMax | None = None
        if self._is_small:
            self._summarized()

    @property
    def mass_range(self) -> tuple[float, float]:
        """Lowest and highest m/z of any spectrum; the first call reads a processed slide once."""
        axis = self.mass_axis
        return (axis.low, axis.high) if axis is not None else self._summarized().mass_range

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is off but unambiguous; in large slides, spectra out of order once all were read."""
        found = () if self._summary is None else self._summary.notes
        doubt = () if self._summary is None else self._summary.doubt
        notes = dict.fromkeys((*self._parts.warnings, *found, *doubt, *self._said))
        return tuple(f"{self._parts.path.name}: {note}" for note in notes)

    def spectrum(self, i: int) -> Spectrum:
        """Spectrum ``i`` in file order, ascending in m/z, exact."""
        parts, plain, i = self._parts, self._plain, self._checked(i)
        if plain is None:
            return self._decoded(i)
        if parts.axis is not None:
            return Spectrum.adopt(parts.axis.axis.mz, plain.intensity(parts.ibd, i), parts.mode)
        mz, values = plain.pair(parts.ibd, i)
        if self._summary is None or not self._summary.is_tidy:
            mz, values = tidy_pair(mz, values)
        return Spectrum.adopt(mz, values, parts.mode)

    def _decoded(self, i: int) -> Spectrum:
        """Spectrum ``i``, where it takes work to make it."""
        parts = self._parts
        values = read_intensity(parts.ibd, parts.index, i)
        if parts.axis is not None:
            return Spectrum(parts.axis.axis.mz, parts.axis.in_order(values), parts.mode)
        return Spectrum(*tidy_pair(read_mz(parts.ibd, parts.index, i), values), parts.mode)

    def blocks(self, indices: IntArray | None = None) -> Iterator[SpectrumBlock]:
        """Read spectra (all, or those given) in blocks of bounded memory, in the given order."""
        chosen = None if indices is None else np.asarray(indices, np.int64)
        if chosen is not None and chosen.size and not self._has(chosen):
            raise SlideError(
                f"{self.name} has spectra 0 to {self.n_spectra - 1}, not all asked for"
            )
        self._parts.ibd.refuse_changed()
        if chosen is None:
            return self._read(np.arange(self._n_spectra)) if self._summary else self._surveyed()
        return self._read(chosen)

    def window_values(self, bounds: Float64Array, reduce: Reduction) -> Float64Array:
        """Return the numbers of windows, (2, windows) bounds, as (windows, n_spectra)."""
        values = self._windows.values(bounds, reduce, self._summary)
        if values is not None:
            return values
        if self._summary is not None or self._parts.axis is not None:
            return values_of_blocks(self, bounds, reduce)
        summary, values = look_through_windows(self._parts.ibd, self._parts.index, bounds, reduce)
        self._learn(summary)
        return values

    def index_job(self) -> Job[Progress, str] | None:
        """Return a job that makes ion images instantaneous; ``None`` for a small slide.

        An index is built, or the one that was kept is found; and what else takes all spectra is
        found out. The job returns why there is no index, or an empty text.
        """
        return None if self._is_small else self._prepare()

    def _prepare(self) -> Job[Progress, str]:
        note = yield from self._windows.job()
        if self._summary is None:
            yield Progress("Summing intensities")
            self._summarized()
        if self._mean_and_max is None:
            yield Progress("Averaging spectra")
            self._averaged()
        return note

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

    def verify(self) -> tuple[HashCheck, ...]:
        """Compare every byte of the .ibd file with the stated hashes, if there are any.

        A mismatch becomes one of the slide's warnings. The answer is kept: of a file that did not
        change it costs nothing the next time.
        """
        return run_inline(verify_job(self))

    def warn(self, note: str) -> None:
        """Add to the warnings what was found out after opening."""
        self._said = (*self._said, note)

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
            if self._summary is None and self._parts.axis is None:
                self._learn(look_at_all(self._parts.ibd, self._parts.index))
            while self._summary is None:
                for _ in self._surveyed():
                    pass
            return self._summary

    def _learn(self, summary: Summary) -> None:
        """Keep what was found out about all spectra; the first to find it out counts."""
        if self._summary is None:
            self._summary = summary
            self._kept.keep_summary(summary)

    def _averaged(self) -> MeanAndMax:
        if self._mean_and_max is None:
            self._mean_and_max = self._kept.mean_and_max(self.mode)
        if self._mean_and_max is None:
            self._mean_and_max = mean_and_max(self)
            self._kept.keep_mean_and_max(self._mean_and_max)
        return self._mean_and_max

    def _surveyed(self) -> Iterator[SpectrumBlock]:
        """Pass all blocks on; what they tell is known once the last was taken."""
        disorder, survey = Disorder(), Survey(self.n_spectra)
        for block in self._read(np.arange(self.n_spectra), disorder):
            survey.add(block)
            yield block
        self._learn(survey.result(disorder.notes))

    def _read(self, indices: IntArray, disorder: Disorder | None = None) -> Iterator[SpectrumBlock]:
        parts = self._parts
        if parts.axis is not None:
            return dense_blocks(parts.ibd, parts.index, parts.axis, indices)
        room = Scratch(parts.index.intensity.floating)
        return ragged_blocks(RaggedReader(parts.ibd, parts.index, room, disorder), indices)


def _plain(parts: SlideParts) -> Plain | None:
    if parts.axis is not None and parts.axis.order is not None:
        return None
    return find_plain(parts.index, with_mz=parts.axis is None)
