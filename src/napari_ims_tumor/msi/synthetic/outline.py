"""Where tissue lies on a simulated slide: the cores of an array, or one whole section."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy.ndimage import binary_fill_holes, gaussian_filter, label

from napari_ims_tumor.msi.arrays import BoolArray, Float64Array, IntArray
from napari_ims_tumor.msi.synthetic.recipe import SlideRecipe


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """The pieces of tissue on a slide, as images of the scanned area (rows, columns).

    Attributes
    ----------
    piece
        Number of the piece of tissue, from 0, also around it.
    depth
        About 1 in the middle of a piece, 0.1 at its rim, below outside.
    tissue
        Pixels with tissue: lumens and tears are left out.
    size
        Usual diameter of a piece in pixels.
    """

    piece: IntArray
    depth: Float64Array
    tissue: BoolArray
    size: float


def smooth_noise(rng: Generator, shape: tuple[int, int], sigma: float) -> Float64Array:
    """Draw a smooth random field of mean 0 and standard deviation 1; ``sigma`` in pixels."""
    field: Float64Array = gaussian_filter(rng.standard_normal(shape), sigma, mode="reflect")
    standard: Float64Array = (field - field.mean()) / max(float(field.std()), 1e-12)
    return standard


def draw_outline(recipe: SlideRecipe, rng: Generator) -> Outline:
    """Draw the pieces of tissue of one slide."""
    return _section(recipe, rng) if recipe.scene == "section" else _array(recipe, rng)


def _array(recipe: SlideRecipe, rng: Generator) -> Outline:
    shape = (recipe.rows, recipe.columns)
    piece, radius, size = _cores(recipe, rng)
    ragged = 0.17 * smooth_noise(rng, shape, 0.14 * size) + 0.05 * smooth_noise(rng, shape, 1.0)
    depth = 1 - radius**2 + ragged
    holes = smooth_noise(rng, shape, 0.06 * size) > 2.4
    return Outline(piece, depth, binary_fill_holes(depth > 0.1) & ~holes, size)


def _section(recipe: SlideRecipe, rng: Generator) -> Outline:
    """Draw one large, lobed piece of tissue with lumens and tears."""
    shape = (recipe.rows, recipe.columns)
    row, column = np.mgrid[: recipe.rows, : recipe.columns].astype(float)
    y, x = 2 * row / (recipe.rows - 1) - 1, 2 * column / (recipe.columns - 1) - 1
    angle, radius = np.arctan2(y, x), np.hypot(x, y)
    reach = np.full(shape, 0.84)
    for lobes in (2, 3, 5):
        reach += rng.normal(0, 0.09 / np.sqrt(lobes)) * np.cos(lobes * angle + rng.uniform(0, 6.3))
    size = 0.85 * min(shape)
    ragged = 0.1 * smooth_noise(rng, shape, 0.06 * size) + 0.04 * smooth_noise(rng, shape, 1.0)
    depth = 1 - (radius / reach) ** 2 + ragged
    lumens = smooth_noise(rng, shape, max(1.0, 0.02 * size)) > 2.6
    solid = binary_fill_holes(depth > 0.1) & ~lumens & ~_tears(rng, shape, size)
    return Outline(np.zeros(shape, np.int64), depth, _largest(solid), size)


def _tears(rng: Generator, shape: tuple[int, int], size: float) -> BoolArray:
    """Draw thin, winding gaps: the contour of one field, where another one is high."""
    contour, where = (smooth_noise(rng, shape, 0.09 * size) for _ in range(2))
    slope = np.hypot(*np.gradient(contour))
    torn: BoolArray = (np.abs(contour) < 0.7 * slope) & (where > 1.4)
    return torn


def _largest(mask: BoolArray) -> BoolArray:
    """Keep the largest connected part: what tears off is lost on the way to the slide."""
    parts, n = label(mask)
    if n < 2:
        return mask
    kept: BoolArray = parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])
    return kept


def _cores(recipe: SlideRecipe, rng: Generator) -> tuple[IntArray, Float64Array, float]:
    """Lay the pieces out like a tissue array.

    Returns
    -------
    piece, radius, size
        Number of the piece, distance from its center (1 at its rim), and its diameter in pixels.
    """
    down, across = _arrangement(recipe)
    row, column = np.mgrid[: recipe.rows, : recipe.columns].astype(float)
    height, width = recipe.rows / down, recipe.columns / across
    piece_row = (row // height).astype(np.int64)
    piece_column = (column // width).astype(np.int64)
    piece = piece_row * across + piece_column
    n = down * across
    shift, stretch = rng.uniform(-0.04, 0.04, (2, n)), rng.uniform(0.4, 0.45, (2, n))
    y = (row / height - piece_row - 0.5 - shift[0][piece]) / stretch[0][piece]
    x = (column / width - piece_column - 0.5 - shift[1][piece]) / stretch[1][piece]
    # Places of the array beyond the last patient stay bare.
    radius = np.where(piece < recipe.n_patients, np.hypot(x, y), 9.0)
    return piece, radius, 0.85 * min(height, width)


def _arrangement(recipe: SlideRecipe) -> tuple[int, int]:
    """Choose rows and columns of the array so that its places are nearly square."""
    patients = recipe.n_patients
    choices = [(down, -(-patients // down)) for down in range(1, patients + 1)]

    def badness(choice: tuple[int, int]) -> float:
        down, across = choice
        aspect = (recipe.rows / down) / (recipe.columns / across)
        return abs(float(np.log(aspect))) + 0.5 * (down * across - patients)

    return min(choices, key=badness)
