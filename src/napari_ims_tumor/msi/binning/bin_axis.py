"""Choose the m/z axis on which a model shall see a slide, without asking the user."""

from __future__ import annotations

from typing import Any, Final
from weakref import WeakKeyDictionary

import numpy as np
from scipy.ndimage import gaussian_filter1d

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.msi.arrays import Float64Array, IntArray
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.mass_axis import MassAxis
from napari_ims_tumor.msi.spectrum import RaggedBlock, SharedAxisBlock

MAX_PEAKS: Final = 4000
MAX_BINS: Final = 20_000
LOOKED_AT: Final = 200
SEGMENTS: Final = 64
CELLS_PER_STEP: Final = 16
HALF_ISOTOPE_STEP_DA: Final = 0.5
MAX_CELLS: Final = 4_000_000

_known: WeakKeyDictionary[Any, MassAxis] = WeakKeyDictionary()


def bin_axis(dataset: MsiDataset) -> MassAxis:
    """Return the axis that fits a slide.

    A continuous slide has its own. Centroids of a processed slide are gathered into at most
    :data:`MAX_PEAKS` peaks of the whole slide. A processed profile gets an axis with its own
    sampling, of at most :data:`MAX_BINS` bins.

    Raises
    ------
    SlideError
        The slide holds no peak at all.
    """
    if dataset.mass_axis is not None:
        return dataset.mass_axis
    # Nothing of a slide ever changes: found once, for every fit.
    known = _known.get(dataset)
    if known is None:
        known = _known[dataset] = _axis_of_processed(dataset)
    return known


def _axis_of_processed(dataset: MsiDataset) -> MassAxis:
    mz, step = _sampled_steps(dataset)
    if mz.size == 0:
        return _axis_without_steps(dataset)
    if dataset.mode == "profile":
        return _profile_axis(dataset.mass_range, mz, step)
    above = mz > 0
    resolved = float(np.quantile(step[above] / mz[above], 0.05)) if above.any() else 0.0
    # In sparse spectra no two peaks lie close: the grain then stays below the step of isotopes.
    return _peak_axis(dataset, min(resolved, HALF_ISOTOPE_STEP_DA / dataset.mass_range[1]))


def _sampled_steps(dataset: MsiDataset) -> tuple[Float64Array, Float64Array]:
    """Return m/z and distance to the next value, in spectra spread over the slide."""
    n = dataset.n_spectra
    looked_at: IntArray = np.unique(np.linspace(0, max(n - 1, 0), min(n, LOOKED_AT)).astype(int))
    found_mz, found_step = [np.zeros(0)], [np.zeros(0)]
    for block in dataset.blocks(looked_at):
        step = np.diff(block.mz)
        keep = step > 0
        if isinstance(block, RaggedBlock):
            inner = block.bounds[1:-1]
            keep[inner[(inner > 0) & (inner < block.mz.size)] - 1] = False
        found_mz.append(block.mz[:-1][keep])
        found_step.append(step[keep])
    return np.concatenate(found_mz), np.concatenate(found_step)


def _axis_without_steps(dataset: MsiDataset) -> MassAxis:
    """Handle slides whose spectra hold one peak each, or none."""
    peaks = [np.unique(block.mz) for block in dataset.blocks()]
    every = np.unique(np.concatenate(peaks)) if peaks else np.zeros(0)
    if every.size == 0:
        raise SlideError(f"{dataset.name} holds no peak: every spectrum is empty")
    return MassAxis(every[:: -(-every.size // MAX_PEAKS)])


def _profile_axis(
    mass_range: tuple[float, float], mz: Float64Array, step: Float64Array
) -> MassAxis:
    """Lay bins as densely as the samples lie, however that changes along the axis."""
    low, high = mass_range
    edges = np.linspace(low, high, SEGMENTS + 1)
    segment = np.clip(np.searchsorted(edges, mz, side="right") - 1, 0, SEGMENTS - 1)
    # The lower quartile is the sampling even where most zeros were left out of the file.
    usual = [np.quantile(step[segment == s], 0.25) for s in np.unique(segment)]
    centers = (edges[:-1] + edges[1:])[np.unique(segment)] / 2
    fine = np.linspace(low, high, 4096)
    density = 1.0 / np.interp(fine, centers, usual)
    steps_so_far = np.append(0, np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(fine)))
    n_bins = int(np.clip(round(steps_so_far[-1]) + 1, 2, MAX_BINS))
    wanted = np.linspace(0, steps_so_far[-1], n_bins)
    return MassAxis(np.interp(wanted, steps_so_far, fine))


def _peak_axis(dataset: MsiDataset, spacing: float) -> MassAxis:
    """Pick the slide's peaks from the sum of all its centroids.

    Parameters
    ----------
    dataset
        A processed centroid slide.
    spacing
        The closest that two peaks of one spectrum usually lie, as a share of their m/z: what the
        instrument resolved, and so the grain at which peaks of different pixels are one.
    """
    if dataset.mass_range[0] <= 0:
        raise SlideError(
            f"{dataset.name} holds m/z values of 0 or below, which no ion has: export it again"
        )
    low, high = (float(np.log(m)) for m in dataset.mass_range)
    cell = max(spacing / CELLS_PER_STEP, (high - low) / MAX_CELLS)
    heights, places = _summed_on_log_grid(dataset, low, cell, int((high - low) / cell) + 2)
    # Loads for a second: not with the module, which every start of the program imports.
    from scipy.signal import find_peaks

    smooth = np.pad(gaussian_filter1d(heights, max(spacing / cell / 4, 0.5), mode="constant"), 1)
    tops, _ = find_peaks(smooth, distance=max(1, round(0.7 * spacing / cell)))
    if tops.size == 0:
        raise SlideError(f"{dataset.name} holds no signal: no intensity is a number above 0")
    strongest = tops[np.argsort(-smooth[tops], kind="stable")[:MAX_PEAKS]] - 1
    half = max(1, round(spacing / cell / 2))
    window = np.clip(strongest[:, None] + np.arange(-half, half + 1), 0, heights.size - 1)
    return MassAxis(np.unique(np.exp(low + places[window].sum(1) / heights[window].sum(1))))


def _summed_on_log_grid(
    dataset: MsiDataset, low: float, cell: float, n: int
) -> tuple[Float64Array, Float64Array]:
    """Add all spectra, each with the same total, on a grid of equal relative steps.

    Returns
    -------
    heights, places
        Shape (n,): summed intensity, and summed intensity times log m/z (above ``low``), so that
        the middle of a peak is known more finely than the grid.
    """
    heights, places = np.zeros(n, np.float64), np.zeros(n, np.float64)
    for block in dataset.blocks():
        if isinstance(block, SharedAxisBlock):
            continue
        values = np.where(np.isfinite(block.intensity), np.maximum(block.intensity, 0), 0.0)
        owner = np.repeat(np.arange(block.indices.size), np.diff(block.bounds))
        totals = np.bincount(owner, values, block.indices.size)
        share = values / np.where(totals > 0, totals, 1.0)[owner]
        above = np.log(block.mz) - low
        place = np.clip(np.rint(above / cell).astype(np.int64), 0, n - 1)
        heights += np.bincount(place, share, n)
        places += np.bincount(place, share * above, n)
    return heights, places
