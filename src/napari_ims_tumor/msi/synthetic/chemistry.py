"""Which molecules there are, where they belong, and which of them know about the tumor.

The kinds of signal:

``additive``
    Many small effects over the whole spectrum; each alone says little, their sum says it.
``local``
    A few single isotope envelopes say it alone.
``distant-gate``
    A group of molecules in the middle of the axis (C) decides whether the group at its low end
    (A) or the one at its high end (D) tells tumor; the other one then means nothing. Each alone,
    and any sum of them, is right three times in four: see :mod:`.gate`.
``none``
    Nothing says it, although the labels look like anatomy.
``mixed``
    Additive and local, and pairs of far molecules that agree in tumor and disagree elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from napari_ims_tumor.msi.arrays import BoolArray, Float64Array, IntArray, frozen
from napari_ims_tumor.msi.synthetic.isotopes import (
    ISOTOPE_STEP_DA,
    N_ISOTOPES,
    MoleculeKind,
    isotope_pattern,
    mass_defect,
)
from napari_ims_tumor.msi.synthetic.recipe import SignalKind, SlideRecipe

COMPARTMENTS: Final = ("epithelium", "stroma", "muscle", "fat")
N_FACTORS: Final = 5
DA_PER_MOLECULE: Final = 2.4
LIPIDS_BELOW_MZ: Final = 1000.0
# Width of a family of molecules, such as the phosphatidylcholines of one length.
FAMILY_DA: Final = 9.0
LOCAL_STRENGTH: Final = 1.5
ADDITIVE_SUM: Final = 2.0
MOST_LOCAL: Final = 8
# Molecules of a gate's group: even, so that half rise while half fall and the sum stays.
MOST_IN_GROUP: Final = 8
# Well above the chemical noise: the states of a gate are meant to be sharp.
GATE_LEVEL: Final = 1.0
NO_PAIRS: Final = np.zeros((0, 2), np.int64)
GATE_REGIONS: Final = {"gate A": (0.0, 0.2), "gate C": (0.42, 0.58), "gate D": (0.8, 1.0)}


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
        Shape (4, molecules): what each healthy compartment adds.
    necrosis
        What necrosis adds, beside its lower ion yield.
    loadings
        Shape (5, molecules): how latent factors (blood, fat, fixation, …) move them together.
    tumor
        What tumor adds: signal that each envelope shows on its own.
    role
        Why a molecule is there, shape (molecules,): ``"matrix"``, ``"additive"``, ``"local"``,
        ``"pair"``, ``"gate A"``, ``"gate C"``, ``"gate D"``, ``"necrosis"``, ``"compartment"`` or
        ``"none"``.
    pairs
        Shape (pairs, 2): far molecules that go together in tumor and apart in healthy tissue.
    gate_sign
        How a molecule follows the state of its gate group: +1, −1, or 0 outside the groups.
    """

    mz: Float64Array
    patterns: Float64Array
    is_matrix: BoolArray
    level: Float64Array
    compartments: Float64Array
    necrosis: Float64Array
    loadings: Float64Array
    tumor: Float64Array
    role: NDArray[np.str_]
    pairs: IntArray
    gate_sign: Float64Array

    def __post_init__(self) -> None:
        kinds = {"is_matrix": np.bool_, "pairs": np.int64, "role": np.str_}
        for name in self.__dataclass_fields__:
            object.__setattr__(self, name, frozen(getattr(self, name), kinds.get(name, np.float64)))

    def as_truth(self) -> list[dict[str, Any]]:
        """List every planted molecule, as plain numbers for a JSON file."""
        partner = {int(a): int(b) for pair in self.pairs for a, b in (pair, pair[::-1])}
        centers, heights = peak_list(self)
        return [
            {
                "mz": round(float(self.mz[i]), 5),
                "kind": kind_at(float(self.mz[i])),
                "role": str(self.role[i]),
                "isotopes": [round(float(m), 5) for m in centers[i]],
                "isotope_heights": [round(float(h), 6) for h in heights[i]],
                "matrix": bool(self.is_matrix[i]),
                "log_level": round(float(self.level[i]), 4),
                "tumor_log_fold": round(float(self.tumor[i]), 4),
                "necrosis_log_fold": round(float(self.necrosis[i]), 4),
                "compartment": COMPARTMENTS[int(np.argmax(self.compartments[:, i]))],
                "compartment_log_fold": {
                    name: round(float(self.compartments[k, i]), 4)
                    for k, name in enumerate(COMPARTMENTS)
                },
                "partner_mz": round(float(self.mz[partner[i]]), 5) if i in partner else None,
                "gate_sign": int(self.gate_sign[i]),
            }
            for i in range(self.mz.size)
        ]


def kind_at(mz: float) -> MoleculeKind:
    """Lipids lie low, peptides high."""
    return "lipid" if mz < LIPIDS_BELOW_MZ else "peptide"


def peak_list(chemistry: Chemistry) -> tuple[Float64Array, Float64Array]:
    """Return m/z, shape (molecules, 6), and height per abundance of every isotope peak."""
    step = np.array([ISOTOPE_STEP_DA[kind_at(m)] for m in chemistry.mz])
    return chemistry.mz[:, None] + step[:, None] * np.arange(N_ISOTOPES), chemistry.patterns


def make_chemistry(recipe: SlideRecipe) -> Chemistry:
    """Draw the molecules of a recipe; all slides of a cohort share them."""
    rng = np.random.default_rng([recipe.seed, 1])
    mz = _places(rng, recipe)
    n = mz.size
    is_matrix = rng.random(n) < 0.12
    tissue = np.flatnonzero(~is_matrix)
    role = np.where(is_matrix, "matrix", "none").astype("<U11")
    gate_sign = _plant_gate(rng, recipe.signal, tissue, role)
    pairs = _far_pairs(rng, tissue, role) if recipe.signal == "mixed" else NO_PAIRS
    tumor = recipe.strength * _tumor_effects(rng, recipe.signal, role)
    free = gate_sign == 0
    compartments = np.where(rng.random((4, n)) < 0.3, rng.normal(0.5, 0.8, (4, n)), 0.0) * free
    necrosis = np.where(rng.random(n) < 0.08, rng.uniform(0.8, 1.8, n), 0.0) * free * ~is_matrix
    role[(role == "none") & (necrosis > 0)] = "necrosis"
    role[(role == "none") & (compartments != 0).any(axis=0)] = "compartment"
    return Chemistry(
        mz=mz,
        patterns=np.array([isotope_pattern(m, kind_at(m)) for m in mz]),
        is_matrix=is_matrix,
        level=np.where(free, _levels(rng, mz) + 0.6 * is_matrix, GATE_LEVEL),
        compartments=compartments,
        necrosis=necrosis,
        loadings=rng.normal(0, 0.25, (N_FACTORS, n)) * (rng.random((N_FACTORS, n)) < 0.4) * free,
        tumor=tumor,
        role=role,
        pairs=pairs,
        gate_sign=gate_sign,
    )


def _places(rng: Generator, recipe: SlideRecipe) -> Float64Array:
    """Draw m/z values at least two nominal masses apart, with the mass defect of their kind."""
    low, high = recipe.mz_low + 1, recipe.mz_high - 4
    n = max(8, int((high - low) / DA_PER_MOLECULE))
    gaps = rng.dirichlet(np.full(n + 1, 3.0)) * (high - low)
    nominal = np.unique(np.floor(low + np.cumsum(gaps[:-1])))
    mz = np.array([m + mass_defect(m, kind_at(m)) for m in nominal])
    return mz[mz < high]


def _levels(rng: Generator, mz: Float64Array) -> Float64Array:
    """Draw usual abundances: families of molecules share their height, a few stand out."""
    families = gaussian_filter1d(rng.standard_normal(int(mz[-1]) + 1), FAMILY_DA / 2)
    families /= families.std()
    leading = np.where(rng.random(mz.size) < 0.03, rng.exponential(0.8, mz.size), 0.0)
    level: Float64Array = 0.7 * rng.standard_normal(mz.size) + leading - 0.2
    return level + 0.6 * families[mz.astype(np.int64)]


def _tumor_effects(rng: Generator, signal: SignalKind, role: NDArray[np.str_]) -> Float64Array:
    """Let molecules without a role know about the tumor, and name their role."""
    effect = np.zeros(role.size)
    candidates = np.flatnonzero(role == "none")
    if signal in ("mixed", "additive"):
        share = 1 / 3 if signal == "mixed" else 2 / 3
        many = rng.choice(candidates, max(2, int(candidates.size * share)), replace=False)
        effect[many] = _small_effects(rng, signal, many.size)
        role[many] = "additive"
    if signal in ("mixed", "local"):
        wanted = candidates.size // (12 if signal == "mixed" else 3)
        few = rng.choice(candidates, max(2, min(MOST_LOCAL, wanted)), replace=False)
        signs = np.where(np.arange(few.size) % 2, -1.0, 1.0)
        effect[few] = signs * LOCAL_STRENGTH * rng.uniform(0.5, 0.9, few.size)
        role[few] = "local"
    return effect


def _small_effects(rng: Generator, signal: SignalKind, n: int) -> Float64Array:
    """Draw effects that are smaller the more there are: their sum tells the same on every axis."""
    usual = ADDITIVE_SUM / np.sqrt(n)
    if signal == "mixed":
        return rng.normal(0.0, min(0.75 * usual, 0.3), n)
    # Alone in the spectrum, all are about as small.
    sizes: Float64Array = min(usual, 0.4) * rng.uniform(0.6, 1.4, n)
    return sizes * np.where(rng.random(n) < 0.5, -1.0, 1.0)


def _far_pairs(rng: Generator, tissue: IntArray, role: NDArray[np.str_]) -> IntArray:
    """Join molecules of the lowest quarter of the axis to molecules of the highest."""
    quarter = max(1, tissue.size // 4)
    n = min(4, quarter)
    low = rng.choice(tissue[:quarter], n, replace=False)
    high = rng.choice(tissue[-quarter:], n, replace=False)
    role[low] = role[high] = "pair"
    return np.stack([low, high], axis=1)


def _plant_gate(
    rng: Generator, signal: SignalKind, tissue: IntArray, role: NDArray[np.str_]
) -> Float64Array:
    """Choose the groups A, C and D, and whether each molecule rises or falls with its group."""
    sign = np.zeros(role.size)
    if signal != "distant-gate":
        return sign
    for group, (start, stop) in GATE_REGIONS.items():
        region = tissue[int(start * tissue.size) : max(1, int(np.ceil(stop * tissue.size)))]
        n = max(2, min(MOST_IN_GROUP, region.size // 2 * 2))
        members = np.sort(rng.choice(region, min(n, region.size), replace=False))
        role[members] = group
        sign[members] = np.where(np.arange(members.size) % 2, -1.0, 1.0)
    return sign
