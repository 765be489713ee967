"""``evaluate`` and ``simulate``: judge models honestly, and make slides to try things on."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_ims_tumor.cli.model_commands import add_fit_options, fit_config
from napari_ims_tumor.cli.numbers import at_least_one, seed
from napari_ims_tumor.cli.outputs import refuse_folder_path
from napari_ims_tumor.cli.terminal import drive, say

if TYPE_CHECKING:
    from napari_ims_tumor.cohort.report import EvaluationReport

Commands = Any
LAYOUTS = ("continuous-profile", "processed-centroid", "processed-profile")


def add_to(commands: Commands) -> None:
    """Add the commands to the parser."""
    evaluate = commands.add_parser(
        "evaluate", help="grouped cross-validation, or external validation of --model"
    )
    evaluate.add_argument("--cohort", type=Path, required=True, help="slide,labels[,groups]")
    evaluate.add_argument("--model", type=Path, help="judge this model; nothing is fitted")
    evaluate.add_argument("--folds", type=int, default=5)
    evaluate.add_argument("--networks", default="default,linear", help="separated by commas")
    evaluate.add_argument(
        "--permute-labels", type=seed, metavar="SEED", help="labels without signal"
    )
    evaluate.add_argument("-o", "--output", type=Path, required=True, help="folder of the report")
    add_fit_options(evaluate)
    evaluate.set_defaults(run=_evaluate)

    simulate = commands.add_parser("simulate", help="write simulated slides with labels")
    simulate.add_argument("-o", "--output", type=Path, required=True, help="folder")
    simulate.add_argument("--layout", choices=LAYOUTS, default=LAYOUTS[0])
    simulate.add_argument("--rows", type=int, default=96)
    simulate.add_argument("--columns", type=int, default=128)
    simulate.add_argument("--channels", type=int, default=2000)
    simulate.add_argument("--slides", type=at_least_one, default=1)
    simulate.add_argument("--seed", type=seed, default=0)
    simulate.set_defaults(run=_simulate)


def _evaluate(given: argparse.Namespace) -> int:
    from napari_ims_tumor.cohort.table import read_cohort

    refuse_folder_path(given.output)
    slides = read_cohort(given.cohort)
    if given.model is not None:
        from napari_ims_tumor.cohort.external_validation import validate
        from napari_ims_tumor.model.checkpoint import read_model

        report: EvaluationReport = drive(validate(read_model(given.model), slides, given.device))
    else:
        from napari_ims_tumor.cohort.cross_validation import evaluate

        config = fit_config(given, "default")
        networks = tuple(name.strip() for name in given.networks.split(",") if name.strip())
        report = drive(evaluate(slides, networks, config, given.folds, given.permute_labels))
    path = report.write(given.output)
    for line in report.summary():
        print(line)  # noqa: T201
    say(f"wrote {path}")
    return 0


def _simulate(given: argparse.Namespace) -> int:
    from napari_ims_tumor.api import simulate

    written = simulate(
        given.output,
        layout=given.layout,
        rows=given.rows,
        columns=given.columns,
        channels=given.channels,
        slides=given.slides,
        seed=given.seed,
    )
    for files in written:
        say(f"wrote {files.imzml}")
    return 0
