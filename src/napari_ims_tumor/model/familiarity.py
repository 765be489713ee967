"""Which spectra are like those that were labelled: others get an answer that is no finding.

A classifier has to choose one of its classes, of bare glass and of another organ as well. The
labelled spectra span a few directions; what of a spectrum none of them explains is its distance to
the model (Jackson & Mudholkar, *Technometrics* 21:341, 1979; DModX in chemometrics). The limit is
such that held-out groups, which are like the labels by definition, exceed it rarely.

Only the distance to these directions counts, not how far out along them a spectrum lies: the total
ion current is divided out already, and patients differ just there (see docs/accuracy.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from napari_ims_tumor.model.calibration import MIN_GROUPS
from napari_ims_tumor.msi.arrays import Float32Array, Float64Array, FloatArray, IntArray, frozen

COMPONENTS: Final = 16
MOST_COMPONENTS: Final = 2 * COMPONENTS
"""Of a fine-tuned model: those of its base and as many of the new labels."""
MOST_SPECTRA: Final = 512
"""Directions are found on so many labelled spectra, evenly chosen: they take no time."""
SPECTRA_PER_COMPONENT: Final = 4
FALSE_ALARMS: Final = 0.02
"""Share of the pixels of held-out groups, each group counting the same, that exceed what the limit
is made of."""
MARGIN: Final = 1.25
"""How much above what held-out groups show the limit lies: another slide of the same tissue,
measured with fewer ions, is noisier, and not another tissue (see docs/accuracy.md)."""
CAUTION: Final = 2.0
"""The same where too few groups are labelled to hold any out: rather too few called unfamiliar."""
MOST: Final = 10.0
"""Scores are cut here: ten times the limit is as strange as fifty times."""
MANY: Final = 0.5
"""Share of a slide from which on the slide itself is in question, and not its pixels."""
_SPARE: Final = 8
_LEAST: Final = 1e-4
_ROUNDS: Final = 2


@dataclass(frozen=True, eq=False)
class Familiarity:
    """What labelled spectra look like.

    Attributes
    ----------
    components
        Shape (k, bins), float32: orthonormal directions that labelled inputs differ in.
    limit
        Mean square per bin that may remain unexplained.
    """

    components: Float32Array
    limit: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "components", frozen(self.components, np.float32))

    def score(self, inputs: Float32Array) -> Float32Array:
        """How unlike the labelled spectra each of (n, bins) inputs is, as a share of the limit.

        Returns
        -------
        ndarray
            Shape (n,), float32, 0 to 10: above 1 is unfamiliar. An empty spectrum, all 0, is as
            unfamiliar as can be.
        """
        found = unexplained(inputs, self.components) / self.limit
        found[~inputs.any(axis=1)] = MOST
        return np.minimum(found, MOST).astype(np.float32)


def unexplained(inputs: Float32Array, components: Float32Array) -> Float64Array:
    """Mean square per bin of (n, bins) inputs that no mixture of components explains: (n,)."""
    whole = np.einsum("ij,ij->i", inputs, inputs).astype(np.float64)
    along = (inputs @ components.T).astype(np.float64)
    left: Float64Array = (whole - (along**2).sum(axis=1)) / inputs.shape[1]
    # Rounding may leave a little less than nothing.
    return np.maximum(left, 0.0)


def chosen_rows(rows: IntArray) -> IntArray:
    """Rows to find directions on: all, or evenly chosen ones where there are many."""
    if len(rows) <= MOST_SPECTRA:
        return rows
    return rows[np.linspace(0, len(rows) - 1, MOST_SPECTRA).astype(np.int64)]


def directions(inputs: Float32Array, known: Float32Array | None = None) -> Float32Array:
    """The orthonormal directions (k, bins) in which (n, bins) inputs differ most.

    By randomized projections (Halko et al., *SIAM Review* 53:217, 2011); the same input gives the
    same directions.

    Parameters
    ----------
    inputs
        Centered and scaled.
    known
        Orthonormal directions of a base model: they are kept, and others found beside them.
    """
    kept = np.zeros((0, inputs.shape[1]), np.float32) if known is None else known
    rest = inputs - (inputs @ kept.T) @ kept
    k = min(COMPONENTS, MOST_COMPONENTS - len(kept), len(inputs) // SPECTRA_PER_COMPONENT)
    k = min(k, rest.shape[1] - len(kept))
    if k < 1:
        return kept
    wide = min(k + _SPARE, *rest.shape)
    draws = np.random.default_rng(0).standard_normal((rest.shape[1], wide)).astype(np.float32)
    basis = np.linalg.qr(rest @ draws)[0]
    for _ in range(_ROUNDS):
        basis = np.linalg.qr(rest @ (rest.T @ basis))[0]
    strength, found = np.linalg.svd(basis.T @ rest, full_matrices=False)[1:]
    # What is left of nothing is rounding, which points anywhere.
    k = min(k, int((strength > _LEAST * np.linalg.norm(inputs)).sum()))
    return np.concatenate([kept, found[:k]]).astype(np.float32)


def limit_of(left: FloatArray, groups: IntArray) -> float | None:
    """The limit that pixels of held-out groups exceed rarely.

    Parameters
    ----------
    left
        Shape (n,): what remained unexplained of spectra whose groups the directions had not seen;
        NaN for those never held out.
    groups
        Shape (n,).

    Returns
    -------
    float or None
        ``None`` with fewer than four groups, or where everything is explained: then nothing can be
        said.
    """
    known = np.isfinite(left)
    if np.unique(groups[known]).size < MIN_GROUPS:
        return None
    return _beyond(left[known], groups[known], MARGIN)


def cautious_limit(inputs: Float32Array, known: Float32Array | None = None) -> float | None:
    """A limit where no groups can be held out: what every other spectrum leaves of the rest.

    Neighbors are nearly copies, so this is too low, and is lifted the more.

    Parameters
    ----------
    inputs, known
        As for :func:`directions`.
    """
    left = unexplained(inputs[1::2], directions(inputs[::2], known))
    return _beyond(left, np.zeros(len(left), np.int64), CAUTION)


def _beyond(left: FloatArray, groups: IntArray, factor: float) -> float | None:
    """So many times what few pixels exceed."""
    if not left.size:
        return None
    own = np.unique(groups, return_inverse=True)[1]
    # Each group counts the same: a large one must not say alone what is usual.
    weights = 1.0 / np.bincount(own)[own]
    order = np.argsort(left, kind="stable")
    share = np.cumsum(weights[order]) / weights.sum()
    place = min(int(np.searchsorted(share, 1 - FALSE_ALARMS)), len(left) - 1)
    limit = float(np.float32(factor * left[order[place]]))
    return limit if limit > 0 else None


def unfamiliar_words(n: int, measured: int) -> str | None:
    """Say in one sentence how many pixels are unfamiliar; ``None`` where none is."""
    if not n:
        return None
    rest = "their answers are no findings" if n > 1 else "its answer is no finding"
    said = (
        f"{n:,} of {measured:,} pixels {'are' if n > 1 else 'is'} unlike anything that was "
        f"labelled: {rest}."
    )
    many = " That many mean other tissue, another preparation, or too few labels."
    return said + many if n > MANY * measured else said
