"""What a fit keeps of a model of another cohort: everything but the classes it does not share.

The m/z axis, what is done to spectra, centers, scales and the blocks of the CNN know nothing of
classes. Weights that lead to a class are kept by the class's name; a class that the base does not
know begins at zero. One that only the base knows is left out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from napari_ims_tumor.model.fitted_model import (
    CNN_PREFIX,
    LINEAR_BIAS,
    LINEAR_WEIGHT,
    FittedModel,
)
from napari_ims_tumor.msi.arrays import Float32Array

PER_CLASS: Final = (
    LINEAR_WEIGHT, LINEAR_BIAS, CNN_PREFIX + "output.weight", CNN_PREFIX + "output.bias",
)  # fmt: skip
"""Arrays with one row per class."""


def with_classes(base: FittedModel, names: tuple[str, ...]) -> FittedModel:
    """The same model for other classes, or for the same ones in another order.

    Returns
    -------
    FittedModel
        Uncalibrated: it was another question that its probabilities answered.
    """
    if base.class_names == names:
        return base
    known = {_plain(name): row for row, name in enumerate(base.class_names)}
    rows = [known.get(_plain(name)) for name in names]
    weights = {
        name: _rows(values, rows) if name in PER_CLASS else values
        for name, values in base.weights.items()
    }
    shape = replace(base.network, classes=len(names))
    return replace(base, weights=weights, network=shape, class_names=names, temperature=None)


def kept_words(base: FittedModel, names: tuple[str, ...]) -> str | None:
    """Say what of the base's classes a fit keeps; ``None`` where they are the fit's own."""
    if base.class_names == names:
        return None
    ours, theirs = ({_plain(n): n for n in some} for some in (names, base.class_names))
    kept = [ours[key] for key in ours if key in theirs]
    new = [ours[key] for key in ours if key not in theirs]
    gone = [theirs[key] for key in theirs if key not in ours]
    parts = ["m/z axis and normalization"]
    parts += ["the blocks of the CNN"] if base.has_cnn else []
    parts += [f"what it knew of {', '.join(kept)}"] if kept else []
    said = f"kept of the base: {', '.join(parts)}"
    said += f"; new: {', '.join(new)}" if new else ""
    return said + (f"; not kept: {', '.join(gone)}" if gone else "")


def _rows(values: Float32Array, rows: list[int | None]) -> Float32Array:
    """Rows by number, less the mean of all: a new class begins as the average of the base's."""
    found = np.zeros((len(rows), *values.shape[1:]), np.float32)
    for at, row in enumerate(rows):
        if row is not None:
            found[at] = values[row] - values.mean(axis=0)
    return found


def _plain(name: str) -> str:
    return name.strip().casefold()
