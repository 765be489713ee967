"""Which molecules there are, where they belong, and which of them know about the tumor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.random import Generator

from napari_ims_tumor.msi.arrays import BoolArray, Float64Array, IntArray, frozen
from napari_ims_tumor.msi.synthetic.isotopes import MoleculeKind, isotope_pattern, mass_defect
from napari_ims_tumor.msi.synthetic.recipe import SlideRecipe

COMPARTMENTS: Final = ("epithelium", "stroma", "muscle")
N_FACTORS: Final = 5
DA_PER_MOLECULE: Final = 2.4
LIPIDS_BELOW_MZ: Final = 1000.0


@dataclass(frozen=True, eq=False)
class Chemistry:
    """The molecules of a cohort; abundances are natural logarithms.

    Attributes
    ----------
    mz
        Monoisotopic m/z, shape (molecules,), ascending.
    patterns
        Isotope envelopes, shape (molecules, 6).
    is_matrix
        Peaks of the matrix, strong beside the tissue.
    level
        Usual abundance.
    compartments
        Shape (3, molecules): what each healthy compartment adds.
    loadings
        Shape (5, molecules): how latent factors (blood, fat, fixation, …) move them together.
    tumor
        What tumor adds: signal that each envelope shows on its own.
    pairs
        Shape (pairs, 2): far molecules that go together in tumor and apart in healthy tissue.
    """

    mz: Float64Array
    patterns: Float64Array
    is_matrix: BoolArray
    level: Float64Array
    compartments: Float64Array
    loadings: Float64Array
    tumor: Float64Array
    pairs: IntArray

    def __post_init__(self) -> None:
        kinds = {"is_matrix": np.bool_, "pairs": np.int64}
        for name in self.__dataclass_fields__:
            object.__setattr__(self, name, frozen(getattr(self, name), kinds.get(name, np.float64)))

    def as_truth(self) -> list[dict[str, Any]]:
        """List every planted molecule, as plain numbers for a JSON file."""
        partner = {int(a): int(b) for pair in self.pairs for a, b in (pair, pair[::-1])}
        return [
            {
                "mz": round(float(self.mz[i]), 5),
                "kind": kind_at(float(self.mz[i])),
                "matrix": bool(self.is_matrix[i]),
                "tumor_log_fold": round(float(self.tumor[i]), 4),
                "compartment": COMPARTMENTS[int(np.argmax(self.compartments[:, i]))],
                "partner_mz": round(float(self.mz[partner[i]]), 5) if i in partner else None,
            }
            for i in range(self.mz.size)
        ]


def kind_at(mz: float) -> MoleculeKind:
    """Lipids lie low, peptides high."""
    return "lipid" if mz < LIPIDS_BELOW_MZ else "peptide"


def make_chemistry(recipe: SlideRecipe) -> Chemistry:
    """Draw the molecules of a recipe; all slides of a cohort share them."""
    rng = np.random.default_rng([recipe.seed, 1])
    mz = _places(rng, recipe)
    n = mz.size
    is_matrix = rng.random(n) < 0.12
    tissue = np.flatnonzero(~is_matrix)
    pairs = _far_pairs(rng, tissue)
    return Chemistry(
        mz=mz,
        patterns=np.array([isotope_pattern(m, kind_at(m)) for m in mz]),
        is_matrix=is_matrix,
        level=rng.normal(0.0, 0.9, n) + 0.6 * is_matrix,
        compartments=np.where(rng.random((3, n)) < 0.3, rng.normal(0.5, 0.8, (3, n)), 0.0),
        loadings=rng.normal(0, 0.25, (N_FACTORS, n)) * (rng.random((N_FACTORS, n)) < 0.4),
        tumor=recipe.local_signal * _tumor_effects(rng, np.setdiff1d(tissue, pairs), n),
        pairs=pairs,
    )


def _places(rng: Generator, recipe: SlideRecipe) -> Float64Array:
    """Draw m/z values at least two nominal masses apart, with the mass defect of their kind."""
    low, high = recipe.mz_low + 1, recipe.mz_high - 4
    n = max(8, int((high - low) / DA_PER_MOLECULE))
    gaps = rng.dirichlet(np.full(n + 1, 3.0)) * (high - low)
    nominal = np.unique(np.floor(low + np.cumsum(gaps[:-1])))
    mz = np.array([m + mass_defect(m, kind_at(m)) for m in nominal])
    return mz[mz < high]


def _tumor_effects(rng: Generator, candidates: IntArray, n: int) -> Float64Array:
    """A few envelopes say much, a third of all say a little."""
    effect = np.zeros(n)
    spread = rng.choice(candidates, size=max(2, candidates.size // 3), replace=False)
    effect[spread] = rng.normal(0.0, 0.2, spread.size)
    strong = rng.choice(candidates, size=max(2, candidates.size // 12), replace=False)
    signs = np.where(np.arange(strong.size) % 2, -1.0, 1.0)
    effect[strong] = signs * rng.uniform(0.5, 0.9, strong.size)
    return effect


def _far_pairs(rng: Generator, tissue: IntArray) -> IntArray:
    """Join molecules of the lowest quarter of the axis to molecules of the highest."""
    quarter = max(1, tissue.size // 4)
    n = min(4, quarter)
    low = rng.choice(tissue[:quarter], n, replace=False)
    high = rng.choice(tissue[-quarter:], n, replace=False)
    return np.stack([low, high], axis=1)
