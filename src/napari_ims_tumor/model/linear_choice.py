"""Whether PLS-DA takes part in the linear answer: held-out groups say.

Logistic regression believes every label; where some are wrong (roughly drawn borders, mixed
pixels), the few directions of PLS-DA follow them less. Both weigh bins and add them up, and so does
their mean. The mean errs less than either where they err differently, and where PLS-DA is taken in
by mistake only half of that mistake is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from napari_ims_tumor.model.calibration import calibrated_log_loss, fit_temperature
from napari_ims_tumor.model.linear_path import LinearPath
from napari_ims_tumor.msi.arrays import Float32Array, IntArray

LEAST_GROUPS: Final = 8
"""Below this many held-out groups regression answers alone: strokes on six cores took PLS-DA for
better in one of ten draws, and it was worse."""


@dataclass(frozen=True, eq=False)
class BetterTogether:
    """The mean of both models, which held-out groups preferred.

    Attributes
    ----------
    components
        Of PLS-DA.
    regression, pls
        What the logits of each are multiplied by before they are added.
    logits
        Shape (n, K): of held-out spectra.
    """

    components: int
    regression: float
    pls: float
    logits: Float32Array

    def path(self, regression: LinearPath, fitted: Mapping[int, LinearPath]) -> LinearPath | None:
        """The same of models of all labels; ``None`` where these have too few directions."""
        other = fitted.get(self.components)
        if other is None:
            return None
        return LinearPath(
            self.regression * regression.weight + self.pls * other.weight,
            self.regression * regression.bias + self.pls * other.bias,
        )


def better_together(
    regression: Float32Array,
    others: Mapping[int, Float32Array],
    classes: IntArray,
    groups: IntArray,
) -> BetterTogether | None:
    """Choose by the held-out loss of the calibrated logits.

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
    BetterTogether or None
        ``None`` where regression alone has the smaller loss, or where too little can be judged.
    """
    rows = np.isfinite(regression).all(axis=1)
    told, of = classes[rows], groups[rows]
    complete = [k for k, logits in others.items() if np.isfinite(logits[rows]).all()]
    if not complete or np.unique(of).size < LEAST_GROUPS or np.unique(told).size < 2:
        return None
    own = _truthful(regression[rows], told, of)
    means = {}
    for k in complete:
        factors = own / 2, _truthful(others[k][rows], told, of) / 2
        mean = np.float32(factors[0]) * regression + np.float32(factors[1]) * others[k]
        means[k] = BetterTogether(k, *factors, mean)
    losses = {k: calibrated_log_loss(mean.logits[rows], told) for k, mean in means.items()}
    best = min(losses, key=lambda k: losses[k])
    return means[best] if losses[best] < calibrated_log_loss(regression[rows], told) else None


def _truthful(logits: Float32Array, classes: IntArray, groups: IntArray) -> float:
    """The factor that makes probabilities of logits (n, K) mean what they say."""
    apart = logits - logits.mean(axis=1, keepdims=True)
    # Discriminants of few spectra can be a hundred times too sure: too far for a temperature.
    size = max(float(np.sqrt(np.mean(apart**2))), float(np.finfo(np.float32).tiny))
    temperature = fit_temperature(logits / np.float32(size), classes, groups)
    assert temperature is not None  # noqa: S101 - there are groups and classes enough
    return 1 / (size * temperature)
