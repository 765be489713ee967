"""The linear model with everything that the next phases of a fit need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from napari_ims_tumor.annotation.split import Fold, Validation
from napari_ims_tumor.model.config import REGION_SHARE
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.neighborhood import Neighborhood
from napari_ims_tumor.model.neighborhood_phase import with_neighbors_judged
from napari_ims_tumor.model.normalization import InputNormalization
from napari_ims_tumor.model.samples import LabelledSpectra
from napari_ims_tumor.msi.arrays import Float32Array, Float64Array, IntArray


@dataclass(frozen=True, eq=False)
class HeldOutLogits:
    """Logits of spectra whose groups the model had not seen.

    Attributes
    ----------
    logits
        Shape (n, K); rows that were never held out are NaN.
    """

    logits: Float32Array

    @property
    def rows(self) -> IntArray:
        """Which spectra were held out."""
        return np.flatnonzero(np.isfinite(self.logits).all(axis=1)).astype(np.int64)


@dataclass(frozen=True, eq=False)
class LinearAnswer:
    """The linear model with everything the next phases need.

    Attributes
    ----------
    model
        Ready to use.
    spectra, roots
        The labelled spectra, and their rooted shares (n, bins).
    validation
        The folds.
    held_out
        The linear model's logits on held-out groups.
    score
        Its balanced accuracy there.
    taken
        Fold → what the pixels of its training side were taken for, shape (n,) or (n, K), ``None``
        for all pixels; missing where it is what they were told to be.
    region_share
        Least share of a roughly labelled region that is of its class.
    suspect
        Whether single labels are suspected to be wrong: those that seem so are not learned from.
    near
        Who is whose neighbor among the held-out spectra of each fold; ``None`` where that is not
        known.
    """

    model: FittedModel
    spectra: LabelledSpectra
    roots: Float32Array
    validation: Validation
    held_out: HeldOutLogits
    score: float | None
    taken: Mapping[Fold | None, IntArray | Float64Array] = field(default_factory=dict)
    region_share: float = REGION_SHARE
    near: Neighborhood | None = None
    suspect: bool = False
    _learned: dict[Fold, InputNormalization] = field(default_factory=dict, repr=False)
    """Of each fold's training side: asked for in every phase and epoch, and always the same."""

    def classes(self, fold: Fold | None) -> IntArray | Float64Array:
        """What is to be taught of a fold's training side (``None``: of everything)."""
        told = self.spectra.classes
        return self.taken.get(fold, told if fold is None else told[fold.training])

    def normalization(self, fold: Fold | None, base: FittedModel | None) -> InputNormalization:
        """Learned from a fold's training side (``None``: from everything), or the base's."""
        if base is not None:
            return base.normalization
        if fold is None:
            return self.model.normalization
        known = self._learned.get(fold)
        if known is None:
            known = InputNormalization.learn(self.roots, fold.training, self.model.preparation)
            self._learned[fold] = known
        return known

    def with_neighbors(
        self, model: FittedModel, rows: IntArray, logits: Float32Array
    ) -> FittedModel:
        """The model with what its held-out logits (m, K) of some rows say of asking neighbors."""
        if self.near is None:
            return model
        return with_neighbors_judged(model, self.near, self.spectra, (rows, logits))

    def inputs(self, normalization: InputNormalization, rows: IntArray) -> Float32Array:
        """What a classifier is shown of some of the spectra."""
        return self.spectra.room.changed(self.roots, normalization.apply, rows)
