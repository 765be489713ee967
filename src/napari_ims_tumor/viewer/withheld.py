"""Where a prediction is shown without its answer: unlike anything labelled, or not sure enough.

The tissue shows through there in gray: wholly where a spectrum is unfamiliar, in stripes where the
model is not sure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_ims_tumor.msi.arrays import BoolArray

if TYPE_CHECKING:
    from napari_ims_tumor.model.prediction import Prediction

STRIPE: Final = 3
"""Of so many pixels across a stripe pattern, one keeps its color."""


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


def uncolored(prediction: Prediction, how: Withholding) -> BoolArray:
    """Which pixels of a probability show the tissue instead: shape (*image_shape)."""
    unsure = unsure_in(prediction, how)
    rows, columns = np.indices(unsure.shape[-2:], np.int32)
    striped = unsure & ((rows + columns) % STRIPE != 0)
    return np.asarray(unfamiliar_in(prediction, how) | striped, np.bool_)


def unclassed(prediction: Prediction, how: Withholding) -> BoolArray:
    """Which pixels get no class: shape (*image_shape)."""
    return unfamiliar_in(prediction, how) | unsure_in(prediction, how)


def withheld_words(prediction: Prediction, how: Withholding) -> str:
    """Say in which words the answers that are not shown are described; empty where all are."""
    said = []
    if prediction.unfamiliar_words:
        shown = "shown in gray" if how.unfamiliar else "shown all the same"
        said.append(f"{prediction.unfamiliar_words[:-1]} ({shown}).")
    if how.accuracy is not None:
        reason = prediction.why_no_abstention(how.accuracy)
        said.append(reason or f"{prediction.unsure_words(how.accuracy)[:-1]} (striped).")
    return "\n".join(said)
