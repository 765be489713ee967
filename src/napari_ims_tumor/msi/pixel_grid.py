"""Where the spectra lie: rows and columns in the bounding box of what was measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.msi.arrays import BoolArray, IntArray, frozen


@dataclass(frozen=True, eq=False)
class PixelGrid:
    """Positions of spectra on the slide.

    An *image* of a slide has shape (rows, columns), or (planes, rows, columns) where the file is a
    stack of sections. A *vector* has one entry per spectrum, in file order.

    Attributes
    ----------
    rows, columns
        Shape (n_spectra,), int64, 0-based in the bounding box of the measured pixels.
    shape
        (rows, columns) of the bounding box.
    pixel_size_um
        (row, column) pixel size in µm; ``None`` where the file does not say.
    origin
        (row, column) of the bounding box's first pixel in the slide's own 0-based coordinates:
        an absolute label image indexed [y−1, x−1] is cropped at this place.
    planes
        Shape (n_spectra,), 0-based section of each spectrum; all 0 for an ordinary slide.
    """

    rows: IntArray
    columns: IntArray
    shape: tuple[int, int]
    pixel_size_um: tuple[float, float] | None = None
    origin: tuple[int, int] = (0, 0)
    planes: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        rows, columns = frozen(self.rows, np.int64), frozen(self.columns, np.int64)
        planes = frozen(self.planes if self.planes.size else np.zeros(rows.size), np.int64)
        if not rows.shape == columns.shape == planes.shape:
            raise SlideError("rows, columns and planes must have one entry per spectrum")
        if rows.size and (min(rows.min(), columns.min(), planes.min()) < 0):
            raise SlideError("rows, columns and planes are 0-based and cannot be negative")
        if rows.size and (rows.max() >= self.shape[0] or columns.max() >= self.shape[1]):
            raise SlideError(f"a pixel lies outside the grid of {self.shape}")
        for name, value in (("rows", rows), ("columns", columns), ("planes", planes)):
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return int(self.rows.size)

    @cached_property
    def n_planes(self) -> int:
        """Number of sections; 1 for an ordinary slide."""
        return int(self.planes.max()) + 1 if self.planes.size else 1

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of an image: (rows, columns), or (planes, rows, columns) for several sections."""
        return self.shape if self.n_planes == 1 else (self.n_planes, *self.shape)

    @cached_property
    def _flat(self) -> IntArray:
        height, width = self.shape
        return frozen((self.planes * height + self.rows) * width + self.columns, np.int64)

    @cached_property
    def _first(self) -> tuple[IntArray, IntArray]:
        """Flat position and spectrum of each measured pixel: of duplicates the first wins."""
        positions, first = np.unique(self._flat, return_index=True)
        return positions, first.astype(np.int64)

    @cached_property
    def lookup(self) -> IntArray:
        """Spectrum index of every pixel of the image, −1 where nothing was measured."""
        image = np.full(int(np.prod(self.image_shape)), -1, np.int64)
        positions, first = self._first
        image[positions] = first
        image.flags.writeable = False
        return image.reshape(self.image_shape)

    @cached_property
    def measured(self) -> BoolArray:
        """Mask of the measured pixels, in the shape of an image."""
        return frozen(self.lookup >= 0, np.bool_)

    @cached_property
    def _has_holes(self) -> bool:
        return not bool(self.measured.all())

    @property
    def n_duplicates(self) -> int:
        """Number of spectra at a pixel that an earlier spectrum already holds."""
        return len(self) - int(self._first[0].size)

    @property
    def first_duplicate(self) -> int | None:
        """The first such spectrum; ``None`` where every spectrum has a pixel of its own."""
        later = np.ones(len(self), bool)
        later[self._first[1]] = False
        return int(np.argmax(later)) if later.any() else None

    def index_at(self, row: int, column: int, plane: int = 0) -> int | None:
        """Spectrum at a pixel; ``None`` outside the grid and where nothing was measured."""
        inside = 0 <= row < self.shape[0] and 0 <= column < self.shape[1]
        if not inside or not 0 <= plane < self.n_planes:
            return None
        found = int(self.lookup.reshape(self.n_planes, *self.shape)[plane, row, column])
        return None if found < 0 else found

    def as_image(self, vector: ArrayLike, fill: float = np.nan) -> NDArray[Any]:
        """Lay one value per spectrum out as an image; unmeasured pixels hold ``fill``.

        Parameters
        ----------
        vector
            Shape (..., n_spectra).
        fill
            Value of unmeasured pixels.

        Returns
        -------
        ndarray
            Shape (..., *image_shape), the vector's dtype.
        """
        values = np.asarray(vector)
        if values.shape[-1] != len(self):
            raise SlideError(f"{values.shape[-1]} values for {len(self)} spectra")
        if len(self) == 0:
            return np.full((*values.shape[:-1], *self.image_shape), fill, values.dtype)
        # One walk through the pixels: −1, the last spectrum, stands in where there is none.
        image = np.take(values, self.lookup, axis=-1)
        if self._has_holes:
            image[..., ~self.measured] = fill
        return image

    def as_vector(self, image: ArrayLike) -> NDArray[Any]:
        """Pick the value under each spectrum out of an image: the inverse of :meth:`as_image`.

        Parameters
        ----------
        image
            Shape (..., *image_shape).

        Returns
        -------
        ndarray
            Shape (..., n_spectra).
        """
        values = np.asarray(image)
        n = len(self.image_shape)
        if values.shape[-n:] != self.image_shape:
            raise SlideError(f"an image of {values.shape} on a slide of {self.image_shape}")
        flat: NDArray[Any] = values.reshape((*values.shape[:-n], -1))[..., self._flat]
        return flat
