"""The part of a slide that is exported, as a slide of its own, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from napari_ims_tumor.errors import QueryError
from napari_ims_tumor.io.slide_export.choosing import ChosenPixels, choose_pixels
from napari_ims_tumor.io.slide_export.request import ExportRequest
from napari_ims_tumor.msi.arrays import Float64Array, IntArray
from napari_ims_tumor.msi.centroided import Centroided
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.normalization import factors_of, normalizer_text
from napari_ims_tumor.msi.spectrum import SharedAxisBlock
from napari_ims_tumor.msi.subset import Subset

_SAMPLED: Final = 64


@dataclass(frozen=True, eq=False)
class ExportView:
    """A slide, the request, and what it comes to.

    Attributes
    ----------
    slide
        The whole slide.
    request
        What was asked for.
    chosen
        Which of its spectra.
    spectra
        These, cut and centroided.
    """

    slide: MsiDataset
    request: ExportRequest
    chosen: ChosenPixels
    spectra: Subset

    @cached_property
    def points_per_spectrum(self) -> float:
        """Mean number of points of a spectrum; estimated from a few where spectra differ."""
        axis = self.spectra.mass_axis
        if axis is not None:
            return float(len(axis))
        n = self.spectra.n_spectra
        sample = np.unique(np.linspace(0, n - 1, min(n, _SAMPLED)).astype(np.int64))
        points = [
            block.mz.size
            for block in self.spectra.blocks(sample)
            if not isinstance(block, SharedAxisBlock)
        ]
        return sum(points) / sample.size

    @cached_property
    def intensity_type(self) -> np.dtype[Any]:
        """The floating type that values are read in."""
        return self.spectra.spectrum(0).intensity.dtype

    @cached_property
    def factors(self) -> Float64Array | None:
        """What the values of each chosen spectrum are multiplied by; ``None`` for nothing."""
        if self.request.normalize == "none":
            return None
        return factors_of(self.slide, self.request.normalize)[self.chosen.indices]

    @cached_property
    def labels(self) -> IntArray | None:
        """Class value of each chosen spectrum, 0 unlabelled; ``None`` without labels."""
        if self.chosen.annotation is None:
            return None
        under = self.slide.pixels.as_vector(self.chosen.annotation.labels)
        return under[self.chosen.indices].astype(np.int64)

    @cached_property
    def groups(self) -> IntArray | None:
        """Group of each chosen spectrum; ``None`` without groups."""
        if self.chosen.groups is None:
            return None
        found: IntArray = self.slide.pixels.as_vector(self.chosen.groups)[self.chosen.indices]
        return found

    def facts(self) -> dict[str, Any]:
        """Plain facts for the head of a file."""
        request = self.request
        found: dict[str, Any] = {"slide": self.slide.name, "pixels": self.chosen.words}
        if not request.mz_range.is_whole:
            found["m/z range"] = str(request.mz_range)
        if request.centroid is not None:
            found["centroids"] = str(request.centroid)
        found["normalization"] = normalizer_text(request.normalize)
        if request.reduce != "sum":
            found["reduction"] = request.reduce
        return found


def make_view(slide: MsiDataset, request: ExportRequest) -> ExportView:
    """Find the part of a slide that was asked for.

    Raises
    ------
    QueryError
        No pixel is chosen, or nothing was measured in the m/z range.
    """
    chosen = choose_pixels(slide, request.pixels)
    curves = slide if request.centroid is None else Centroided(slide, request.centroid)
    view = ExportView(slide, request, chosen, Subset(curves, chosen.indices, request.mz_range))
    _refuse_beside(view)
    return view


def _refuse_beside(view: ExportView) -> None:
    """Stop where the m/z range holds nothing; spectra are only read where a few are not enough."""
    _refuse_windows_beside(view)
    asked = view.request.mz_range
    if asked.is_whole or view.points_per_spectrum > 0:
        return
    low, high = view.slide.mass_range
    if asked.high < low or asked.low > high:
        raise QueryError(
            f"{asked} is outside {view.slide.name}, which goes from {low:.4f} to {high:.4f}"
        )


def _refuse_windows_beside(view: ExportView) -> None:
    """Stop where a window lies outside the slide: its zeros would look like a finding."""
    windows = view.request.channels.windows
    if not windows:
        return
    low, high = view.slide.mass_range
    for window in windows:
        if window.high < low or window.low > high:
            raise QueryError(
                f"{window} is outside {view.slide.name}, which goes from {low:.4f} to {high:.4f}"
            )
