"""What is shown of a slide the moment it opens: its TIC, its spectra, its strongest peaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from napari_ims_tumor.job import Job, Progress
from napari_ims_tumor.msi.arrays import FloatArray, frozen
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow
from napari_ims_tumor.msi.mean_spectrum import MeanAndMax
from napari_ims_tumor.msi.peak_table import PeakTable, pick_table
from napari_ims_tumor.msi.peaks import Peak
from napari_ims_tumor.msi.spectrum import Spectrum
from napari_ims_tumor.msi.tissue_ions import strongest_tissue_peaks

N_COLORED_PEAKS: Final = 3
N_WINDOWS: Final = 500
"""Windows of a processed slide without peaks."""
FLAT: Final = 0.01
"""Share of the total ion current by which it must differ at the least to show something."""


@dataclass(frozen=True, eq=False)
class SlideOverview:
    """The first picture of a slide.

    Attributes
    ----------
    tic
        Total ion current, shape of the slide's images, NaN where nothing was measured.
    mean, max
        Mean and maximum spectrum over all pixels.
    peaks
        The peaks picked of the mean.
    channels
        The m/z windows of the lazy stack: every bin of a continuous slide, the picked peaks of a
        processed one.
    strongest
        The three strongest tissue peaks.
    strongest_images
        Their ion images, shape (len(strongest), *image_shape).
    """

    tic: FloatArray
    mean: Spectrum
    max: Spectrum
    peaks: PeakTable
    channels: tuple[MassWindow, ...]
    strongest: tuple[Peak, ...]
    strongest_images: FloatArray

    @property
    def tic_is_flat(self) -> bool:
        """Whether the total ion current is the same everywhere: a slide normalized to it."""
        known = self.tic[np.isfinite(self.tic)]
        if not known.size:
            return False
        low, middle, high = np.percentile(known, (1, 50, 99))
        return bool(high - low <= FLAT * abs(middle))

    def __post_init__(self) -> None:
        object.__setattr__(self, "tic", frozen(self.tic, np.float64))
        object.__setattr__(self, "strongest_images", frozen(self.strongest_images, np.float64))


def survey(dataset: MsiDataset) -> Job[Progress, SlideOverview]:
    """Make the overview of a slide, as a job: one pass for each thing shown.

    Parameters
    ----------
    dataset
        The slide.

    Returns
    -------
    SlideOverview
        Returned by the generator; it yields a report before each step.
    """
    steps = 3
    yield Progress("Summing intensities", 0, steps)
    tic = dataset.pixels.as_image(dataset.total_ion_current())
    yield Progress("Averaging spectra", 1, steps)
    mean, highest = dataset.mean_spectrum(), dataset.max_spectrum()
    yield Progress("Finding the strongest peaks", 2, steps)
    peaks = pick_table(MeanAndMax(mean, highest), "mean")
    strongest = strongest_tissue_peaks(dataset, N_COLORED_PEAKS, mean)
    images = dataset.ion_images([peak.window for peak in strongest])
    channels = channel_windows(dataset, peaks)
    return SlideOverview(tic, mean, highest, peaks, channels, strongest, images)


def channel_windows(dataset: MsiDataset, peaks: PeakTable) -> tuple[MassWindow, ...]:
    """List the m/z windows that a slider steps through.

    A continuous slide steps through its own bins, so that no number is rounded; a processed one has
    no bins, so it steps through the picked peaks of its mean spectrum, or, where none stands out,
    through windows side by side over its whole range.
    """
    axis = dataset.mass_axis
    if axis is not None:
        exact = MassTolerance(0.0)
        return tuple(MassWindow(float(mz), exact) for mz in axis.mz)
    if len(peaks):
        return tuple(peaks.window(i) for i in range(len(peaks)))
    return _side_by_side(*dataset.mass_range)


def _side_by_side(low: float, high: float) -> tuple[MassWindow, ...]:
    if not 0 < low < high:
        return ()
    edges = np.geomspace(low, high, N_WINDOWS + 1)
    centers, halves = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
    pairs = zip(centers.tolist(), halves.tolist(), strict=True)
    return tuple(MassWindow(center, MassTolerance(half)) for center, half in pairs)
