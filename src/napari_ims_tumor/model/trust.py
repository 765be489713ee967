"""What a model knows of its own limits: which spectra are familiar, when it is sure enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.model.abstention import CONFIDENCES, AnswerCurve
from napari_ims_tumor.model.familiarity import MOST_COMPONENTS, Familiarity
from napari_ims_tumor.msi.arrays import Float32Array

COMPONENTS: Final = "familiar.components"
LIMIT: Final = "familiar.limit"
CURVE: Final = "answers.curve"
TRUST_ARRAYS: Final[tuple[str, ...]] = (COMPONENTS, LIMIT, CURVE)
"""Arrays that a model file may hold or lack."""


@dataclass(frozen=True, slots=True, eq=False)
class Trust:
    """Each is ``None`` where too few groups could tell, or where an older program fitted.

    Attributes
    ----------
    familiarity
        Which spectra are like those that were labelled.
    answers
        How often answers are right, by confidence.
    """

    familiarity: Familiarity | None = None
    answers: AnswerCurve | None = None

    def arrays(self) -> dict[str, Float32Array]:
        """The arrays as they stand in a model file."""
        found: dict[str, Float32Array] = {}
        if self.familiarity is not None:
            found[COMPONENTS] = self.familiarity.components
            found[LIMIT] = np.array([self.familiarity.limit], np.float32)
        if self.answers is not None:
            found[CURVE] = self.answers.points
        return found

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> Trust:
        """Read the arrays of a model file.

        Raises
        ------
        ValueError
            They are not such as this program writes.
        """
        familiarity = answers = None
        if COMPONENTS in arrays:
            familiarity = Familiarity(arrays[COMPONENTS], float(arrays[LIMIT][0]))
            if not familiarity.limit > 0:
                raise ValueError("a limit is above 0")
        if CURVE in arrays:
            answers = AnswerCurve(arrays[CURVE])
            if np.any(np.diff(answers.points[:, 0]) <= 0):
                raise ValueError("confidences ascend")
        return cls(familiarity, answers)


def trust_shapes(stored: Mapping[str, Any], bins: int) -> dict[str, tuple[int, ...]]:
    """Shapes that the trust arrays of a file must have, of those that it holds.

    Parameters
    ----------
    stored
        The header of a model file: name → entry with a ``shape``.
    bins
        Length of the model's axis.
    """
    found: dict[str, tuple[int, ...]] = {}
    if COMPONENTS in stored or LIMIT in stored:
        found |= {COMPONENTS: (_rows(stored, COMPONENTS, MOST_COMPONENTS), bins), LIMIT: (1,)}
    if CURVE in stored:
        found[CURVE] = (_rows(stored, CURVE, CONFIDENCES), 3)
    return found


def _rows(stored: Mapping[str, Any], name: str, most: int) -> int:
    """How many rows an array says it has, held to what can have been written."""
    entry = stored.get(name)
    shape = entry.get("shape") if isinstance(entry, dict) else None
    n = shape[0] if isinstance(shape, list) and shape else 0
    return n if type(n) is int and 0 <= n <= most else 0
