from __future__ import annotations

import numpy as np

from napari_ims_tumor.msi.synthetic.planted import recovery


def molecule(mz: float, role: str) -> dict[str, object]:
    heights = [0.6, 0.3, 0.08, 0.02]
    return {
        "role": role,
        "log_level": 0.0,
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


def test_of_two_molecules_in_one_peak_the_higher_is_meant_first() -> None:
    near = {"molecules": [molecule(700, "local"), molecule(701, "local"), molecule(720, "none")]}
    # 700 with its isotope and 701 in it, then 701 again as its own isotope.
    found = recovery(near, np.array([700.0, 701.0, 720.0]), 0.2)
    assert (found.found, found.wanted) == (2, 2)
    assert recovery(near, np.array([701.0, 720.0, 700.0]), 0.2).found == 1
