"""``explain``: which m/z moved the answer of a model."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_ims_tumor.cli.numbers import add_memory_to, at_least_one
from napari_ims_tumor.cli.outputs import refuse_table_path
from napari_ims_tumor.cli.terminal import drive, finite, say

if TYPE_CHECKING:
    from napari_ims_tumor.cohort.explanation import Explanation, RelevantPeak

Commands = Any
HEAD = (
    f"{'':>3}  {'m/z':>10} {'isotopes':>8}  {'share':>6}  {'toward':<10} {'AUC':>5}  {'adj. p':>8}"
)


def add_to(commands: Commands) -> None:
    """Add the command to the parser."""
    explain = commands.add_parser("explain", help="say which m/z moved the answer of a model")
    explain.add_argument("model", type=Path, help="the .safetensors file")
    explain.add_argument("slide", type=Path, help="the .imzML file")
    which = explain.add_mutually_exclusive_group()
    which.add_argument("--pixel", type=_place, metavar="ROW,COLUMN", help="of one pixel, from 0")
    which.add_argument(
        "--class",
        dest="class_name",
        metavar="NAME",
        help="of a class against the others; default the tumor",
    )
    explain.add_argument("--labels", type=Path, help="labelled pixels, and each peak by itself")
    explain.add_argument("--groups", type=Path, help="one whole number per pixel: patient, core")
    explain.add_argument("-o", "--output", type=Path, help="write all peaks as .csv")
    explain.add_argument("--top", type=at_least_one, default=20, help="rows shown; default 20")
    explain.add_argument("--quick", action="store_true", help="gradient times input")
    explain.add_argument("--steps", type=at_least_one, help="of integrated gradients")
    explain.add_argument(
        "--pixels", type=at_least_one, help="of a class at most so many pairs; default 200"
    )
    explain.add_argument("--json", action="store_true", help="print as JSON")
    explain.add_argument("--device", default="auto", help="auto (default), cpu, cuda or mps")
    add_memory_to(explain)
    explain.set_defaults(run=_explain)


def _place(text: str) -> tuple[int, ...]:
    try:
        place = tuple(int(part) for part in text.split(","))
    except ValueError:
        place = ()
    if len(place) not in (2, 3):
        raise argparse.ArgumentTypeError(f"{text!r}: give ROW,COLUMN or ROW,COLUMN,PLANE, from 0")
    return place


def _explain(given: argparse.Namespace) -> int:
    from napari_ims_tumor.api.explaining import explain_job

    inputs = (given.model, given.slide, given.labels, given.groups)
    if given.output is not None:
        refuse_table_path(given.output, inputs)
    found: Explanation = drive(
        explain_job(
            given.model, given.slide, given.pixel, given.class_name, given.memory,
            labels=given.labels, groups=given.groups, quick=given.quick, steps=given.steps,
            most_pixels=given.pixels, device=given.device,
        )
    )  # fmt: skip
    if given.json:
        print(json.dumps(finite(_facts(found, given.top)), indent=2, allow_nan=False))  # noqa: T201
    else:
        _print(found, given.top)
    if given.output is not None:
        found.write(given.output)
        say(f"wrote {given.output}")
    return 0


def _facts(found: Explanation, top: int) -> dict[str, Any]:
    return {
        "explained": found.about,
        "toward": found.target,
        "moved": found.moved,
        "left_over": found.left_over,
        "between_peaks": found.between,
        "notes": list(found.notes()),
        "peaks": [row.as_dict() for row in found.top(top)],
    }


def _print(found: Explanation, top: int) -> None:
    print(HEAD)  # noqa: T201
    for number, row in enumerate(found.top(top), 1):
        print(_line(number, row, found))  # noqa: T201
    if found.univariate is None:
        say("AUC and p need labels: give them by --labels")
    for note in found.notes():
        say(note)


def _line(number: int, row: RelevantPeak, found: Explanation) -> str:
    toward = found.target if row.relevance >= 0 else found.others
    auc = "–" if row.auc is None else f"{row.auc:.2f}"
    p = "–" if row.adjusted is None else f"{row.adjusted:.2g}"
    return (
        f"{number:>3}  {row.mz:>10.4f} {row.isotopes:>8}  {row.share:>6.1%}  {toward:<10} "
        f"{auc:>5}  {p:>8}"
    )
