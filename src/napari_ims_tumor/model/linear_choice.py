"""Which linear model answers: held-out groups say whether PLS-DA knows more than regression.

Logistic regression believes every label; where some are wrong (roughly drawn borders, mixed
pixels), the few directions of PLS-DA follow them less. Both weigh bins and add them up, so that
less evidence is asked of PLS-DA than of a network, which can say more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from napari_ims_tumor.model.calibration import (
    calibrated_log_loss,
    fit_temperature,
    is_better_beyond_chance,
)
from napari_ims_tumor.model.linear_path import LinearPath
from napari_ims_tumor.msi.arrays import Float32Array, IntArray

LEAST_GROUPS: Final = 8
"""Below this many held-out groups regression answers: strokes on six cores took PLS-DA for better
in one of ten draws, and it was worse."""
SURE_OF_PLS: Final = 0.9
"""How surely PLS-DA has to be better: one wrong choice in ten where both are equally good."""


@dataclass(frozen=True, eq=False)
class BetterPls:
    """PLS-DA that held-out groups preferred.

    Attributes
    ----------
    components
        How many directions it has.
    temperature
        Divisor of its logits: discriminants are surer of themselves than they may be.
    logits
        Shape (n, K): of held-out spectra, divided already.
    """

    components: int
    temperature: float
    logits: Float32Array

    def of(self, fitted: Mapping[int, LinearPath]) -> LinearPath | None:
        """The chosen one among what was fitted to all labels; ``None`` where it is missing."""
        path = fitted.get(self.components)
        if path is None:
            return None
        return LinearPath(path.weight / self.temperature, path.bias / self.temperature)


def better_pls(
    regression: Float32Array,
    others: Mapping[int, Float32Array],
    classes: IntArray,
    groups: IntArray,
) -> BetterPls | None:
    """Choose by held-out groups.

    Parameters
    ----------
    regression
        Shape (n, K): logits of logistic regression; rows that were not held out are NaN.
    others
        Components → the same of PLS-DA.
    classes, groups
        Shape (n,).

    Returns
    -------
    BetterPls or None
        ``None`` where it is not better beyond chance, or where too little can be judged.
    """
    rows = np.isfinite(regression).all(axis=1)
    told, of = classes[rows], groups[rows]
    complete = [k for k, logits in others.items() if np.isfinite(logits[rows]).all()]
    # Discriminants of few spectra can be a hundred times too sure: too far for a temperature.
    too_sure = {k: _size(others[k][rows]) / _size(regression[rows]) for k in complete}
    judged = {k: others[k] / np.float32(too_sure[k]) for k in complete}
    if not judged or np.unique(of).size < LEAST_GROUPS or np.unique(told).size < 2:
        return None
    losses = {k: calibrated_log_loss(logits[rows], told) for k, logits in judged.items()}
    best = min(losses, key=lambda k: losses[k])
    logits = judged[best]
    if not is_better_beyond_chance(logits[rows], regression[rows], told, of, SURE_OF_PLS):
        return None
    temperature = fit_temperature(logits[rows], told, of)
    assert temperature is not None  # noqa: S101 - there are groups and classes enough
    return BetterPls(best, temperature * too_sure[best], logits / np.float32(temperature))


def _size(logits: Float32Array) -> float:
    """How far the logits of the classes lie apart; never 0."""
    apart = logits - logits.mean(axis=1, keepdims=True)
    return max(float(np.sqrt(np.mean(apart**2))), float(np.finfo(np.float32).tiny))
