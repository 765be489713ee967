"""The held-out predictions, one row per labelled pixel, so that others can compute every figure."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from napari_ims_tumor.io.table_file import as_text

if TYPE_CHECKING:
    from napari_ims_tumor.cohort.report import EvaluationReport


def write_predictions(path: Path, report: EvaluationReport) -> None:
    """Write the table; numbers have all the digits it takes to get the same number back."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(_rows(report))


def _rows(report: EvaluationReport) -> Iterator[list[object]]:
    where = report.gathered
    spectra = where.spectra
    names = spectra.class_names
    probability = [f"{network}: {name}" for network in report.results for name in names]
    strange = [f"{network}: unfamiliarity" for network in report.results]
    places = ["slide", "plane", "row", "column"]
    yield [*places, "label", "judged_against", "group", "fold", *probability, *strange]
    for i in range(report.classes.size):
        place = (
            as_text(where.slides[where.slide[i]]),
            where.plane[i],
            where.row[i],
            where.column[i],
        )
        labels = (names[spectra.classes[i]], names[report.classes[i]])
        group = as_text(where.group_names[spectra.groups[i]])
        found = [p for r in report.results.values() for p in r.probabilities[i].tolist()]
        told = [float(r.strange[i]) for r in report.results.values()]
        yield [*place, *labels, group, report.fold[i], *found, *told]
