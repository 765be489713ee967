"""The distant gate: a middle group of molecules decides which far one tells tumor.

Every pixel has three states, each negative or positive. Where C is positive, A tells tumor and D
means nothing; where C is negative, D tells it and A means nothing. The states that mean nothing,
and C itself, are smooth fields, cut so that in every patient and class exactly half of the pixels
are on each side. How strong a state is varies from pixel to pixel and says nothing.

A or D alone is right three times in four, C is right every second time. A model that adds what
they say, fitted to likelihood, is right three times in four, too: exchanging A with D and turning
C around changes no label, so its loss, which is convex, is least where A and D weigh the same and
C weighs nothing; it then guesses where A and D disagree. (Counting errors, a sum chosen for that
alone could reach seven in eight.) A model that knows which of both to ask is right everywhere.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator

from napari_ims_tumor.msi.arrays import BoolArray, Float64Array, IntArray
from napari_ims_tumor.msi.synthetic.chemistry import Chemistry
from napari_ims_tumor.msi.synthetic.outline import smooth_noise
from napari_ims_tumor.msi.synthetic.tissue import Tissue

GATE_GROUPS: Final = ("gate A", "gate C", "gate D")
GATE_FOLD: Final = 1.3
PATCH_PIXELS: Final = 1.3


def gate_states(tissue: Tissue, rng: Generator) -> Float64Array:
    """Draw the states of A, C and D at the measured pixels.

    Returns
    -------
    ndarray
        Shape (3, n_spectra), each about −1 or +1.
    """
    at = np.nonzero(tissue.measured)
    shape = (tissue.measured.shape[0], tissue.measured.shape[1])
    is_tumor = tissue.tumor[at] > 0.5
    cell = 2 * tissue.piece[at] + is_tumor
    # Bare glass is no part of the balance.
    cell[~tissue.tissue[at]] = -1
    fields = [smooth_noise(rng, shape, PATCH_PIXELS)[at] for _ in range(2)]
    ask_a = _upper_half(fields[0], cell)
    idle = _signs(_upper_half(fields[1], 2 * cell + ask_a))
    tells = _signs(is_tumor)
    a, d = np.where(ask_a, tells, idle), np.where(ask_a, idle, tells)
    return np.stack([a, _signs(ask_a), d]) * rng.uniform(0.7, 1.3, (3, a.size))


def gate_weights(chemistry: Chemistry, strength: float) -> Float64Array:
    """Return what each state does to each molecule's log abundance, shape (3, molecules)."""
    of_group = np.stack([chemistry.role == group for group in GATE_GROUPS])
    weights: Float64Array = GATE_FOLD * strength * of_group * chemistry.gate_sign
    return weights


def _upper_half(values: Float64Array, cell: IntArray) -> BoolArray:
    """Mark the upper half of the values of every cell; of an odd number, the middle one too."""
    order = np.lexsort((values, cell))
    _, start, count = np.unique(cell[order], return_index=True, return_counts=True)
    rank = np.arange(cell.size) - np.repeat(start, count)
    upper = np.zeros(cell.size, np.bool_)
    upper[order] = rank >= np.repeat(count // 2, count)
    return upper


def _signs(yes: BoolArray) -> Float64Array:
    return np.where(yes, 1.0, -1.0)
