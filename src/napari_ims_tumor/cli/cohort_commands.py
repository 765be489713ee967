"""``evaluate``: judge models honestly."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from napari_ims_tumor.cli.model_commands import (
    SLIDES_HELP,
    add_fit_options,
    computing,
    fit_config,
)
from napari_ims_tumor.cli.numbers import seed
from napari_ims_tumor.cli.outputs import refuse_report_folder
from napari_ims_tumor.cli.terminal import drive, say
from napari_ims_tumor.errors import CohortError
from napari_ims_tumor.model.config import NETWORKS

if TYPE_CHECKING:
    from napari_ims_tumor.cohort.report import EvaluationReport

Commands = Any
_OF_FITS: Final = {
    "folds": 5, "networks": "default,linear", "permute_labels": None, "epochs": None, "seed": 0,
    "time_limit_s": None, "steps": None, "augment": None, "doubt_labels": False,
}  # fmt: skip
"""Options of the fits of a cross-validation, with their defaults."""


def add_to(commands: Commands) -> None:
    """Add the commands to the parser."""
    evaluate = commands.add_parser(
        "evaluate", help="grouped cross-validation, or external validation of --model"
    )
    evaluate.add_argument(
        "--cohort", type=Path, required=True, help="a .csv of slide,labels[,groups]"
    )
    evaluate.add_argument("--slides", metavar="1-4,7", help=SLIDES_HELP)
    evaluate.add_argument("--model", type=Path, help="judge this model; nothing is fitted")
    evaluate.add_argument("--folds", type=int, help="most folds; default 5")
    evaluate.add_argument(
        "--networks", help=f"of {', '.join(NETWORKS)}, with commas; default default,linear"
    )
    evaluate.add_argument(
        "--permute-labels",
        type=seed,
        metavar="SEED",
        help="shuffle the labels first, drawn by this seed",
    )
    evaluate.add_argument("-o", "--output", type=Path, required=True, help="folder of the report")
    add_fit_options(evaluate)
    evaluate.set_defaults(run=_evaluate, **_OF_FITS)


def _evaluate(given: argparse.Namespace) -> int:
    from napari_ims_tumor.cohort.selection import select_slides
    from napari_ims_tumor.cohort.table import read_cohort

    if given.model is not None:
        _refuse_options_of_fits(given)
    refuse_report_folder(given.output, (given.cohort, given.model))
    slides = select_slides(read_cohort(given.cohort), given.slides)
    if given.model is not None:
        from napari_ims_tumor.cohort.external_validation import validate
        from napari_ims_tumor.model.checkpoint import read_model

        model = read_model(given.model)
        report: EvaluationReport = drive(validate(model, slides, computing(given), given.memory))
    else:
        from napari_ims_tumor.cohort.cross_validation import evaluate

        config = fit_config(given, "default")
        networks = tuple(name.strip() for name in given.networks.split(",") if name.strip())
        how = (given.folds, given.permute_labels, given.memory)
        report = drive(evaluate(slides, networks, config, *how))
    report = report.with_files(cohort_table=given.cohort, model_file=given.model)
    path = report.write(given.output)
    for line in report.summary():
        print(line)  # noqa: T201
    say(f"wrote {path} and, for reading, {path.with_suffix('.html').name}")
    return 0


def _refuse_options_of_fits(given: argparse.Namespace) -> None:
    """A finished model is judged as it is: an option that would do nothing is a mistake."""
    idle = [name for name, usual in _OF_FITS.items() if getattr(given, name) != usual]
    if idle:
        options = ", ".join(f"--{name.removesuffix('_s').replace('_', '-')}" for name in idle)
        raise CohortError(f"--model judges a finished model and fits nothing: leave out {options}")
