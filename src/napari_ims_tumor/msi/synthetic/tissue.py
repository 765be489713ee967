"""The anatomy of a simulated slide: healthy compartments, a ragged tumor, necrosis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator
from scipy.ndimage import distance_transform_edt, gaussian_filter

from napari_ims_tumor.msi.arrays import BoolArray, Float64Array, IntArray, LabelArray
from napari_ims_tumor.msi.synthetic.chemistry import COMPARTMENTS
from napari_ims_tumor.msi.synthetic.outline import Outline, draw_outline, smooth_noise
from napari_ims_tumor.msi.synthetic.recipe import SlideRecipe

# Beyond this distance from its border a tumor starves.
VIABLE_RIM_UM: Final = 300.0
# Signals that nothing but themselves may give away: no anatomy goes with the tumor.
BLIND_SIGNALS: Final = ("none", "distant-gate")


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
        Share of living tumor in a pixel, 0 to 1: borders are mixed.
    necrosis
        Share of dead tumor.
    compartments
        Shape (4, rows, columns): shares of the healthy compartments among the tissue that the
        tumor grew into, sum 1.
    piece
        Number of the piece of tissue, from 0, also around it.
    """

    measured: BoolArray
    tissue: BoolArray
    tumor: Float64Array
    necrosis: Float64Array
    compartments: Float64Array
    piece: IntArray


def make_tissue(recipe: SlideRecipe, rng: Generator) -> Tissue:
    """Draw the anatomy of one slide."""
    shape = (recipe.rows, recipe.columns)
    outline = draw_outline(recipe, rng)
    margin = outline.depth + 0.06 * smooth_noise(rng, shape, 2.0) > -0.35
    measured = (outline.tissue | margin) & (rng.random(shape) > 0.003)
    measured &= ~_between(outline.piece)
    share = _tumor_share(rng, outline, recipe)
    blind = recipe.signal in BLIND_SIGNALS
    necrosis = np.zeros(shape)
    if recipe.scene == "section" and not blind:
        necrosis = _necrosis(rng, share, recipe)
    if recipe.signal == "distant-gate":
        share = (share > 0.5).astype(np.float64)
    reaction = np.zeros(shape) if blind or recipe.scene == "array" else _reaction(share)
    return Tissue(
        measured=measured,
        tissue=outline.tissue,
        tumor=share * (1 - necrosis),
        necrosis=share * necrosis,
        compartments=_compartments(rng, outline, reaction),
        piece=outline.piece,
    )


def clean_labels(tissue: Tissue) -> LabelArray:
    """Label as an expert would who sees everything: 1 healthy, 2 tumor, 0 the rest.

    Dead tumor is left out, as an expert asked for living tumor leaves it out: pixels that the
    tumor fills and whose living share is no half are 0. So are pixels without tissue.
    """
    filled = tissue.tumor + tissue.necrosis > 0.5
    labels = np.where(filled, np.where(tissue.tumor > 0.5, 2, 0), 1)
    marked: LabelArray = (labels * (tissue.tissue & tissue.measured)).astype(np.uint8)
    return marked


def _between(piece: IntArray) -> BoolArray:
    """The line of pixels that parts neighboring pieces: cores of an array are measured apart."""
    between: BoolArray = np.zeros(piece.shape, np.bool_)
    between[:-1] |= piece[:-1] != piece[1:]
    between[:, :-1] |= piece[:, :-1] != piece[:, 1:]
    return between


def _tumor_share(rng: Generator, outline: Outline, recipe: SlideRecipe) -> Float64Array:
    """Grow nests of tumor in every piece, with fingers and single nests around them."""
    shape = (recipe.rows, recipe.columns)
    size, wild = outline.size, recipe.infiltration
    section = recipe.scene == "section"
    coarse, fine = (0.1, 0.04) if section else (0.2, 0.06)
    field = smooth_noise(rng, shape, coarse * size) + 0.35 * smooth_noise(rng, shape, fine * size)
    # Fingers of one or two pixels: the border of the nests is roughened, their middle is not.
    fingers = 0.3 * smooth_noise(rng, shape, 0.7) + 0.5 * smooth_noise(rng, shape, 1.4)
    share = np.zeros(shape)
    for number in np.unique(outline.piece[outline.tissue]):
        here = outline.tissue & (outline.piece == number)
        low, high = (0.2, 0.4) if section else (0.3, 0.65)
        border = np.quantile(field[here], 1 - rng.uniform(low, high))
        inside = field[here] - border
        inside = inside + 1.4 * wild * fingers[here] * np.exp(-((inside / 0.7) ** 2))
        share[here] = 1 / (1 + np.exp(-inside / 0.09))
    return np.maximum(share, _single_nests(rng, share, outline.tissue, wild))


def _single_nests(
    rng: Generator, share: Float64Array, tissue: BoolArray, wild: float
) -> Float64Array:
    """Sow clusters of tumor cells, fewer with the distance from the tumor."""
    distance = (
        distance_transform_edt(share <= 0.5) if (share > 0.5).any() else np.full(share.shape, 99.0)
    )
    sown = rng.random(share.shape) < 0.12 * wild * np.exp(-distance / (1 + 8 * wild))
    cells = np.where(sown & tissue, rng.uniform(0.3, 1.0, share.shape), 0.0)
    return np.minimum(cells + 0.25 * gaussian_filter(cells, 0.7) * tissue, 1.0)


def _necrosis(rng: Generator, share: Float64Array, recipe: SlideRecipe) -> Float64Array:
    """Let the middle of large nests die: what lies deeper than oxygen reaches."""
    depth = distance_transform_edt(gaussian_filter(share, 1.0) > 0.5)
    rim = float(np.clip(VIABLE_RIM_UM / recipe.pixel_size_um, 2.0, 40.0))
    uneven = 0.25 * rim * smooth_noise(rng, (recipe.rows, recipe.columns), 1.5)
    dead: Float64Array = 1 / (1 + np.exp(-(depth - rim + uneven) / 0.4)) * (depth > 1)
    return dead


def _reaction(share: Float64Array) -> Float64Array:
    """How strongly the tissue around a tumor turns into stroma, 0 to about 1."""
    around: Float64Array = 4 * gaussian_filter(share, 3.0) * (1 - share)
    return np.minimum(around, 1.0)


def _compartments(rng: Generator, outline: Outline, reaction: Float64Array) -> Float64Array:
    """Share tissue out among compartments: epithelium at the rim, the others in smooth regions."""
    depth = outline.depth
    shape = (depth.shape[0], depth.shape[1])
    fields = np.stack([smooth_noise(rng, shape, 0.13 * outline.size) for _ in COMPARTMENTS])
    fields[0] += 1.6 * np.exp(-(((depth - 0.2) / 0.25) ** 2)) - 0.6
    fields[1] += 1.5 * reaction
    fields[3] -= 0.6
    shares = np.exp(3.0 * (fields - fields.max(axis=0)))
    normalized: Float64Array = shares / shares.sum(axis=0)
    return normalized
