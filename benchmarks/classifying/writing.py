"""Tables and pictures from the answers that are there, on the screen and in the docs."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from classifying import border_tables, plots, tables
from classifying.figures import VIEWS, Judged, Run

MAIN = ("rivals", "default", "isotopenet")
PAGE, PICTURES, FIGURES = "accuracy.md", "images", "accuracy.json"


def sections(runs: Sequence[Run], expanded: bool = False) -> dict[str, str]:
    """Name of a marked place in the docs → what belongs there; only what was measured.

    Parameters
    ----------
    runs
        All that there are.
    expanded
        Whether intervals of an array are as wide as reports have them for so few groups.
    """
    by_suite = _of_suites(runs)
    found: dict[str, str] = {}
    for data, own in _of_data(by_suite, (*MAIN, "tiny", "slides")).items():
        judged = Judged(own, expanded)
        found[f"accuracy of {data}"] = tables.accuracy(judged)
        found[f"figures of {data}"] = tables.other_figures(judged)
        found[f"differences of {data}"] = tables.differences(judged)
        found[f"neighborhood of {data}"] = tables.neighborhood_gains(judged)
        found[f"hardest groups of {data}"] = tables.hardest_groups(judged)
    for suite, write in (("shift", tables.changes), ("shift-alone", tables.changes),
                         ("border", border_tables.borders),
                         ("gate", tables.per_cohort), ("cohorts", tables.per_cohort),
                         ("chance", tables.per_cohort)):  # fmt: skip
        found[suite] = write(by_suite[suite])
    found["border, over cohorts"] = border_tables.borders_over_cohorts(by_suite["border"])
    found["cohorts, differences"] = tables.cohort_differences(by_suite["cohorts"])
    for suite in ("sixty", "few", "one-sided"):
        found[suite] = tables.few_labels(by_suite[suite])
        found[f"{suite}, minus linear"] = tables.few_label_differences(by_suite[suite])
    return {name: text for name, text in found.items() if text}


def pictures(runs: Sequence[Run], folder: Path) -> dict[str, str]:
    """Draw what there is to draw; name of the marked place → the picture in Markdown."""
    by_suite, found = _of_suites(runs), {}
    drawn: list[tuple[str, str, str]] = []
    for data, own in _of_data(by_suite, MAIN).items():
        judged = Judged(own)
        plots.accuracies(judged, folder / f"accuracy-{data}.svg")
        plots.differences(judged, folder / f"differences-{data}.svg")
        drawn.append(
            (
                f"accuracy of {data}",
                f"accuracy-{data}.svg",
                "Balanced accuracy of every model in every treatment, with intervals",
            )
        )
        drawn.append((f"differences of {data}", f"differences-{data}.svg",
                      "The default network minus its rivals, with intervals"))  # fmt: skip
    plots.few_labels(by_suite["few"], folder / "accuracy-few-labels.svg")
    plots.shifts(by_suite["shift"], folder / "accuracy-shift.svg")
    drawn.append(("few", "accuracy-few-labels.svg", "Balanced accuracy over painted pixels"))
    drawn.append(("shift", "accuracy-shift.svg", "Balanced accuracy over the mass shift"))
    for name, file, words in drawn:
        if (folder / file).exists():
            found[name] = f"![{words}]({PICTURES}/{file})\n"
    return found


def write(runs: Sequence[Run], docs: Path) -> list[Path]:
    """Fill the marked places of the page, draw the pictures, write the figures as JSON."""
    page = docs / PAGE
    (docs / PICTURES).mkdir(parents=True, exist_ok=True)
    drawn = pictures(runs, docs / PICTURES)
    text = page.read_text(encoding="utf-8")
    for name, found in sections(runs).items():
        picture = drawn.get(name, "")
        text = filled(text, name, f"{found}\n{picture}" if picture else found)
    page.write_text(text, encoding="utf-8")
    shown = [run for run in runs if run.unit.suite != "tiny"] or runs
    (docs / FIGURES).write_text(json.dumps(as_json(shown), indent=1) + "\n", encoding="utf-8")
    return [page, docs / FIGURES, *(docs / PICTURES / _file(text) for text in drawn.values())]


def _file(picture: str) -> str:
    return picture.rsplit("/", 1)[1].rstrip(")\n")


def filled(text: str, name: str, found: str) -> str:
    """A page with its marked place of that name filled; as it was where it has none."""
    begin, end = f"<!-- measured: {name} -->", "<!-- end -->"
    place = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    return place.sub(lambda _: f"{begin}\n\n{found}\n{end}", text)


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


def _of_suites(runs: Sequence[Run]) -> defaultdict[str, list[Run]]:
    found: defaultdict[str, list[Run]] = defaultdict(list)
    for run in runs:
        found[run.unit.suite].append(run)
    return found


def _of_data(by_suite: dict[str, list[Run]], suites: Sequence[str]) -> dict[str, list[Run]]:
    found: defaultdict[str, list[Run]] = defaultdict(list)
    for suite in suites:
        for run in by_suite.get(suite, []):
            found[run.unit.data].append(run)
    return found
