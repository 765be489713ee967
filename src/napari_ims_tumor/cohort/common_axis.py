"""One m/z axis for the slides of a cohort."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

from napari_ims_tumor.errors import CohortError, SlideError
from napari_ims_tumor.msi.binning import bin_axis
from napari_ims_tumor.msi.binning.coverage import (
    LEAST_SHARE_OF_BINS,
    SLACK,
    share_of_bins_reached,
)
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.mass_axis import MassAxis

NamedSlides: TypeAlias = Sequence[tuple[str, MsiDataset]]
"""Slides, each with the name that reports use."""


def common_axis(datasets: list[MsiDataset]) -> MassAxis:
    """One axis for all: their own if shared, else the largest slide's, where all were measured.

    The order of the slides does not matter.
    """
    shared = datasets[0].mass_axis
    if shared is not None and all(d.mass_axis == shared for d in datasets):
        return shared
    for dataset in datasets:
        if not math.isfinite(dataset.mass_range[0]):
            raise SlideError(f"{dataset.name} holds no peak: every spectrum is empty")
    axis = bin_axis(_largest(datasets))
    low = max(d.mass_range[0] for d in datasets)
    high = min(d.mass_range[1] for d in datasets)
    inside = axis.mz[(axis.mz >= low) & (axis.mz <= high)]
    if not inside.size:
        raise CohortError(
            f"the slides have no m/z range in common (the highest begins at {low:.2f}, the lowest "
            f"ends at {high:.2f}): fit them separately"
        )
    return MassAxis(inside)


def refuse_other_channels(slides: NamedSlides, axis: MassAxis) -> None:
    """Stop where a slide of a cohort fills few bins of the axis that was found for all."""
    for name, dataset in slides:
        share = share_of_bins_reached(dataset, axis)
        if share < LEAST_SHARE_OF_BINS:
            raise CohortError(
                f"{name} has m/z values for only {share:.0%} of the {len(axis)} channels of the "
                f"largest slide, between m/z {axis.low:.2f} and {axis.high:.2f}: export the slides "
                "with the same channels, or fit them separately"
            )


def left_out(slides: NamedSlides) -> tuple[str, ...]:
    """Say which m/z values the common axis leaves out, and which slide has none there.

    Lists of peaks end at their outermost peak: a little is nothing to tell.
    """
    low, high = _range_of(slides)
    begins = max(slides, key=lambda slide: slide[1].mass_range[0])
    ends = min(slides, key=lambda slide: slide[1].mass_range[1])
    first, last = begins[1].mass_range[0], ends[1].mass_range[1]
    lost = []
    if first - low > SLACK[begins[1].mode] * (high - low):
        lost.append(f"{low:.2f} to {first:.2f}, where {begins[0]} begins")
    if high - last > SLACK[ends[1].mode] * (high - low):
        lost.append(f"{last:.2f} to {high:.2f}, as {ends[0]} ends there")
    if not lost:
        return ()
    return (
        f"Only m/z {first:.2f} to {last:.2f} is used, which all slides share. Left out: m/z "
        f"{' and '.join(lost)}. To keep more, leave out such slides",
    )


def _range_of(slides: NamedSlides) -> tuple[float, float]:
    ranges = [dataset.mass_range for _, dataset in slides]
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def _largest(datasets: list[MsiDataset]) -> MsiDataset:
    """The slide of most spectra; of several that of the widest range, then of most channels."""
    most = max(d.n_spectra for d in datasets)
    found = [d for d in datasets if d.n_spectra == most]
    widest = max(_width(d) for d in found)
    found = [d for d in found if _width(d) == widest]
    if len(found) == 1:
        return found[0]
    return max(found, key=lambda d: (len(bin_axis(d)), bin_axis(d).mz.tobytes()))


def _width(dataset: MsiDataset) -> tuple[float, float]:
    low, high = dataset.mass_range
    return high - low, low
