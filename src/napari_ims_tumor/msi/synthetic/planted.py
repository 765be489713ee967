"""Which molecules of a simulated slide tell the tumor, and how many of them a ranking finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.random import Generator

from napari_ims_tumor.msi.arrays import Float64Array

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
        that was found already is that peak again: it neither counts nor takes a place. A peak in
        which isotopes of two planted molecules lie stands for one of them.
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
    owners = [_owners(float(mz), planted, tolerance) for mz in ranked_mz]
    rng = np.random.default_rng(0)
    draws = [_found(_shuffled(owners, rng), wanted) for _ in range(DRAWS)]
    return Recovery(_found(owners, wanted), wanted, float(np.mean(draws)))


def _owners(mz: float, planted: list[Any], tolerance: float) -> tuple[int, ...]:
    """Numbers of the planted molecules with an isotope at a peak, the highest isotope first."""
    height: dict[int, float] = {}
    for number, molecule in enumerate(planted):
        heights = np.array(molecule["isotope_heights"])
        near = abs(np.array(molecule["isotopes"]) - mz) <= tolerance
        here = near & (heights >= LEAST_HEIGHT * heights.max())
        if here.any():
            height[number] = float(np.exp(molecule["log_level"]) * heights[here].max())
    return tuple(sorted(height, key=lambda number: -height[number]))


def _shuffled(owners: list[tuple[int, ...]], rng: Generator) -> list[tuple[int, ...]]:
    return [owners[i] for i in rng.permutation(len(owners))]


def _found(owners: list[tuple[int, ...]], wanted: int) -> int:
    found: set[int] = set()
    places = 0
    for numbers in owners:
        new = [number for number in numbers if number not in found]
        if numbers and not new:
            continue
        if places == wanted:
            break
        places += 1
        found.update(new[:1])
    return len(found)
