from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from napari_ims_tumor.cohort.external_validation import validate
from napari_ims_tumor.cohort.fitting import fit_cohort
from napari_ims_tumor.cohort.verdict import signed, with_interval
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.model.config import FitConfig


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


def test_what_is_said_is_true_of_slides_that_were_in_the_fit(cohorts: Any, tmp_path: Path) -> None:
    """The verdict does not deny what the warnings say, and its grammar holds for one network."""
    slides = (cohorts.slide(0, "=1+1"), cohorts.slide(1, "@ben"))
    model = run_inline(fit_cohort(slides, FitConfig(network="linear")))
    report = run_inline(validate(model, slides))
    said = " ".join(report.as_dict()["verdict"])
    assert "76 judged pixels were in the model's fit" in report.warnings[0]
    assert "was judged on 76 labelled pixels of 2 groups, without fitting anything." in said
    assert "The probabilities of linear and linear + neighbors are uncalibrated" in said
    report.write(tmp_path)
    with (tmp_path / "predictions.csv").open(newline="", encoding="utf-8") as file:
        # Spreadsheet programs would compute the names as they are in the table.
        assert {row["group"] for row in csv.DictReader(file)} == {"'=1+1", "'@ben"}
