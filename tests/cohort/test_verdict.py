from __future__ import annotations

import pytest

from napari_ims_tumor.cohort.verdict import signed, with_interval


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.0123, "+0.012"), (-0.0123, "−0.012"), (-0.00023, "−0.0002"), (0.0004, "+0.0004"),
     (9e-6, "+0.000009"), (0.0, "0.000"), (1.0, "+1.000")],
)  # fmt: skip
def test_a_difference_has_a_sign_and_is_never_rounded_to_nothing(value: float, words: str) -> None:
    assert signed(value) == words


def test_figures_with_and_without_an_interval() -> None:
    known = {"low": 0.88, "high": 0.978}
    assert with_interval(0.949, known) == "0.949 (0.880 to 0.978)"
    assert with_interval(0.949, {"low": None, "high": None}) == "0.949"
    assert with_interval(0.949, {}, 4) == "0.9490"
    assert with_interval(None, known) == "not judged"
