"""What every mass spectrometry image can do, whatever file or simulation it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from napari_ims_tumor.msi.arrays import Float64Array, FloatArray, IntArray
from napari_ims_tumor.msi.mass_axis import MassAxis, MassWindow
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.reduction import Reduction
from napari_ims_tumor.msi.spectrum import Layout, Mode, Spectrum, SpectrumBlock


@runtime_checkable
class MsiDataset(Protocol):
    """A slide: spectra at pixels. Reading is thread-safe and never changes the file."""

    @property
    def name(self) -> str:
        """Short name for titles: the file's stem."""

    @property
    def source(self) -> Path | None:
        """The file it was opened from; ``None`` for data made in memory."""

    @property
    def layout(self) -> Layout:
        """``"continuous"`` (one shared axis) or ``"processed"`` (an axis per spectrum)."""

    @property
    def mode(self) -> Mode:
        """``"profile"`` or ``"centroid"``."""

    @property
    def pixels(self) -> PixelGrid:
        """Where the spectra lie."""

    @property
    def n_spectra(self) -> int:
        """How many spectra there are."""

    @property
    def mass_axis(self) -> MassAxis | None:
        """The shared axis of a continuous dataset; ``None`` for a processed one."""

    @property
    def mass_range(self) -> tuple[float, float]:
        """Lowest and highest m/z of any spectrum."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is off but unambiguous, one sentence each."""

    def spectrum(self, i: int) -> Spectrum:
        """Spectrum ``i`` in file order, sorted by m/z, exact."""

    def blocks(self, indices: IntArray | None = None) -> Iterator[SpectrumBlock]:
        """Read spectra (all, or those given) in blocks of bounded memory, in the given order."""

    def ion_images(self, windows: Sequence[MassWindow], reduce: Reduction = "sum") -> FloatArray:
        """Raw intensity inside each window, as (windows, *image_shape); NaN = unmeasured."""

    def total_ion_current(self) -> Float64Array:
        """Sum of each spectrum's finite intensities, shape (n_spectra,)."""

    def mean_spectrum(self) -> Spectrum:
        """Mean over all spectra."""

    def max_spectrum(self) -> Spectrum:
        """Largest intensity of any spectrum, on the m/z values of the mean."""
