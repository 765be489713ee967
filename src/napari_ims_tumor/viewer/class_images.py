"""What a prediction says of the tumor, and of each pixel's class, as images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_ims_tumor.annotation.label_classes import TUMOR_SCHEME, ClassScheme
from napari_ims_tumor.errors import LabelsError
from napari_ims_tumor.msi.arrays import FloatArray, LabelArray

if TYPE_CHECKING:
    from napari_ims_tumor.model.prediction import Prediction


def tumor_probability(prediction: Prediction, scheme: ClassScheme = TUMOR_SCHEME) -> FloatArray:
    """Pick the tumor's plane out of a prediction, shape of the slide's images, NaN unmeasured."""
    tumor = next(label.name for label in scheme.classes if label.role == "tumor")
    if tumor not in prediction.class_names:
        known = ", ".join(prediction.class_names)
        raise LabelsError(f"the model knows no class named {tumor!r}, only {known}")
    plane: FloatArray = prediction.probabilities[prediction.class_names.index(tumor)]
    return plane


def predicted_classes(
    probability: FloatArray,
    threshold: float = 0.5,
    abstain: float = 0.0,
    scheme: ClassScheme = TUMOR_SCHEME,
) -> LabelArray:
    """Turn tumor probabilities into class values.

    Parameters
    ----------
    probability
        Tumor probability, NaN where nothing was measured.
    threshold
        Tumor from this probability on.
    abstain
        Pixels closer to the threshold than this get no class.

    Returns
    -------
    ndarray
        uint8: the healthy or the tumor value; 0 where unmeasured or undecided.
    """
    healthy, tumor = (
        next(label.value for label in scheme.classes if label.role == role)
        for role in ("healthy", "tumor")
    )
    classes = np.where(probability >= threshold, tumor, healthy).astype(np.uint8)
    classes[~np.isfinite(probability)] = 0
    classes[np.abs(probability - threshold) < abstain] = 0
    return classes
