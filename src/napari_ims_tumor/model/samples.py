"""Labelled spectra: what a fit learns from, and whether there is enough of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from napari_ims_tumor.annotation.regions import GroupKind
from napari_ims_tumor.errors import FitRefused
from napari_ims_tumor.msi.arrays import BoolArray, Float32Array, IntArray, frozen
from napari_ims_tumor.msi.mass_axis import MassAxis
from napari_ims_tumor.msi.matrix_room import MatrixRoom
from napari_ims_tumor.msi.neighbors import NeighborPairs, neighbor_pairs

DEFAULT_CLASSES = ("healthy", "tumor")


@dataclass(frozen=True, eq=False)
class LabelledSpectra:
    """Binned raw intensities of labelled pixels.

    Attributes
    ----------
    values
        Shape (n, bins), float32: raw intensities on ``axis``. Not copied: may be large.
    classes
        Shape (n,), 0 … K−1, positions in ``class_names``.
    groups
        Shape (n,): pixels of one group are never divided by a validation.
    axis
        The m/z axis of the columns.
    class_names
        K names in the order of the probability planes.
    group_kind
        What a group is: ``"stroke"``, ``"region"`` or ``"group"`` (core, patient, slide).
    room
        Where a fit puts what it makes of ``values``: several matrices of the same size.
    regions
        Shape (n,): number of the region that ``classes`` says roughly, −1 where a pixel was
        labelled by hand; ``None`` where all were.
    places
        Shape (n, 3): section (of any slide), row and column of each spectrum, to tell neighbors;
        ``None`` where they are not known.
    """

    values: Float32Array
    classes: IntArray
    groups: IntArray
    axis: MassAxis
    class_names: tuple[str, ...] = DEFAULT_CLASSES
    group_kind: GroupKind = "stroke"
    annotation_revision: int = 0
    room: MatrixRoom = field(default_factory=MatrixRoom)
    regions: IntArray | None = None
    places: IntArray | None = None

    def __post_init__(self) -> None:
        values = np.asarray(self.values, np.float32)
        classes, groups = frozen(self.classes, np.int64), frozen(self.groups, np.int64)
        if values.ndim != 2 or values.shape[1] != len(self.axis):
            raise FitRefused(
                f"spectra of shape {values.shape} do not fit an axis of {len(self.axis)}"
            )
        if not classes.shape == groups.shape == (values.shape[0],):
            raise FitRefused("every labelled spectrum needs one class and one group")
        if classes.size and not 0 <= classes.min() <= classes.max() < len(self.class_names):
            raise FitRefused(f"classes must be 0 to {len(self.class_names) - 1}")
        if self.places is not None:
            places = frozen(self.places, np.int64)
            if places.shape != (values.shape[0], 3):
                raise FitRefused("every labelled spectrum needs one place: section, row, column")
            object.__setattr__(self, "places", places)
        for name, value in (("values", values), ("classes", classes), ("groups", groups)):
            object.__setattr__(self, name, value)
        if self.regions is not None:
            regions = frozen(self.regions, np.int64)
            if regions.shape != classes.shape:
                raise FitRefused("every labelled spectrum needs one region, or -1")
            # Where no region is left, all is as without any.
            object.__setattr__(self, "regions", regions if (regions >= 0).any() else None)

    def __len__(self) -> int:
        return int(self.classes.size)

    @property
    def by_hand(self) -> BoolArray:
        """Shape (n,): whether a pixel was labelled by hand."""
        if self.regions is None:
            return np.ones(len(self), np.bool_)
        by_hand: BoolArray = self.regions < 0
        return by_hand

    @property
    def counts(self) -> dict[str, int]:
        """Class name → labelled spectra."""
        found = np.bincount(self.classes, minlength=len(self.class_names))
        return {name: int(n) for name, n in zip(self.class_names, found, strict=True)}

    def take(self, indices: IntArray) -> LabelledSpectra:
        """Only these spectra."""
        return replace(
            self,
            values=self.room.taken(self.values, indices),
            classes=self.classes[indices],
            groups=self.groups[indices],
            regions=None if self.regions is None else self.regions[indices],
            places=None if self.places is None else self.places[indices],
        )

    @property
    def neighbors(self) -> NeighborPairs:
        """Which of these spectra were measured side by side; none where places are not known."""
        if self.places is None:
            nothing = np.zeros(0, np.int64)
            return NeighborPairs(nothing, nothing, len(self))
        return neighbor_pairs(*self.places.T)


def why_not_fit(counts: Mapping[str, int]) -> str | None:
    """Say in one sentence why these labels are not enough for a fit; ``None`` if they are.

    Parameters
    ----------
    counts
        Class name → labelled measured pixels.
    """
    missing = [name for name, n in counts.items() if n == 0]
    if len(missing) == len(counts):
        return "Nothing is labelled yet: paint " + " and ".join(counts) + " pixels."
    if missing:
        return f"No {' or '.join(missing)} pixel is labelled: paint at least one."
    return None
