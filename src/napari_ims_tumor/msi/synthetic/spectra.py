"""The spectra of a simulated slide, block by block: memory does not grow with the slide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from napari_ims_tumor.msi.pixel_grid import PixelGrid
from napari_ims_tumor.msi.spectrum import Layout, Mode, RaggedBlock, SharedAxisBlock, SpectrumBlock
from napari_ims_tumor.msi.synthetic.centroids import CentroidCounter
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset
from napari_ims_tumor.msi.synthetic.measurement import Measurement
from napari_ims_tumor.msi.synthetic.profiles import ProfileCounter

# Every block has a random stream of its own, so this number is part of what a seed means.
SPECTRA_AT_ONCE: Final = 256


@dataclass(frozen=True, slots=True, eq=False)
class SpectrumSource:
    """Makes the spectra of a slide when asked; each asking gives the same ions.

    Attributes
    ----------
    measurement
        The slide.
    """

    measurement: Measurement

    @property
    def name(self) -> str:
        """Of the slide."""
        return self.measurement.name

    @property
    def pixels(self) -> PixelGrid:
        """Where the spectra lie."""
        return self.measurement.pixels

    @property
    def n_spectra(self) -> int:
        """How many spectra there are."""
        return len(self.measurement.pixels)

    @property
    def layout(self) -> Layout:
        """``"continuous"`` or ``"processed"``."""
        continuous = self.measurement.recipe.layout.startswith("continuous")
        return "continuous" if continuous else "processed"

    @property
    def mode(self) -> Mode:
        """``"profile"`` or ``"centroid"``."""
        return "centroid" if self.measurement.recipe.layout.endswith("centroid") else "profile"

    def blocks(self) -> Iterator[SpectrumBlock]:
        """Count ions, in the order of the pixels."""
        slide = self.measurement
        counter = CentroidCounter(slide) if self.mode == "centroid" else ProfileCounter(slide)
        for number, start in enumerate(range(0, self.n_spectra, SPECTRA_AT_ONCE)):
            spectra = np.arange(start, min(start + SPECTRA_AT_ONCE, self.n_spectra))
            yield counter.block(
                spectra, np.random.default_rng([slide.recipe.seed, 3, slide.number, number])
            )


def held_in_memory(source: SpectrumSource) -> InMemoryDataset:
    """Count all spectra and keep them."""
    if source.layout == "continuous":
        return _one_matrix(source)
    blocks = [block for block in source.blocks() if isinstance(block, RaggedBlock)]
    lengths = np.concatenate([np.diff(block.bounds) for block in blocks])
    mz = np.concatenate([block.mz for block in blocks])
    intensity = np.concatenate([block.intensity for block in blocks])
    mz.flags.writeable = intensity.flags.writeable = False
    bounds = np.append(0, np.cumsum(lengths))
    whole = RaggedBlock(np.arange(source.n_spectra), mz, intensity, bounds)
    return InMemoryDataset.from_ragged(whole, source.pixels, source.name, source.mode)


def _one_matrix(source: SpectrumSource) -> InMemoryDataset:
    axis = source.measurement.axis
    matrix = np.empty((source.n_spectra, len(axis)), np.float32)
    for block in source.blocks():
        if isinstance(block, SharedAxisBlock):
            matrix[block.indices] = block.intensity
    matrix.flags.writeable = False
    return InMemoryDataset.from_matrix(axis, matrix, source.pixels, source.name, source.mode)
