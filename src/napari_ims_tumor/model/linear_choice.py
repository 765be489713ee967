"""Which linear model answers: held-out groups say whether PLS-DA knows more than regression.

Both weigh bins and add them up, and neither is the simpler one: the smaller held-out loss decides.
Logistic regression believes every label; where some are wrong (roughly drawn borders, mixed
pixels), the few directions of PLS-DA follow them less.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from napari_ims_tumor.model.calibration import MIN_GROUPS, calibrated_log_loss, fit_temperature
from napari_ims_tumor.model.linear_path import LinearPath
from napari_ims_tumor.msi.arrays import Float32Array, IntArray


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
        ``None`` where logistic regression has the least loss, or where too little can be judged.
    """
    rows = np.isfinite(regression).all(axis=1)
    told, of = classes[rows], groups[rows]
    judged = {k: logits for k, logits in others.items() if np.isfinite(logits[rows]).all()}
    if not judged or np.unique(of).size < MIN_GROUPS or np.unique(told).size < 2:
        return None
    losses = {k: calibrated_log_loss(logits[rows], told) for k, logits in judged.items()}
    best = min(losses, key=lambda k: losses[k])
    if losses[best] >= calibrated_log_loss(regression[rows], told):
        return None
    temperature = fit_temperature(judged[best][rows], told, of)
    assert temperature is not None  # noqa: S101 - there are groups and classes enough
    return BetterPls(best, temperature, judged[best] / np.float32(temperature))
