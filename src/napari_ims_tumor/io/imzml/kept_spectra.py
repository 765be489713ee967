"""What reading a whole slide finds out, kept for the next time that it is opened."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from napari_ims_tumor.io.cache_folder import CacheEntry, CacheError
from napari_ims_tumor.io.imzml.summary import Summary
from napari_ims_tumor.msi.arrays import frozen
from napari_ims_tumor.msi.mean_spectrum import MeanAndMax
from napari_ims_tumor.msi.spectrum import Mode, Spectrum

_SUMMARY, _SPECTRA = ("summary", 1), ("spectra", 1)
_WRONG: Final = (KeyError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class KeptSpectra:
    """The part of a slide's cache entry that is about its spectra.

    Attributes
    ----------
    entry
        ``None`` where nothing is kept of the slide.
    """

    entry: CacheEntry | None

    def summary(self, n_spectra: int) -> Summary | None:
        """What was found out about all spectra."""
        part = None if self.entry is None else self.entry.read(*_SUMMARY)
        with suppress(*_WRONG):
            if part is not None and part.arrays["tic"].shape == (n_spectra,):
                low, high = part.facts["mass_range"]
                notes = tuple(str(note) for note in part.facts["notes"])
                tic = frozen(part.arrays["tic"], float)
                return Summary(tic, (float(low), float(high)), notes)
        return None

    def keep_summary(self, summary: Summary) -> None:
        """Keep what was found out about all spectra, if that can be done."""
        facts = {"mass_range": summary.mass_range, "notes": summary.notes}
        with suppress(CacheError):
            if self.entry is not None:
                self.entry.write(*_SUMMARY, facts, {"tic": summary.tic})

    def mean_and_max(self, mode: Mode) -> MeanAndMax | None:
        """Mean and maximum spectrum."""
        part = None if self.entry is None else self.entry.read(*_SPECTRA)
        with suppress(*_WRONG):
            if part is not None:
                mz, mean, highest = (part.arrays[name] for name in ("mz", "mean", "max"))
                return MeanAndMax(Spectrum(mz, mean, mode), Spectrum(mz, highest, mode))
        return None

    def keep_mean_and_max(self, found: MeanAndMax) -> None:
        """Keep both spectra, if that can be done."""
        mean, highest = found.mean, found.max
        arrays = {"mz": mean.mz, "mean": mean.intensity, "max": highest.intensity}
        with suppress(CacheError):
            if self.entry is not None:
                self.entry.write(*_SPECTRA, {}, arrays)
