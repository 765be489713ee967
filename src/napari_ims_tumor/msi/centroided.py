"""A slide of profile spectra seen as one of peaks, found as each spectrum is read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from napari_ims_tumor.errors import QueryError
from napari_ims_tumor.msi.arrays import Float64Array, FloatArray, IntArray
from napari_ims_tumor.msi.centroiding import DEFAULT_METHOD, CentroidMethod, find_centroids
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.ion_image import finite_sums_between, ion_images
from napari_ims_tumor.msi.mass_axis import MassWindow
from napari_ims_tumor.msi.mean_spectrum import mean_and_max, mean_spectrum
from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.reduction import Reduction
from napari_ims_tumor.msi.spectrum import (
    Layout,
    Mode,
    RaggedBlock,
    SharedAxisBlock,
    Spectrum,
    SpectrumBlock,
)


@dataclass(frozen=True, eq=False)
class Centroided:
    """A slide of profile spectra seen as one of peaks: an :class:`MsiDataset` too.

    Attributes
    ----------
    slide
        Its spectra are profiles.
    method
        How curves become peaks; each spectrum is turned each time that it is read.
    """

    slide: MsiDataset
    method: CentroidMethod = field(default=DEFAULT_METHOD)

    def __post_init__(self) -> None:
        if self.slide.mode != "profile":
            raise QueryError(
                f"{self.slide.name} holds centroids already: there is no curve to find peaks in"
            )

    @property
    def name(self) -> str:
        """The slide's name."""
        return self.slide.name

    @property
    def source(self) -> Path | None:
        """The slide's file."""
        return self.slide.source

    @property
    def layout(self) -> Layout:
        """``"processed"``: peaks lie elsewhere in each spectrum."""
        return "processed"

    @property
    def mode(self) -> Mode:
        """``"centroid"``."""
        return "centroid"

    @property
    def pixels(self) -> PixelGrid:
        """Where the spectra lie."""
        return self.slide.pixels

    @property
    def n_spectra(self) -> int:
        """How many spectra there are."""
        return self.slide.n_spectra

    @property
    def mass_axis(self) -> None:
        """``None``: there is no shared axis."""
        return

    @cached_property
    def mass_range(self) -> tuple[float, float]:
        """Lowest and highest m/z of any peak; NaN where there is none."""
        ends = [(float(b.mz.min()), float(b.mz.max())) for b in self.blocks() if b.mz.size]
        if not ends:
            return math.nan, math.nan
        return min(low for low, _ in ends), max(high for _, high in ends)

    @property
    def warnings(self) -> tuple[str, ...]:
        """The slide's warnings."""
        return self.slide.warnings

    def spectrum(self, i: int) -> Spectrum:
        """Peaks of spectrum ``i``."""
        curve = self.slide.spectrum(i)
        mz, intensity = find_centroids(curve.mz, curve.intensity, self.method)
        return Spectrum(mz, intensity.astype(curve.intensity.dtype), "centroid")

    def blocks(self, indices: IntArray | None = None) -> Iterator[SpectrumBlock]:
        """Peaks of spectra (all, or those given) in blocks of bounded memory."""
        for block in self.slide.blocks(indices):
            peaks = [find_centroids(mz, values, self.method) for mz, values in curves_of(block)]
            bounds = np.concatenate([[0], np.cumsum([mz.size for mz, _ in peaks])])
            mz = np.concatenate([mz for mz, _ in peaks])
            intensity = np.concatenate([values for _, values in peaks])
            kind = block.intensity.dtype
            yield RaggedBlock(block.indices, mz, intensity.astype(kind), bounds.astype(np.int64))

    def ion_images(self, windows: Sequence[MassWindow], reduce: Reduction = "sum") -> FloatArray:
        """Sum, maximum or mean of the peaks in each window, (windows, *image_shape)."""
        return ion_images(self, windows, reduce)

    def total_ion_current(self) -> Float64Array:
        """Sum of each spectrum's peaks, shape (n_spectra,)."""
        sums = np.zeros(self.n_spectra)
        for block in self.blocks():
            if isinstance(block, RaggedBlock):
                sums[block.indices] = finite_sums_between(block.intensity, block.bounds)
        return sums

    def mean_spectrum(self) -> Spectrum:
        """Mean over all spectra, in bins of 5 ppm."""
        return mean_spectrum(self)

    def max_spectrum(self) -> Spectrum:
        """Largest intensity of any of all spectra."""
        return mean_and_max(self).max


def curves_of(block: SpectrumBlock) -> Iterator[tuple[Float64Array, FloatArray]]:
    """Return m/z and intensity of each spectrum of a block."""
    for k in range(block.indices.size):
        if isinstance(block, SharedAxisBlock):
            yield block.mz, block.intensity[k]
        else:
            part = slice(int(block.bounds[k]), int(block.bounds[k + 1]))
            yield block.mz[part], block.intensity[part]
