"""Tables and pictures from the answers that are there, on the screen and in the docs."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from classifying import plots, tables
from classifying.figures import VIEWS, Judged, Run, runs_of
from classifying.store import Store

MAIN = ("rivals", "default", "isotopenet")
PAGE, PICTURES, FIGURES = "accuracy.md", "images", "accuracy.json"


def sections(store: Store) -> dict[str, str]:
    """Name of a marked place in the docs → what belongs there; only what was measured."""
    by_suite: defaultdict[str, list[Run]] = defaultdict(list)
    for run in runs_of(store.all()):
        by_suite[run.unit.suite].append(run)
    found: dict[str, str] = {}
    for data, runs in _of_data(by_suite, (*MAIN, "tiny", "slides")).items():
        judged = Judged(runs)
        found[f"accuracy of {data}"] = tables.accuracy(judged)
        found[f"figures of {data}"] = tables.other_figures(judged)
        found[f"differences of {data}"] = tables.differences(judged)
        found[f"neighborhood of {data}"] = tables.neighborhood_gains(judged)
        found[f"hardest groups of {data}"] = tables.hardest_groups(judged)
    for suite, write in (("few", tables.few_labels), ("sixty", tables.few_labels),
                         ("shift", tables.changes), ("border", tables.borders),
                         ("gate", tables.per_cohort), ("cohorts", tables.per_cohort)):  # fmt: skip
        found[suite] = write(by_suite[suite])
    return {name: text for name, text in found.items() if text}


def write(store: Store, docs: Path) -> list[Path]:
    """Fill the marked places of the page, draw the pictures, write the figures as JSON."""
    page, pictures = docs / PAGE, docs / PICTURES
    pictures.mkdir(parents=True, exist_ok=True)
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    for name, found in sections(store).items():
        text = filled(text, name, found)
    page.write_text(text, encoding="utf-8")
    by_suite: defaultdict[str, list[Run]] = defaultdict(list)
    for run in runs_of(store.all()):
        by_suite[run.unit.suite].append(run)
    for data, runs in _of_data(by_suite, MAIN).items():
        judged, ending = Judged(runs), "" if data.startswith("bladder") else f"-{data}"
        plots.accuracies(judged, pictures / f"accuracy{ending}.svg")
        plots.differences(judged, pictures / f"accuracy-differences{ending}.svg")
    plots.few_labels(by_suite["few"], pictures / "accuracy-few-labels.svg")
    plots.shifts(by_suite["shift"], pictures / "accuracy-shifts.svg")
    whole = json.dumps(as_json([run for runs in by_suite.values() for run in runs]), indent=1)
    (docs / FIGURES).write_text(whole + "\n", encoding="utf-8")
    return [page, docs / FIGURES, *sorted(pictures.glob("accuracy*.svg"))]


def filled(text: str, name: str, found: str) -> str:
    """A page with one marked place filled; the place is added at the end where it is missing."""
    begin, end = f"<!-- measured: {name} -->", "<!-- end -->"
    block = f"{begin}\n\n{found}\n{end}"
    place = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if place.search(text):
        return place.sub(lambda _: block, text)
    return f"{text.rstrip()}\n\n{block}\n" if text else f"{block}\n"


def as_json(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Every run with its figures: plain numbers, no spectra."""
    rows = []
    for run in runs:
        u = run.unit
        for view in (v for v in VIEWS if v.startswith(u.treatment)):
            for change in run.parts[0].changes:
                figures = {k: round(v, 5) for k, v in run.figures(view, change).items()}
                alone = {"part": u.fold} if len(run.parts) == 1 else {}
                rows.append(
                    {"suite": u.suite, "data": u.data, "split": u.split, **alone,
                     "model": u.model, "treatment": view, "seed": u.seed, "change": change,
                     **{k: None if v != v else v for k, v in figures.items()},
                     "fit_seconds": round(run.fit_seconds, 2)}
                )  # fmt: skip
    return rows


def _of_data(by_suite: dict[str, list[Run]], suites: Sequence[str]) -> dict[str, list[Run]]:
    found: defaultdict[str, list[Run]] = defaultdict(list)
    for suite in suites:
        for run in by_suite.get(suite, []):
            found[run.unit.data].append(run)
    return found
