"""What goes wrong: crystals that shine, pixels that fail, borders drawn at the wrong place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator
from scipy.ndimage import distance_transform_edt

from napari_ims_tumor.msi.arrays import BoolArray, Float64Array, IntArray, LabelArray
from napari_ims_tumor.msi.synthetic.outline import smooth_noise

MOST_IN_CLUSTER: Final = 3
PEAKS_OF_A_CRYSTAL: Final = 5


@dataclass(frozen=True, slots=True, eq=False)
class HotSpots:
    """Pixels on a crystal.

    Attributes
    ----------
    factor
        Shape (n_spectra,): how many times the intensity; 1 elsewhere.
    molecules
        Shape (n_spectra, 5): which molecules shine; −1 in the first place: all of them.
    """

    factor: Float64Array
    molecules: IntArray

    def applied(self, amounts: Float64Array, spectra: IntArray) -> Float64Array:
        """Multiply the amounts of molecules in some spectra, shape (spectra, molecules)."""
        factor, few = self.factor[spectra], self.molecules[spectra]
        for row in np.flatnonzero(factor != 1):
            if few[row, 0] < 0:
                amounts[row] *= factor[row]
            else:
                amounts[row, few[row]] *= factor[row]
        return amounts


def make_hot_spots(measured: BoolArray, n_molecules: int, share: float, rng: Generator) -> HotSpots:
    """Scatter crystals of one to three pixels over the measured pixels."""
    rows, columns = np.nonzero(measured)
    number = np.full(measured.shape, -1)
    number[rows, columns] = np.arange(rows.size)
    factor = np.ones(rows.size)
    molecules = np.full((rows.size, PEAKS_OF_A_CRYSTAL), -1)
    left = round(share * rows.size)
    centers = iter(rng.permutation(rows.size).tolist())
    while left > 0:
        center = next(centers)
        row, column = int(rows[center]), int(columns[center])
        cluster = number[max(0, row - 1) : row + 1, max(0, column - 1) : column + 1].ravel()
        cluster = cluster[(cluster >= 0) & (factor[cluster] == 1)]
        cluster = cluster[: min(left, int(rng.integers(1, MOST_IN_CLUSTER + 1)))]
        factor[cluster] = np.exp(rng.uniform(np.log(10), np.log(100)))
        if rng.random() < 0.5:
            molecules[cluster] = rng.choice(n_molecules, PEAKS_OF_A_CRYSTAL, replace=False)
        left -= cluster.size
    return HotSpots(factor, molecules)


def alive_pixels(n: int, share_dead: float, rng: Generator) -> BoolArray:
    """Choose the pixels that give ions at all."""
    alive = np.ones(n, np.bool_)
    alive[rng.permutation(n)[: round(share_dead * n)]] = False
    return alive


def noisy_labels(labels: LabelArray, share: float, rng: Generator) -> LabelArray:
    """Flip a share of the labelled pixels, in patches along the borders between classes.

    An expert is wrong where it is hard to be right: whole stretches of a border lie too far in or
    out, while the middle of a nest is seldom taken for something else.
    """
    labelled = labels > 0
    wrong = labels.copy()
    n = round(share * int(labelled.sum()))
    if n == 0:
        return wrong
    shape = (labels.shape[0], labels.shape[1])
    far = np.where(labels == 1, _distance_to(labels == 2), _distance_to(labels == 1))
    doubt = 2.0 * smooth_noise(rng, shape, 2.0) - np.minimum(far, 30.0)
    places = np.flatnonzero(labelled)
    chosen = places[np.argsort(-doubt.ravel()[places], kind="stable")[:n]]
    wrong.ravel()[chosen] = 3 - labels.ravel()[chosen]
    return wrong


def _distance_to(mask: BoolArray) -> Float64Array:
    if not mask.any():
        return np.full(mask.shape, 30.0)
    distance: Float64Array = distance_transform_edt(~mask)
    return distance
