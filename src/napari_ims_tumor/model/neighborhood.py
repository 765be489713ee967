"""What the pixels around a pixel add to its answer: little where they are unlike it.

Every pixel first has an answer of its own. Tissue is coherent, so the answers of its measured
neighbors are evidence too. They count by how alike the spectra are, whatever their classes, so that
one tissue is not drawn over the border to the next; and all of them together can shift the
log-odds by no more than twice the strength that held-out groups chose, so that a single nest of
cells with a clear spectrum stays. In the words of statistics: two mean-field steps of a conditional
random field with contrast-sensitive couplings (Boykov & Jolly, ICCV 2001; Krähenbühl & Koltun,
NeurIPS 2011).

Where pixels lie, how many neighbors they have, and which of them are labelled, is not used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.sparse import csr_array

from napari_ims_tumor.model.calibration import softmax
from napari_ims_tumor.msi.arrays import (
    BoolArray,
    Float32Array,
    Float64Array,
    FloatArray,
    IntArray,
    frozen,
)
from napari_ims_tumor.msi.neighbors import NeighborPairs

STRENGTHS: Final = (0.25, 0.5, 1.0)
"""What held-out groups choose from."""
USUAL_STRENGTH: Final = 0.5
"""Where no held-out group can choose."""
ROUNDS: Final = 2
LIKENESS: Final = 0.5
"""How fast weights fall: to 1/√e at this share of the slide's usual squared distance of neighbors.
Chosen, like the strengths, on simulated slides with ragged borders and infiltration (seeds 0 to 7)
and the bladder array of docs/accuracy.md: judge them on others."""


LEAST: Final = 1e-30
"""Probabilities are read as at least this, so that each has a logarithm."""


@dataclass(frozen=True, eq=False)
class Neighborhood:
    """Who speaks for whom among n spectra, and how loud.

    Attributes
    ----------
    pixel, neighbor
        Shape (p,): pairs of spectra.
    weight
        Shape (p,), float64: those of one pixel add up to 1.
    n
        How many spectra there are.
    """

    pixel: IntArray
    neighbor: IntArray
    weight: Float64Array
    n: int

    def __post_init__(self) -> None:
        for name in ("pixel", "neighbor", "weight"):
            values = getattr(self, name)
            object.__setattr__(self, name, frozen(values, values.dtype))

    @classmethod
    def of(
        cls,
        pairs: NeighborPairs,
        scores: FloatArray,
        speaks: BoolArray,
        likeness: float = LIKENESS,
    ) -> Neighborhood:
        """Weigh neighbors by how alike they are.

        Parameters
        ----------
        pairs
            The neighbors among n spectra.
        scores
            Shape (n, k): where each spectrum lies along the directions that spectra differ in.
        speaks
            Shape (n,): whether a spectrum says anything; an empty one does not.
        likeness
            How fast weights fall, see :data:`LIKENESS`.
        """
        both = speaks[pairs.pixel] & speaks[pairs.neighbor]
        pixel, neighbor = pairs.pixel[both], pairs.neighbor[both]
        weight = _likeness(scores[pixel], scores[neighbor], likeness)
        total = np.bincount(pixel, weight, pairs.n)
        return cls(pixel, neighbor, weight / total[pixel], pairs.n)

    def within(self, part: IntArray) -> Neighborhood:
        """The same without those who lie in another part: nobody speaks across such a border.

        Parameters
        ----------
        part
            Shape (n,): a number per spectrum; those below 0 lie in none.
        """
        same = (part[self.pixel] == part[self.neighbor]) & (part[self.pixel] >= 0)
        pixel, weight = self.pixel[same], self.weight[same]
        total = np.bincount(pixel, weight, self.n)
        return Neighborhood(pixel, self.neighbor[same], weight / total[pixel], self.n)

    def among(self, rows: IntArray) -> Neighborhood:
        """The neighborhood of some spectra alone, in the order of ``rows``."""
        place = np.full(self.n, -1, np.int64)
        place[rows] = np.arange(rows.size)
        pixel, neighbor = place[self.pixel], place[self.neighbor]
        both = (pixel >= 0) & (neighbor >= 0)
        pixel, weight = pixel[both], self.weight[both]
        total = np.bincount(pixel, weight, rows.size)
        return Neighborhood(pixel, neighbor[both], weight / total[pixel], rows.size)

    def near_border(self, classes: IntArray) -> BoolArray:
        """Which spectra, shape (n,), lie within two pixels of one of another class."""
        touching = np.zeros(self.n, np.bool_)
        touching[self.pixel[classes[self.pixel] != classes[self.neighbor]]] = True
        near = touching.copy()
        near[self.pixel[touching[self.neighbor]]] = True
        return near

    def answer(self, probabilities: FloatArray, strength: float) -> Float32Array:
        """Logits of each spectrum together with its neighbors.

        Parameters
        ----------
        probabilities
            Shape (n, K), calibrated: what each spectrum says alone.
        strength
            All neighbors together shift the log-odds by at most twice this.

        Returns
        -------
        ndarray
            Shape (n, K), float32: log probabilities where nobody else speaks, and what the
            neighbors add to them elsewhere.
        """
        said = csr_array((self.weight, (self.pixel, self.neighbor)), (self.n, self.n))
        alone = np.log(np.maximum(np.asarray(probabilities, np.float64), LEAST))
        found = alone
        for _ in range(ROUNDS):
            found = alone + 2 * strength * (said @ softmax(found).astype(np.float64))
        return found.astype(np.float32)


def _likeness(scores: FloatArray, others: FloatArray, share: float) -> Float64Array:
    """How alike pairs of spectra are, (p, k) each: 1 for equal ones, and never quite 0."""
    if not scores.shape[1]:
        # Spectra too few, or too alike, to find a direction that they differ in.
        return np.ones(len(scores))
    apart = np.square(np.subtract(scores, others, dtype=np.float64)).mean(axis=1)
    usual = float(np.median(apart)) if apart.size else 0.0
    if not usual > 0:
        return np.ones(apart.size)
    # The least alike of one's neighbors is still a neighbor, if it is the only one.
    likeness: Float64Array = np.exp(-np.minimum(apart / (2 * share * usual), 600.0))
    return likeness
