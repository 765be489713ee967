"""The linear model as one product with rooted spectra: no centered and scaled copy is made.

Scaling is part of the weights: ``W · clip((x - c) / s, ±l)`` is ``(W / s) · clip(x - c, ±l · s)``.
That is two passes over a spectrum instead of five.
"""

from __future__ import annotations

import numpy as np

from napari_ims_tumor.model.linear_path import LinearPath
from napari_ims_tumor.model.normalization import LIMIT, InputNormalization, has_intensity
from napari_ims_tumor.msi.arrays import Float32Array


class FoldedLinear:
    """A linear path behind a normalization, ready to answer to many spectra."""

    def __init__(self, normalization: InputNormalization, linear: LinearPath) -> None:
        self._center, self._bias = normalization.center, linear.bias
        self._weight = np.ascontiguousarray((linear.weight / normalization.scale).T)
        self._most = LIMIT * normalization.scale
        # A root is at least 0: on most axes none can lie that far below the center.
        self._least = -self._most if (self._center > self._most).any() else None

    def logits(self, roots: Float32Array) -> Float32Array:
        """Logits (n, K) of rooted spectra (n, bins) that lie in their place."""
        seen = roots - self._center
        np.minimum(seen, self._most, out=seen)
        if self._least is not None:
            np.maximum(seen, self._least, out=seen)
        found: Float32Array = seen @ self._weight
        # Of an empty spectrum nothing is seen, not even that it is below the center.
        found[~has_intensity(roots)] = 0
        found += self._bias
        return found
