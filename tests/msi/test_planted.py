from __future__ import annotations

import numpy as np

from napari_ims_tumor.msi.synthetic.planted import recovery


def molecule(mz: float, role: str) -> dict[str, object]:
    heights = [0.6, 0.3, 0.08, 0.02]
    return {
        "role": role,
        "isotopes": [mz + 1.00336 * k for k in range(4)],
        "isotope_heights": heights,
    }


TRUTH = {"molecules": [molecule(700, "local"), molecule(720, "none"), molecule(740, "gate C")]}


def test_isotopes_count_as_their_molecule_and_each_molecule_once() -> None:
    found = recovery(TRUTH, np.array([701.0, 740.1, 720.0, 700.0]), 0.2)
    assert (found.found, found.wanted, found.share) == (2, 2, 1.0)
    twice = recovery(TRUTH, np.array([701.0, 700.0, 720.0, 740.1]), 0.2)
    assert twice.found == 1
    again = recovery(TRUTH, np.array([701.0, 700.0, 740.1, 720.0]), 0.2)
    assert again.found == 2


def test_low_isotopes_and_other_molecules_do_not_count() -> None:
    found = recovery(TRUTH, np.array([702.0, 720.0, 700.0, 740.0]), 0.2)
    assert found.found == 0
    assert 0.8 < found.by_chance < 1.2
