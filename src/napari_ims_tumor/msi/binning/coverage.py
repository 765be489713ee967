"""Whether a slide's m/z range holds what a model asks for."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from napari_ims_tumor.errors import ModelFileError, SlideError
from napari_ims_tumor.msi.binning.cells import LONE_REACH_DA, cells_of
from napari_ims_tumor.msi.binning.overlap import shares_of
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.mass_axis import MassAxis

# A list of picked peaks ends at its outermost peak, wherever the scan ended; a profile does not.
SLACK: Final = {"centroid": 0.02, "profile": 0.002}
LEAST_SHARE_OF_BINS: Final = 0.5


def covers(mass_range: tuple[float, float], axis: MassAxis, slack: float = 0.002) -> bool:
    """Whether an m/z range reaches over an axis.

    Parameters
    ----------
    mass_range
        Lowest and highest m/z of a slide.
    axis
        The axis of a model.
    slack
        How much may be missing at either end, as a share of the axis' length.
    """
    allowed = slack * (axis.high - axis.low) + 1e-9 * axis.high
    # NaN, the range of a slide without any peak, covers nothing.
    return mass_range[0] <= axis.low + allowed and mass_range[1] >= axis.high - allowed


def reaches_over(dataset: MsiDataset, axis: MassAxis) -> bool:
    """Whether a slide was measured from end to end of an axis; it may still lack bins of it."""
    is_same = dataset.mass_axis == axis
    return is_same or covers(dataset.mass_range, axis, SLACK[dataset.mode])


def refuse_uncovered(dataset: MsiDataset, axis: MassAxis) -> None:
    """Stop where a slide cannot fill the bins of an axis.

    Raises
    ------
    ModelFileError
        The slide's m/z range is too short, or its channels miss most of the bins.
    SlideError
        The slide holds no peak at all.
    """
    if dataset.mass_axis == axis:
        return
    low, high = dataset.mass_range
    if not math.isfinite(low):
        raise SlideError(f"{dataset.name} holds no peak: every spectrum is empty")
    if not reaches_over(dataset, axis):
        raise ModelFileError(
            f"the model needs m/z {axis.low:.2f} to {axis.high:.2f}, but {dataset.name} was "
            f"measured from m/z {low:.2f} to {high:.2f}: use a model fitted on this m/z range"
        )
    share = share_of_bins_reached(dataset, axis)
    if share < LEAST_SHARE_OF_BINS:
        raise ModelFileError(
            f"{dataset.name} has m/z values for only {share:.0%} of the model's {len(axis)} bins "
            f"(m/z {axis.low:.2f} to {axis.high:.2f}; the slide: {low:.2f} to {high:.2f}): the "
            "model was fitted on other peaks"
        )


def share_of_bins_reached(dataset: MsiDataset, axis: MassAxis) -> float:
    """Share of the bins that receive anything from a continuous slide; 1 for a processed one."""
    if dataset.mass_axis is None:
        return 1.0
    bins = cells_of(axis.mz, lone_reach=LONE_REACH_DA)
    shares = shares_of(dataset.mass_axis.mz, dataset.mode, bins)
    return np.unique(shares.target).size / len(axis)
