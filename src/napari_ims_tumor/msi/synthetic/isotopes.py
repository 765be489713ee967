"""Isotope envelopes of lipids and peptides, from the natural abundances of the elements."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np

from napari_ims_tumor.msi.arrays import Float64Array

MoleculeKind = Literal["lipid", "peptide"]

N_ISOTOPES: Final = 6
# Da between two isotope peaks: carbon alone for lipids, with nitrogen and sulfur for peptides.
ISOTOPE_STEP_DA: Final = {"lipid": 1.00336, "peptide": 1.00235}

# Share of atoms with 0, 1 and 2 extra neutrons (IUPAC 2013).
_NEUTRONS: Final = {
    "C": (0.9893, 0.0107, 0.0),
    "H": (0.999885, 0.000115, 0.0),
    "N": (0.99636, 0.00364, 0.0),
    "O": (0.99757, 0.00038, 0.00205),
    "S": (0.9499, 0.0075, 0.0425),
}
# Atoms per Da: a phosphatidylcholine, and averagine (Senko et al., JASMS 1995;6:229).
_ATOMS_PER_DA: Final = {
    "lipid": {"C": 42 / 759.6, "H": 82 / 759.6, "N": 1 / 759.6, "O": 8 / 759.6},
    "peptide": {
        "C": 4.9384 / 111.1254,
        "H": 7.7583 / 111.1254,
        "N": 1.3577 / 111.1254,
        "O": 1.4773 / 111.1254,
        "S": 0.0417 / 111.1254,
    },
}


def isotope_pattern(mass: float, kind: MoleculeKind) -> Float64Array:
    """Relative heights of the first peaks of a molecule's envelope, shape (6,), sum 1."""
    pattern: Float64Array = np.eye(1, N_ISOTOPES)[0]
    for element, per_da in _ATOMS_PER_DA[kind].items():
        atoms = _power(np.array(_NEUTRONS[element]), round(per_da * mass))
        pattern = np.convolve(pattern, atoms)[:N_ISOTOPES]
    normalized: Float64Array = pattern / pattern.sum()
    return normalized


def mass_defect(nominal: float, kind: MoleculeKind) -> float:
    """How far above its whole number the m/z of a molecule lies, in Da."""
    return nominal * (7.6e-4 if kind == "lipid" else 4.95e-4)


def _power(one: Float64Array, n: int) -> Float64Array:
    """Convolve a distribution ``n`` times with itself, by squaring."""
    result: Float64Array = np.eye(1, N_ISOTOPES)[0]
    while n:
        if n & 1:
            result = np.convolve(result, one)[:N_ISOTOPES]
        one = np.convolve(one, one)[:N_ISOTOPES]
        n >>= 1
    return result
