"""Which labels may judge a model: those made by hand; where there are none, whole regions.

What is roughly known of a pixel must not be held against a model that knows better. Groups are
held out whole with all of their labels; of what was held out, only strokes are compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import balanced_accuracy_score

from napari_ims_tumor.annotation.split import Fold, Validation, grouped_folds
from napari_ims_tumor.model.samples import LabelledSpectra
from napari_ims_tumor.msi.arrays import BoolArray, FloatArray, IntArray


def is_judged_by_region(spectra: LabelledSpectra) -> bool:
    """Whether too few pixels were labelled by hand: then regions are judged, not pixels."""
    by_hand = spectra.classes[spectra.by_hand]
    return spectra.regions is not None and np.unique(by_hand).size < 2


def honest_folds(spectra: LabelledSpectra, n_folds: int) -> Validation:
    """Divide by group; the held-out sides hold only pixels that were labelled by hand.

    Returns
    -------
    Validation
        Where too few were labelled by hand the held-out sides hold all; see
        :func:`is_judged_by_region`.
    """
    found = grouped_folds(spectra.classes, spectra.groups, n_folds, spectra.group_kind)
    if spectra.regions is None or is_judged_by_region(spectra):
        return found
    by_hand = spectra.by_hand
    folds = (Fold(f.training, f.held_out[by_hand[f.held_out]]) for f in found.folds)
    return Validation(tuple(f for f in folds if f.held_out.size), found.why_not)


def pixel_folds(spectra: LabelledSpectra, n_folds: int) -> Validation:
    """The same, or the reason why no pixel can be judged."""
    if is_judged_by_region(spectra):
        return Validation((), f"no validation by pixel: {why_by_region(spectra)}")
    return honest_folds(spectra, n_folds)


def why_by_region(spectra: LabelledSpectra) -> str:
    """Say why regions are judged."""
    by_hand = np.unique(spectra.classes[spectra.by_hand])
    if not by_hand.size:
        return "no pixel was labelled by hand"
    return f"only {spectra.class_names[int(by_hand[0])]} was labelled by hand"


@dataclass(frozen=True, slots=True)
class RegionScore:
    """How well whole regions were told apart.

    Attributes
    ----------
    balanced_accuracy
        Mean over classes of the share of regions that were called what they are.
    regions
        How many were judged.
    """

    balanced_accuracy: float
    regions: int


def region_score(
    spectra: LabelledSpectra, logits: FloatArray, least_share: float
) -> RegionScore | None:
    """Judge regions by what is said of their pixels; the strokes of a group count as one, too.

    A region is called the class, other than the first, that most of its pixels were called, if
    these are at least ``least_share`` of it; else the first class.

    Parameters
    ----------
    spectra
        All labelled spectra.
    logits
        Shape (n, K): by models that had not seen the pixel's group; NaN where there is none.
    least_share
        What a region must hold of a class to be called it.
    """
    judged = np.isfinite(logits).all(axis=1)
    units = _units(spectra)
    called, told = [], []
    for unit in np.unique(units[judged]):
        rows = judged & (units == unit)
        called.append(_called(logits[rows], least_share))
        told.append(int(spectra.classes[rows][0]))
    if len(set(told)) < 2:
        return None
    return RegionScore(float(balanced_accuracy_score(told, called)), len(told))


def _called(logits: FloatArray, least_share: float) -> int:
    counts = np.bincount(logits.argmax(axis=1), minlength=logits.shape[1])
    counts[0] = 0
    best = int(counts.argmax())
    return best if counts[best] >= least_share * len(logits) else 0


def _units(spectra: LabelledSpectra) -> IntArray:
    """One number per region, and per class that was labelled by hand in a group."""
    by_hand: BoolArray = spectra.by_hand
    regions = np.where(by_hand, -1, spectra.regions if spectra.regions is not None else -1)
    groups = np.where(by_hand, spectra.groups, -1)
    keys = np.stack([regions, groups, spectra.classes])
    numbers: IntArray = np.unique(keys, axis=1, return_inverse=True)[1].reshape(-1)
    return numbers
