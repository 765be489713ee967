"""What was predicted for a slide: class probabilities, and how far they may be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from napari_ims_tumor.model.abstention import (
    AnswerCurve,
    unsure,
    unsure_words,
    why_no_abstention,
)
from napari_ims_tumor.model.familiarity import unfamiliar_words
from napari_ims_tumor.model.uncertainty import normalized_entropy
from napari_ims_tumor.msi.arrays import BoolArray, Float32Array, frozen

UNCERTAINTY_PLANE: Final = "uncertainty (entropy)"
DISAGREEMENT_PLANE: Final = "disagreement"
ALONE_PLANE: Final = "{name}, each pixel alone"
UNFAMILIAR_PLANE: Final = "unfamiliarity (above 1: unlike the labels)"
ANSWERED_PLANE: Final = "answered (0: not sure, or unfamiliar)"
NO_NEIGHBORS: Final = (
    "Here each pixel answers alone already: its neighbors were not asked, or were of no help on "
    "held-out groups."
)
ONE_ANSWER: Final = (
    "In this model only the linear path or only the network answers: nothing can disagree."
)
CANNOT_TELL: Final = (
    "This model cannot tell what is unlike its labels: its fit was stopped early, had too few "
    "pixels, or was made by an older version. Fit it again."
)


@dataclass(frozen=True, eq=False)
class Prediction:
    """Class probabilities of one slide.

    Attributes
    ----------
    probabilities
        Shape (classes, *image_shape), float32; NaN where nothing was measured.
    class_names
        Names of the planes.
    calibrated
        Whether probabilities were calibrated on held-out groups.
    model_id
        The model that made it.
    annotation_revision
        Revision of the labels the model was fitted to.
    disagreement
        How far the linear path alone is from the answer, 0 to 1 (total variation distance), shape
        (*image_shape), float32, NaN where nothing was measured. ``None`` where only one of the two
        answers.
    n_empty
        Spectra without any intensity on the model's axis: the answer there is no finding.
    unfamiliarity
        How unlike the labelled spectra a spectrum is, 0 to 10, shape (*image_shape), float32, NaN
        where nothing was measured: above 1 the answer is no finding. ``None`` where the model
        cannot tell.
    answers
        How often held-out answers were right, by confidence; ``None`` where that is not known.
    alone
        What each pixel says without its neighbors, as ``probabilities``; ``None`` where these are
        just that.
    note
        What was done where memory ended; empty where it did not.
    """

    probabilities: Float32Array
    class_names: tuple[str, ...]
    calibrated: bool
    model_id: str
    annotation_revision: int = 0
    disagreement: Float32Array | None = None
    n_empty: int = 0
    unfamiliarity: Float32Array | None = None
    answers: AnswerCurve | None = None
    alone: Float32Array | None = None
    note: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "probabilities", frozen(self.probabilities, np.float32))
        for name in ("disagreement", "unfamiliarity", "alone"):
            image = getattr(self, name)
            if image is not None:
                object.__setattr__(self, name, frozen(image, np.float32))

    @cached_property
    def uncertainty(self) -> Float32Array:
        """How evenly the classes share each pixel, 0 to 1: the entropy over the largest there is.

        Shape (*image_shape), float32, NaN where nothing was measured.
        """
        values: Float32Array = frozen(normalized_entropy(self.probabilities), np.float32)
        return values

    @property
    def why_no_disagreement(self) -> str | None:
        """Say in one sentence why nothing disagrees; ``None`` where there is a disagreement."""
        return ONE_ANSWER if self.disagreement is None else None

    @property
    def empty_words(self) -> str | None:
        """Say in one sentence that spectra are empty; ``None`` where none is."""
        if not self.n_empty:
            return None
        one = self.n_empty == 1
        return (
            f"{self.n_empty:,} {'spectrum holds' if one else 'spectra hold'} nothing in the "
            "model's m/z range: what is predicted there is no finding."
        )

    @cached_property
    def unfamiliar(self) -> BoolArray:
        """Where the answer is no finding: unlike anything labelled. Shape (*image_shape)."""
        if self.unfamiliarity is None:
            return np.zeros(self.probabilities.shape[1:], np.bool_)
        # NaN, where nothing was measured, is not above 1.
        return np.asarray(self.unfamiliarity > 1, np.bool_)

    @property
    def why_no_alone(self) -> str | None:
        """Say in one sentence why pixels have no second answer; ``None`` where they have."""
        return NO_NEIGHBORS if self.alone is None else None

    @property
    def why_no_unfamiliarity(self) -> str | None:
        """Say in one sentence why nothing is told apart as unfamiliar; ``None`` where it is."""
        return CANNOT_TELL if self.unfamiliarity is None else None

    @property
    def unfamiliar_words(self) -> str | None:
        """Say in one sentence how many pixels are unfamiliar; ``None`` where none is."""
        n_measured = int(np.isfinite(self.probabilities[0]).sum())
        return unfamiliar_words(int(self.unfamiliar.sum()), n_measured)

    def why_no_abstention(self, accuracy: float) -> str | None:
        """Say in one sentence why answers cannot be held back to be right that often."""
        return why_no_abstention(self.answers, accuracy)

    def unsure(self, accuracy: float) -> BoolArray:
        """Where to give no answer, so that of the others that share is right on held-out groups.

        Shape (*image_shape): False where unmeasured. A ModelFileError where the model cannot say.
        """
        return unsure(self.probabilities, self.answers, accuracy)

    def unsure_words(self, accuracy: float) -> str:
        """Say how many pixels are not sure enough, and what that is known from."""
        return unsure_words(self.probabilities, self.answers, accuracy)

    def planes(
        self, uncertainty: bool = False, accuracy: float | None = None
    ) -> tuple[Float32Array, tuple[str, ...]]:
        """The images to write into a file, (k, *image_shape), and their names.

        Parameters
        ----------
        uncertainty
            Also what says how far the probabilities may be trusted, after them.
        accuracy
            Also where there is an answer (1), if so many answers shall be right.
        """
        more: dict[str, Float32Array] = {UNCERTAINTY_PLANE: self.uncertainty} if uncertainty else {}
        if uncertainty and self.alone is not None:
            names = (ALONE_PLANE.format(name=name) for name in self.class_names)
            more |= dict(zip(names, self.alone, strict=True))
        if uncertainty and self.disagreement is not None:
            more[DISAGREEMENT_PLANE] = self.disagreement
        if uncertainty and self.unfamiliarity is not None:
            more[UNFAMILIAR_PLANE] = self.unfamiliarity
        if accuracy is not None:
            more[ANSWERED_PLANE] = self._answered(accuracy)
        if not more:
            return self.probabilities, self.class_names
        values = np.concatenate([self.probabilities, np.stack(list(more.values()))])
        return values, (*self.class_names, *more)

    def _answered(self, accuracy: float) -> Float32Array:
        answered = np.where(self.unsure(accuracy) | self.unfamiliar, 0.0, 1.0)
        answered[~np.isfinite(self.probabilities[0])] = np.nan
        return answered.astype(np.float32)

    def about(self) -> dict[str, object]:
        """What to write beside the planes in a file."""
        return {
            "classes": list(self.class_names),
            "calibrated": self.calibrated,
            "model_id": self.model_id,
        }
