"""Labels that seem wrong: models that have not seen their group contradict them, and are sure.

From one surprising pixel nothing follows. Models are wrong, too: above all of a patient unlike all
others, and then of all of that patient's pixels. Wrong labels lie everywhere. So each group is
asked how often the labels of those pixels are contradicted that models are surest of, and labels
are suspected only where most groups have such pixels. Then, and only if that is asked for, labels
that seem wrong are not learned from (confident learning: Northcutt, Jiang & Chuang, *J. Artif.
Intell. Res.* 70:1373, 2021). They still judge the model like all others.

Classes that overlap look the same: nothing in the numbers tells weak spectra with right labels from
clear spectra with wrong ones. So a suspicion is said, and what follows from it is the user's.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from napari_ims_tumor.msi.arrays import BoolArray, Float64Array, FloatArray, IntArray

SUREST: Final = 0.25
"""Share of a group's pixels that is looked at: those that models are surest of."""
FEWEST_PIXELS: Final = 20
"""Labelled pixels of a group from which on it is asked."""
FEWEST_GROUPS: Final = 8
"""Groups that can be asked from which on they can tell: of fewer, two or three odd ones would."""
TYPICAL: Final = (0.05, 0.35)
"""Share contradicted in the middle one of all groups: below labels are right, above models are no
good. Of right labels of clear spectra it is 0, with one in ten or in five wrong .05 to .3, without
a signal a half; where classes overlap it may be anything between (benchmarks/doubt.py)."""
IN_MOST: Final = 0.02
"""Share contradicted that three of four groups must reach."""


def wrong_share(probabilities: FloatArray, classes: IntArray, groups: IntArray) -> float | None:
    """Share of labels that seem to be wrong, if they are so in most groups.

    Parameters
    ----------
    probabilities
        Shape (n, K), calibrated: of models that had not seen the pixel's group.
    classes, groups
        Shape (n,): what was told.

    Returns
    -------
    float or None
        ``None`` where nothing speaks against the labels, or too few groups can tell.
    """
    shares = _contradicted(probabilities, classes, groups)
    if shares.size < FEWEST_GROUPS:
        return None
    low, middle = np.quantile(shares, (0.25, 0.5))
    if not TYPICAL[0] <= middle <= TYPICAL[1] or low < IN_MOST:
        return None
    # Where more than half is contradicted it is the models that are wrong.
    return float(shares[shares <= 0.5].mean())


def seem_wrong(probabilities: FloatArray, classes: IntArray, share: float) -> BoolArray:
    """Which labels, (n,), are more probably wrong than right, where a share of all is wrong.

    Where a share ε is wrong by chance, each of K − 1 wrong classes is told with e = ε / (K − 1). A
    label that is told with the probability q is right with the probability p of
    q = p (1 − ε) + (1 − p) e. Once told, it is wrong rather than right where
    e (1 − p) > (1 − ε) p, that is q < 2 (1 − ε) e / (1 − ε + e). Of two classes: 2 ε (1 − ε).

    Parameters
    ----------
    probabilities
        Shape (n, K): as if each class were told as often as the others.
    classes
        Shape (n,): what was told.
    share
        ε.
    """
    n_classes = probabilities.shape[1]
    told = probabilities * np.bincount(classes, minlength=n_classes)
    told /= told.sum(axis=1, keepdims=True)
    each = share / max(n_classes - 1, 1)
    bound = 2 * (1 - share) * each / (1 - share + each)
    own = told[np.arange(classes.size), classes]
    wrong: BoolArray = (own < bound) & (told.argmax(axis=1) != classes)
    return wrong


def _contradicted(probabilities: FloatArray, classes: IntArray, groups: IntArray) -> Float64Array:
    """For each group that can be asked the share of its surest pixels called something else."""
    sure = probabilities.max(axis=1)
    against = probabilities.argmax(axis=1) != classes
    shares = []
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        if rows.size >= FEWEST_PIXELS:
            n = max(FEWEST_PIXELS // 2, int(SUREST * rows.size))
            surest = rows[np.argsort(-sure[rows], kind="stable")[:n]]
            shares.append(against[surest].mean())
    return np.array(shares, np.float64)
