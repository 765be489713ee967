"""One m/z axis for the slides of a cohort."""

from __future__ import annotations

from napari_ims_tumor.errors import CohortError
from napari_ims_tumor.msi.binning import bin_axis
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.mass_axis import MassAxis


def common_axis(datasets: list[MsiDataset]) -> MassAxis:
    """One axis for all: their own if shared, else the largest slide's, where all were measured."""
    shared = datasets[0].mass_axis
    if shared is not None and all(d.mass_axis == shared for d in datasets):
        return shared
    largest = max(datasets, key=lambda d: d.n_spectra)
    axis = bin_axis(largest)
    low = max(d.mass_range[0] for d in datasets)
    high = min(d.mass_range[1] for d in datasets)
    inside = axis.mz[(axis.mz >= low) & (axis.mz <= high)]
    if not inside.size:
        raise CohortError(
            f"the slides have no m/z range in common (the highest begins at {low:.2f}, the lowest "
            f"ends at {high:.2f}): fit them separately"
        )
    return MassAxis(inside)
