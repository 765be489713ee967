"""Answers judged twice: of each pixel alone, and together with the judged pixels around it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from napari_ims_tumor.cohort.report import NetworkResult
from napari_ims_tumor.model.alike_neighbors import neighborhood_of_values
from napari_ims_tumor.model.calibration import softmax
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.samples import LabelledSpectra
from napari_ims_tumor.msi.arrays import Float32Array

WITH_NEIGHBORS: Final = "{network} + neighbors"


def answers_with_neighbors(
    model: FittedModel, spectra: LabelledSpectra, alone: Float32Array
) -> Float32Array:
    """What a model says of held-out spectra together with their held-out neighbors.

    Pixels that the model was fitted to, and those that nobody labelled, do not speak: the first
    would give away their labels, the others are not at hand. On a whole slide more neighbors do.

    Parameters
    ----------
    spectra
        The held-out ones.
    alone
        Shape (n, K): the model's answer to each.

    Returns
    -------
    ndarray
        Shape (n, K), float32; ``alone`` where the model does not ask neighbors.
    """
    pairs = spectra.neighbors
    if model.neighbor_temperature is None or not pairs.pixel.size:
        return alone
    near = neighborhood_of_values(model, spectra.values, pairs)
    return softmax(near.answer(alone, model.neighbor_strength) / model.neighbor_temperature)


def with_and_without(
    network: str, alone: NetworkResult, together: Float32Array
) -> dict[str, NetworkResult]:
    """One result, or two where neighbors changed an answer."""
    found = {network: alone}
    if not np.array_equal(alone.probabilities, together, equal_nan=True):
        name = WITH_NEIGHBORS.format(network=network)
        found[name] = replace(alone, probabilities=together, looked_at=None)
    return found
