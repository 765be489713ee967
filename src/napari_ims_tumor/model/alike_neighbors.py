"""Neighborhoods of spectra that lie in memory: the directions they differ in, then who is alike."""

from __future__ import annotations

from collections.abc import Callable, Generator

import numpy as np

from napari_ims_tumor.job import outcome_of
from napari_ims_tumor.model.familiarity import chosen_rows, directions
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.neighborhood import LIKENESS, Neighborhood
from napari_ims_tumor.msi.arrays import Float32Array, FloatArray, IntArray
from napari_ims_tumor.msi.matrix_room import pieces
from napari_ims_tumor.msi.neighbors import NeighborPairs

InputsOf = Callable[[IntArray], Float32Array]
"""Rows → what a classifier is shown of them, (n, bins)."""


def find_neighborhood(
    inputs_of: InputsOf, bins: int, pairs: NeighborPairs, likeness: float = LIKENESS
) -> Generator[None, None, Neighborhood]:
    """Weigh neighbors among spectra by the directions in which these very spectra differ most."""
    rows = np.arange(pairs.n)
    along = directions(inputs_of(chosen_rows(rows)))
    scores = np.zeros((pairs.n, len(along)), np.float32)
    speaks = np.zeros(pairs.n, np.bool_)
    for part in pieces(pairs.n, bins):
        yield
        inputs = inputs_of(rows[part])
        scores[part], speaks[part] = inputs @ along.T, inputs.any(axis=1)
    return Neighborhood.of(pairs, scores, speaks, likeness)


def neighborhood_of_values(
    model: FittedModel, values: FloatArray, pairs: NeighborPairs
) -> Neighborhood:
    """The same for raw intensities (n, bins) on a model's axis."""
    normalization = model.normalization

    def inputs_of(rows: IntArray) -> Float32Array:
        return normalization.apply(normalization.roots(values[rows]))

    steps = find_neighborhood(inputs_of, values.shape[1], pairs, model.neighbor_likeness)
    return outcome_of(steps)
