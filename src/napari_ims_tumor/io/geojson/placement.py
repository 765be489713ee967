"""Where a pixel of the slide lies in the coordinates of a GeoJSON file: the one conversion.

QuPath draws on an image of the slide's bounding box. There the pixel of row r and column c covers
x from c to c + 1 and y from r to r + 1, so its center is at (c + 0.5, r + 0.5). Here, as in napari,
whole numbers are the centers of pixels::

    GeoJSON x   0       1       2            GeoJSON (x, y) = (column + 0.5, row + 0.5)
    y 0  ───────┌───────┬───────┐
                │ (0,0) │ (0,1) │            ring of pixel (0, 1):
    y 1  ───────├───────┼───────┤            (1,0) (2,0) (2,1) (1,1) (1,0)
                │ (1,0) │ (1,1) │
    y 2  ───────└───────┴───────┘
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from napari_ims_tumor.errors import LabelsError
from napari_ims_tumor.msi.arrays import Float64Array

_CENTER = 0.5
Matrix = tuple[float, float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class Placement:
    """How the image that was annotated lies over the slide.

    Attributes
    ----------
    affine
        (a, b, u, c, d, v): the annotated image's (x, y) is the slide's (a·x + b·y + u,
        c·x + d·y + v), both counted in their own pixels from the upper left corner of the first
        one. By default they are the same image.
    """

    affine: Matrix = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)

    def __post_init__(self) -> None:
        a, b, _, c, d, _ = self.affine
        # A sum that is finite, and an area that neither vanishes nor overflows.
        area = a * d - b * c
        if not math.isfinite(sum(map(abs, self.affine))) or not 1e-18 < abs(area) < 1e18:
            raise LabelsError(
                f"the coordinates cannot be transformed by {self.affine}: give finite numbers that "
                "turn an area into an area"
            )

    @classmethod
    def scaled(cls, scale: float) -> Placement:
        """Place an image of another resolution: ``scale`` of its pixels are one of the slide's."""
        if not math.isfinite(scale) or scale <= 0:
            raise LabelsError(f"the scale {scale} is not usable: give a number above 0")
        return cls((1 / scale, 0.0, 0.0, 0.0, 1 / scale, 0.0))

    @property
    def is_identity(self) -> bool:
        """Whether the annotated image is the slide itself."""
        return self == Placement()

    def to_pixels(self, xy: ArrayLike) -> Float64Array:
        """Turn (x, y) of the file into (row, column); whole numbers are centers of pixels.

        Parameters
        ----------
        xy
            Shape (n, 2).
        """
        points = np.asarray(xy, np.float64)
        turned = points @ self._linear.T + self._shift
        return np.ascontiguousarray(turned[:, ::-1]) - _CENTER

    def from_pixels(self, row_column: ArrayLike) -> Float64Array:
        """Turn (row, column) into (x, y) of the file: the inverse of :meth:`to_pixels`."""
        points = np.asarray(row_column, np.float64)[:, ::-1] + _CENTER
        if self.is_identity:
            return np.ascontiguousarray(points)
        solved: Float64Array = np.linalg.solve(self._linear, (points - self._shift).T).T
        return solved

    @property
    def _linear(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        a, b, _, c, d, _ = self.affine
        return np.array([[a, b], [c, d]])

    @property
    def _shift(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.array([self.affine[2], self.affine[5]])
