"""PLS-DA: linear discriminants on the few directions that vary most together with the classes.

Directions by SIMPLS (de Jong, *Chemometrics and Intelligent Laboratory Systems* 18:251, 1993),
which never changes the matrix of spectra; linear discriminant analysis of the scores on them
(Barker & Rayens, *Journal of Chemometrics* 17:166, 2003), with every class as likely as the others.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Final

import numpy as np

from napari_ims_tumor.model.linear_path import LinearPath
from napari_ims_tumor.model.thin_products import rows_times, times_columns
from napari_ims_tumor.msi.arrays import Float32Array, Float64Array, IntArray

COMPONENTS: Final = (1, 2, 3, 5, 8)
"""Numbers of directions that are tried."""
_NOTHING: Final = 1e-6
"""Of the first direction's length: what is left below this is rounding."""
_LEAST_SPREAD: Final = 1e-6
"""Of the scores' mean variance: keeps discriminants finite where a class has no spread at all."""


def fit_pls(
    inputs: Float32Array, classes: IntArray, n_classes: int
) -> Generator[None, None, dict[int, LinearPath]]:
    """Fit PLS-DA with each number of components; yields after every product with the spectra.

    Parameters
    ----------
    inputs
        Shape (n, bins), centered and scaled.
    classes
        Shape (n,), every class at least once.
    n_classes
        K.

    Returns
    -------
    dict
        Number of components → the weights on bins that it comes to. Numbers that the spectra have
        no directions for are missing.
    """
    center: Float64Array = inputs.mean(axis=0, dtype=np.float64)
    directions, scores = yield from _directions(inputs, center, np.eye(n_classes)[classes])
    found = {}
    for k in COMPONENTS:
        if k > directions.shape[1]:
            break
        slopes, offsets = _discriminants(scores[:, :k], classes, n_classes)
        weight = slopes @ directions[:, :k].T
        found[k] = LinearPath(
            weight.astype(np.float32), (offsets - weight @ center).astype(np.float32)
        )
    return found


def _directions(
    inputs: Float32Array, center: Float64Array, told: Float64Array
) -> Generator[None, None, tuple[Float64Array, Float64Array]]:
    """Directions (bins, components), and the centered scores (n, components) on them."""
    told = told - told.mean(axis=0)
    together = rows_times(told.T.astype(np.float32), inputs).T.astype(np.float64)
    yield
    whole = np.linalg.norm(together)
    directions: list[Float64Array] = []
    scores: list[Float64Array] = []
    loadings = np.zeros((inputs.shape[1], 0))
    for _ in range(min(max(COMPONENTS), len(inputs) - 1, inputs.shape[1])):
        if np.linalg.norm(together) <= _NOTHING * whole:
            break
        direction = together @ np.linalg.eigh(together.T @ together)[1][:, -1]
        direction /= np.linalg.norm(direction)
        score = times_columns(inputs, direction[:, None].astype(np.float32))[:, 0]
        yield
        score = score.astype(np.float64) - center @ direction
        length = np.linalg.norm(score)
        if length <= _NOTHING:
            break
        loading = rows_times((score / length)[None].astype(np.float32), inputs)[0]
        yield
        new = _apart_from(loadings, loading.astype(np.float64))
        loadings = np.column_stack([loadings, new])
        together = together - np.outer(new, new @ together)
        directions.append(direction)
        scores.append(score)
    if not directions:
        return np.zeros((inputs.shape[1], 0)), np.zeros((len(inputs), 0))
    return np.column_stack(directions), np.column_stack(scores)


def _apart_from(loadings: Float64Array, loading: Float64Array) -> Float64Array:
    """What of a loading is at right angles to the others, of length 1."""
    for _ in range(2):  # Once leaves rounding errors of the size of what was taken away.
        loading = loading - loadings @ (loadings.T @ loading)
    unit: Float64Array = loading / np.linalg.norm(loading)
    return unit


def _discriminants(
    scores: Float64Array, classes: IntArray, n_classes: int
) -> tuple[Float64Array, Float64Array]:
    """Slopes (K, components) and offsets (K,) of linear discriminants, classes equally likely."""
    means = np.stack([scores[classes == c].mean(axis=0) for c in range(n_classes)])
    # Within each class, and of each class as much.
    apart = (scores - means[classes]) / np.sqrt(np.bincount(classes)[classes] * n_classes)[:, None]
    spread = apart.T @ apart
    spread += np.eye(len(spread)) * _LEAST_SPREAD * np.trace(scores.T @ scores) / scores.size
    slopes: Float64Array = np.linalg.solve(spread, means.T).T
    return slopes, -(slopes * means).sum(axis=1) / 2
