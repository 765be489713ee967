"""Numbers of roughly labelled regions over all slides of a cohort, and how much of each is read."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

import numpy as np

from napari_ims_tumor.msi.arrays import IntArray

PIXELS_OF_A_REGION: Final = 1000
"""At most so many pixels of a roughly labelled region are read, evenly spread: more of them would
say the same, and drown the strokes."""


def within_groups(regions: IntArray, groups: tuple[Hashable, ...]) -> IntArray:
    """Number regions anew, each part in another group by itself: groups are held out whole."""
    number_of = {key: number for number, key in enumerate(dict.fromkeys(groups))}
    rough = regions >= 0
    if not rough.any():
        return regions
    numbers = np.array([number_of[key] for key in groups], np.int64)
    parts = np.stack([regions, numbers])[:, rough]
    found = regions.copy()
    found[rough] = np.unique(parts, axis=1, return_inverse=True)[1].reshape(-1)
    return found


def numbered_through(regions: list[IntArray]) -> IntArray:
    """Regions of several slides in one array, no two with the same number."""
    found, count = [], 0
    for own in regions:
        found.append(np.where(own >= 0, own + count, own))
        count += int(own.max(initial=-1)) + 1
    return np.concatenate(found)
