"""Which molecules of a simulated slide tell the tumor, and how many of them a ranking finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from napari_ims_tumor.msi.arrays import Float64Array, IntArray

PLANTED: Final = ("additive", "local", "pair", "gate A", "gate C", "gate D")
"""Roles of molecules that the simulator lets know about the tumor."""
MOST: Final = 20
LEAST_HEIGHT: Final = 0.2
"""Isotopes this high, beside the highest of their envelope, count as the molecule."""
DRAWS: Final = 200


@dataclass(frozen=True, slots=True)
class Recovery:
    """How a ranking of peaks does against the truth.

    Attributes
    ----------
    found
        Of the first ``wanted`` peaks, how many are planted molecules. An isotope of a molecule
        that was found already is that peak again: it neither counts nor takes a place.
    wanted
        As many as are planted, at most 20.
    by_chance
        How many a ranking at random finds on average.
    """

    found: int
    wanted: int
    by_chance: float

    @property
    def share(self) -> float:
        """Found of wanted, 0 to 1."""
        return self.found / self.wanted if self.wanted else float("nan")


def recovery(truth: Mapping[str, Any], ranked_mz: Float64Array, tolerance: float) -> Recovery:
    """Count the planted molecules among the highest ranked peaks.

    Parameters
    ----------
    truth
        Of a simulated slide.
    ranked_mz
        M/z of every peak, the most relevant first; isotopes folded into one.
    tolerance
        How far, in Da, a peak may lie from an isotope of a molecule: half a peak's width.
    """
    planted = [m for m in truth["molecules"] if m["role"] in PLANTED]
    wanted = min(len(planted), MOST)
    owner = np.array([_owner(float(mz), planted, tolerance) for mz in ranked_mz], np.int64)
    rng = np.random.default_rng(0)
    draws = [_found(rng.permutation(owner), wanted) for _ in range(DRAWS)]
    return Recovery(_found(owner, wanted), wanted, float(np.mean(draws)))


def _owner(mz: float, planted: list[Any], tolerance: float) -> int:
    """Number of the planted molecule that a peak belongs to; −1 for none."""
    best, nearest = -1, tolerance
    for number, molecule in enumerate(planted):
        heights = np.array(molecule["isotope_heights"])
        high = np.array(molecule["isotopes"])[heights >= LEAST_HEIGHT * heights.max()]
        away = float(abs(high - mz).min())
        if away <= nearest:
            best, nearest = number, away
    return best


def _found(owner: IntArray, wanted: int) -> int:
    found: set[int] = set()
    places = 0
    for number in owner.tolist():
        if number in found:
            continue
        if places == wanted:
            break
        places += 1
        if number >= 0:
            found.add(number)
    return len(found)
