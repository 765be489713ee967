"""When to give no answer: how many pixels are answered, and how many of those rightly.

A pixel is answered where its largest probability reaches a confidence. Held-out groups say for each
confidence how many pixels that are and how often they are right (the risk–coverage curve of
El-Yaniv & Wiener, *JMLR* 11:1605, 2010).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from napari_ims_tumor.errors import ModelFileError
from napari_ims_tumor.msi.arrays import BoolArray, Float32Array, FloatArray, IntArray, frozen

CONFIDENCES: Final = 51
"""From an even share of all classes to certainty."""
LEAST_COVERAGE: Final = 0.05
"""Fewer answers than that say nothing about the next patient's."""
NO_CURVE: Final = (
    "This model cannot say when to give no answer: too few groups judged its probabilities, or its "
    "fit was stopped before. Label more separate strokes or patients, or fit it again."
)


@dataclass(frozen=True, eq=False)
class AnswerCurve:
    """What held-out groups showed.

    Attributes
    ----------
    points
        Shape (m, 3), float32: confidence, share of the pixels that reach it, share of those that
        are right; confidences ascend. Each class counts the same.
    """

    points: Float32Array

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", frozen(self.points, np.float32))

    @classmethod
    def of(cls, probabilities: FloatArray, classes: IntArray) -> AnswerCurve:
        """The curve of held-out pixels.

        Parameters
        ----------
        probabilities
            Shape (n, K), of pixels whose groups the model had not seen.
        classes
            Shape (n,).
        """
        confidence = probabilities.max(axis=1)
        right = probabilities.argmax(axis=1) == classes
        weights = 1.0 / np.bincount(classes)[classes]
        weights /= weights.sum()
        found = []
        for least in np.linspace(1 / probabilities.shape[1], 1, CONFIDENCES):
            answered = weights * (confidence >= np.float32(least))
            share = answered.sum()
            if share < LEAST_COVERAGE:
                break
            found.append((least, share, (answered * right).sum() / share))
        return cls(np.array(found, np.float32).reshape(-1, 3))

    @classmethod
    def from_points(cls, points: tuple[tuple[float, float, float], ...]) -> AnswerCurve | None:
        """Read what :meth:`as_points` wrote; ``None`` without any."""
        return cls(np.array(points, np.float32)) if points else None

    def as_points(self) -> tuple[tuple[float, float, float], ...]:
        """The points as plain numbers."""
        return tuple((float(c), float(share), float(right)) for c, share, right in self.points)

    def confidence_for(self, accuracy: float) -> float | None:
        """The least confidence from which on answers were right that often; ``None`` if never."""
        enough = self.points[:, 2] >= np.float32(accuracy)
        # From there on: a lucky confidence between unlucky ones does not count.
        held = np.flatnonzero(np.logical_and.accumulate(enough[::-1])[::-1])
        return float(self.points[held[0], 0]) if held.size else None

    def coverage_at(self, confidence: float) -> float:
        """Share of the held-out pixels that reach a confidence; 0 beyond the curve."""
        reached = self.points[self.points[:, 0] >= np.float32(confidence) - 1e-6]
        return float(reached[0, 1]) if len(reached) else 0.0

    def accuracy_at(self, confidence: float) -> float | None:
        """Share of right answers among the held-out pixels that reach a confidence."""
        reached = self.points[self.points[:, 0] >= np.float32(confidence) - 1e-6]
        return float(reached[0, 2]) if len(reached) else None


def why_no_abstention(answers: AnswerCurve | None, accuracy: float) -> str | None:
    """Say in one sentence why answers cannot be held back to be right that often."""
    if answers is None:
        return NO_CURVE
    if answers.confidence_for(accuracy) is None:
        return (
            f"At no confidence were {accuracy:.0%} of the answers on held-out groups right, at "
            f"the best {answers.points[:, 2].max(initial=0):.1%}: ask for less."
        )
    return None


def unsure(probabilities: FloatArray, answers: AnswerCurve | None, accuracy: float) -> BoolArray:
    """Where to give no answer, so that of the others that share is right.

    Parameters
    ----------
    probabilities
        Shape (classes, ...); NaN where nothing is known.

    Returns
    -------
    ndarray
        Shape (...): False where nothing is known.

    Raises
    ------
    ModelFileError
        The model cannot say, or no confidence is enough.
    """
    # NaN is below nothing.
    return np.asarray(probabilities.max(axis=0) < np.float32(_least(answers, accuracy)), np.bool_)


def unsure_words(probabilities: FloatArray, answers: AnswerCurve | None, accuracy: float) -> str:
    """Say how many pixels are not sure enough, and what that is known from."""
    n = int(unsure(probabilities, answers, accuracy).sum())
    measured = int(np.isfinite(probabilities[0]).sum())
    return (
        f"{n:,} of {measured:,} pixels get no answer: their confidence is below "
        f"{_least(answers, accuracy):.2f}, from which on {accuracy:.0%} of the answers on held-out "
        "groups were right."
    )


def _least(answers: AnswerCurve | None, accuracy: float) -> float:
    reason = why_no_abstention(answers, accuracy)
    confidence = None if answers is None else answers.confidence_for(accuracy)
    if confidence is None:
        raise ModelFileError(reason or NO_CURVE)
    return confidence
