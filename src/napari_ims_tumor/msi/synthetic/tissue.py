"""The anatomy of a simulated slide: pieces of tissue, their compartments, a ragged tumor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy.ndimage import binary_fill_holes, gaussian_filter

from napari_ims_tumor.msi.arrays import BoolArray, Float64Array, IntArray
from napari_ims_tumor.msi.synthetic.chemistry import COMPARTMENTS
from napari_ims_tumor.msi.synthetic.recipe import SlideRecipe


@dataclass(frozen=True, slots=True, eq=False)
class Tissue:
    """What lies where, as images of the scanned area (rows, columns).

    Attributes
    ----------
    measured
        Pixels the laser visited: the tissue and a margin of bare glass.
    tissue
        Pixels with tissue.
    tumor
        Share of tumor in a pixel, 0 to 1: borders are mixed.
    compartments
        Shape (3, rows, columns): shares of the healthy compartments, sum 1.
    piece
        Number of the piece of tissue, from 0, also around it.
    """

    measured: BoolArray
    tissue: BoolArray
    tumor: Float64Array
    compartments: Float64Array
    piece: IntArray


def smooth_noise(rng: Generator, shape: tuple[int, int], sigma: float) -> Float64Array:
    """Draw a smooth random field of mean 0 and standard deviation 1; ``sigma`` in pixels."""
    field: Float64Array = gaussian_filter(rng.standard_normal(shape), sigma, mode="reflect")
    standard: Float64Array = (field - field.mean()) / max(float(field.std()), 1e-12)
    return standard


def make_tissue(recipe: SlideRecipe, rng: Generator) -> Tissue:
    """Draw the anatomy of one slide."""
    shape = (recipe.rows, recipe.columns)
    piece, radius, size = _pieces(recipe, rng)
    ragged = 0.17 * smooth_noise(rng, shape, 0.14 * size) + 0.05 * smooth_noise(rng, shape, 1.0)
    depth = 1 - radius**2 + ragged
    holes = smooth_noise(rng, shape, 0.06 * size) > 2.4
    tissue = binary_fill_holes(depth > 0.1) & ~holes
    margin = depth + 0.06 * smooth_noise(rng, shape, 2.0) > -0.35
    measured = (tissue | margin) & (rng.random(shape) > 0.003)
    return Tissue(
        measured=measured,
        tissue=tissue,
        tumor=_tumor_share(rng, piece, tissue, size),
        compartments=_compartments(rng, depth, size),
        piece=piece,
    )


def _pieces(recipe: SlideRecipe, rng: Generator) -> tuple[IntArray, Float64Array, float]:
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
    radius = np.where(piece < recipe.patients, np.hypot(x, y), 9.0)
    return piece, radius, 0.85 * min(height, width)


def _arrangement(recipe: SlideRecipe) -> tuple[int, int]:
    """Choose rows and columns of the array so that its places are nearly square."""
    choices = [(down, -(-recipe.patients // down)) for down in range(1, recipe.patients + 1)]

    def badness(choice: tuple[int, int]) -> float:
        down, across = choice
        aspect = (recipe.rows / down) / (recipe.columns / across)
        return abs(float(np.log(aspect))) + 0.5 * (down * across - recipe.patients)

    return min(choices, key=badness)


def _tumor_share(
    rng: Generator, piece: IntArray, tissue: BoolArray, size: float
) -> Float64Array:  # fmt: skip
    """Grow a tumor in every piece: one or few nests with ragged, mixed borders."""
    shape = (piece.shape[0], piece.shape[1])
    field = smooth_noise(rng, shape, 0.2 * size) + 0.35 * smooth_noise(rng, shape, 0.06 * size)
    field += 0.15 * smooth_noise(rng, shape, 0.7)
    share = np.zeros(shape)
    for number in np.unique(piece[tissue]):
        here = tissue & (piece == number)
        border = np.quantile(field[here], 1 - rng.uniform(0.3, 0.65))
        share[here] = 1 / (1 + np.exp(-(field[here] - border) / 0.09))
    return share


def _compartments(rng: Generator, depth: Float64Array, size: float) -> Float64Array:
    """Share tissue out among compartments: epithelium at the rim, the others in smooth regions."""
    shape = (depth.shape[0], depth.shape[1])
    fields = np.stack([smooth_noise(rng, shape, 0.13 * size) for _ in COMPARTMENTS])
    fields[0] += 1.6 * np.exp(-(((depth - 0.2) / 0.25) ** 2)) - 0.6
    shares = np.exp(3.0 * (fields - fields.max(axis=0)))
    normalized: Float64Array = shares / shares.sum(axis=0)
    return normalized
