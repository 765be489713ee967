"""Where a prediction is shown without its answer: unlike anything labelled, or not sure enough.

The tissue shows through there in gray.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_ims_tumor.msi.arrays import BoolArray

if TYPE_CHECKING:
    from napari_ims_tumor.model.prediction import Prediction


@dataclass(frozen=True, slots=True)
class Withholding:
    """Which answers are not shown.

    Attributes
    ----------
    unfamiliar
        Those of spectra unlike anything that was labelled.
    accuracy
        Those that are not sure enough for this share of the others to be right; ``None`` shows all.
    """

    unfamiliar: bool = True
    accuracy: float | None = None


def unfamiliar_in(prediction: Prediction, how: Withholding) -> BoolArray:
    """Which pixels' answers are withheld as unfamiliar: shape (*image_shape)."""
    return prediction.unfamiliar & how.unfamiliar


def unsure_in(prediction: Prediction, how: Withholding) -> BoolArray:
    """Which pixels' answers are withheld as not sure: shape (*image_shape).

    None where the model cannot say: a panel that offers the choice says why.
    """
    if how.accuracy is None or prediction.why_no_abstention(how.accuracy) is not None:
        return np.zeros(prediction.probabilities.shape[1:], np.bool_)
    return prediction.unsure(how.accuracy)


def withheld_in(prediction: Prediction, how: Withholding) -> BoolArray:
    """Which pixels show the tissue instead of an answer: shape (*image_shape)."""
    return unfamiliar_in(prediction, how) | unsure_in(prediction, how)


def withheld_words(prediction: Prediction, how: Withholding, grayed: bool = True) -> str:
    """Say in which words the answers that are not shown are described; empty where all are.

    Parameters
    ----------
    grayed
        Whether they are gray in what is seen. How sure a model is, and how familiar a spectrum is,
        are shown of every pixel.
    """
    gray = " (shown in gray)" if grayed else ""
    said = []
    if prediction.unfamiliar_words:
        shown = gray if how.unfamiliar or not grayed else " (shown all the same)"
        said.append(f"{prediction.unfamiliar_words[:-1]}{shown}.")
    if how.accuracy is not None:
        reason = prediction.why_no_abstention(how.accuracy)
        said.append(reason or f"{prediction.unsure_words(how.accuracy)[:-1]}{gray}.")
    return "\n".join(said)
