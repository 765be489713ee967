"""``fit`` and ``predict``: make a model from labels, and use it on a slide."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from napari_ims_tumor.cli.numbers import add_memory_to, at_least_one, seconds, seed, share_right
from napari_ims_tumor.cli.outputs import refuse_image_path, refuse_model_path
from napari_ims_tumor.cli.terminal import drive, say
from napari_ims_tumor.errors import CohortError, ModelFileError
from napari_ims_tumor.model.computing import PRECISIONS, Computing
from napari_ims_tumor.model.config import (
    AUGMENTATIONS,
    NETWORKS,
    USUAL_ACCURACY,
    Augmentation,
)

if TYPE_CHECKING:
    from napari_ims_tumor.job import Job
    from napari_ims_tumor.model.config import FitConfig
    from napari_ims_tumor.model.fitted_model import FittedModel
    from napari_ims_tumor.model.unfinished import Unfinished

Commands = Any
SLIDES_HELP = "only these of the cohort: rows from 1, ranges, or names, separated by commas"
TUNE = {"all": "all", "last-blocks": "last blocks", "head": "head"}


FIT_OPTIONS: Final = (
    "seed", "device", "precision", "deterministic", "epochs", "time_limit_s", "steps", "smooth",
    "align", "augment", "doubt_labels",
)  # fmt: skip
"""Arguments that are fields of the config by the same names."""


def add_to(commands: Commands) -> None:
    """Add the commands to the parser."""
    fit = commands.add_parser("fit", help="fit a model to labelled pixels")
    fit.add_argument("slide", type=Path, nargs="?", help="the .imzML file")
    fit.add_argument("labels", type=Path, nargs="?", help=".npy, .png, .tif or .geojson")
    fit.add_argument("--cohort", type=Path, help="instead of one slide: a table of many")
    fit.add_argument("--slides", metavar="1-4,7", help=SLIDES_HELP)
    fit.add_argument("--groups", type=Path, help="one whole number per pixel: patient, core")
    fit.add_argument(
        "--regions", metavar="CLASS|FILE",
        help="what is roughly known of whole regions: a class, of all pixels, or a label file",
    )  # fmt: skip
    fit.add_argument("-o", "--output", type=Path, required=True, help="the model, .safetensors")
    fit.add_argument("--from", dest="base", type=Path, help="fine-tune this model, .safetensors")
    fit.add_argument("--tune", choices=list(TUNE), help="what --from may change; default all")
    fit.add_argument(
        "--resume", action="store_true", help="go on with the fit of -o, which was ended early"
    )
    add_fit_options(fit)
    fit.add_argument(
        "--network", choices=NETWORKS, default="default", help="what to fit (default: default)"
    )
    fit.set_defaults(run=_fit)

    predict = commands.add_parser("predict", help="write class probabilities per pixel")
    predict.add_argument("model", type=Path, help="the .safetensors file")
    predict.add_argument("slide", type=Path, help="the .imzML file")
    predict.add_argument("-o", "--output", type=Path, required=True, help=".npy or .ome.tif")
    add_computing_to(predict)
    predict.add_argument(
        "--uncertainty",
        action="store_true",
        help="add planes: entropy, linear versus network, unfamiliarity",
    )
    predict.add_argument(
        "--abstain",
        type=share_right,
        nargs="?",
        const=USUAL_ACCURACY,
        metavar="SHARE",
        help="add a plane: answer only what is sure enough to be right that often (default 0.95)",
    )
    add_memory_to(predict)
    predict.set_defaults(run=_predict)


def add_fit_options(command: argparse.ArgumentParser) -> None:
    """Add what every command that fits understands."""
    add_memory_to(command)
    command.add_argument("--seed", type=seed, default=0, help="of all that is drawn; default 0")
    add_computing_to(command)
    command.add_argument(
        "--epochs", type=at_least_one, help="most passes over the labels (the network's own number)"
    )
    command.add_argument(
        "--time-limit",
        type=seconds,
        dest="time_limit_s",
        metavar="SECONDS",
        help="each fit ends with its best model after this time (no limit)",
    )
    command.add_argument(
        "--steps", type=at_least_one, help="most steps of each network of default (no limit)"
    )
    command.add_argument(
        "--augment",
        type=augmentations,
        metavar="shift,gain,peaks,mixing",
        help="change spectra so before a network is shown them, or none (the network's own)",
    )
    command.add_argument(
        "--doubt-labels", action="store_true",
        help="leave out labels that seem wrong, where held-out groups contradict many",
    )  # fmt: skip
    _add_preparation_to(command.add_argument_group("profile spectra (by default as the network)"))


def add_computing_to(command: argparse.ArgumentParser) -> None:
    """Add what says on what a network is computed, and how."""
    add = command.add_argument
    add("--device", default="auto", help="auto (default), cpu, cuda or mps")
    add(
        "--precision", choices=PRECISIONS, default="auto",
        help="of networks: auto (default) is bfloat16 on NVIDIA GPUs made for it, else float32",
    )  # fmt: skip
    add("--deterministic", action="store_true", help="the same numbers every time on a GPU, too")


def computing(given: argparse.Namespace) -> Computing:
    """Translate the arguments of :func:`add_computing_to`."""
    return Computing(given.device, given.precision, given.deterministic)


def _add_preparation_to(group: argparse._ArgumentGroup) -> None:
    add, both = group.add_argument, argparse.BooleanOptionalAction
    add("--smooth", action=both, help="sum intensities over the width of a peak")
    add("--align", action=both, help="move each spectrum to where the model's peaks lie")


def augmentations(text: str) -> tuple[Augmentation, ...]:
    """Read ways to change spectra: their names with commas, or none."""
    names = {part.strip() for part in text.split(",") if part.strip()}
    unknown = sorted(names.difference((*AUGMENTATIONS, "none")))
    if unknown:
        known = ", ".join(AUGMENTATIONS)
        raise argparse.ArgumentTypeError(f"there is no {unknown[0]!r}: use {known}, or none")
    found = tuple(name for name in AUGMENTATIONS if name in names)
    if found and "none" in names:
        raise argparse.ArgumentTypeError(
            f"none asks for no change, and {', '.join(found)} for some: give one or the other"
        )
    return found


def fit_config(given: argparse.Namespace, network: str) -> FitConfig:
    """Translate arguments into the frozen config of a fit."""
    from napari_ims_tumor.api import fit_config as config

    tune = TUNE[getattr(given, "tune", None) or "all"]
    options = {name: getattr(given, name) for name in FIT_OPTIONS}
    return config(network=network, tune=tune, **options)


def _fit(given: argparse.Namespace) -> int:
    from napari_ims_tumor.model.checkpoint import read_model, write_model
    from napari_ims_tumor.model.unfinished_file import read_unfinished

    inputs = (given.slide, given.labels, given.groups, given.cohort, given.base)
    if given.tune is not None and given.base is None:
        raise CohortError("--tune says what may change of a model: give that one by --from")
    refuse_model_path(given.output, inputs)
    base = read_model(given.base) if given.base else None
    start = read_unfinished(given.output, base) if given.resume else base
    model: FittedModel = drive(_fit_job(given, fit_config(given, given.network), start))
    write_model(given.output, model)
    for line in model.summary():
        say(line)
    say(f"wrote {given.output}")
    _keep_unfinished(given.output, model)
    return 0


def _keep_unfinished(output: Path, model: FittedModel) -> None:
    """Keep beside a model what its fit needs to go on, and nothing beside a finished one."""
    from napari_ims_tumor.model.unfinished_file import unfinished_path, write_unfinished

    if model.unfinished is None:
        unfinished_path(output).unlink(missing_ok=True)
        return
    path = write_unfinished(output, model.unfinished)
    say(f"the same command with --resume goes on ({path.name} keeps where the fit was)")


def _fit_job(
    given: argparse.Namespace, config: FitConfig, base: FittedModel | Unfinished | None
) -> Job[Any, FittedModel]:
    from napari_ims_tumor.cohort.fitting import fit_cohort
    from napari_ims_tumor.cohort.selection import select_slides
    from napari_ims_tumor.cohort.table import CohortSlide, as_regions, read_cohort

    if given.cohort is not None:
        if any(one is not None for one in (given.slide, given.groups, given.regions)):
            raise CohortError("give either SLIDE LABELS or --cohort COHORT.csv, not both")
        slides = select_slides(read_cohort(given.cohort), given.slides)
        return fit_cohort(slides, config, base, say, given.memory)
    if given.slides is not None:
        raise CohortError("--slides chooses slides of a --cohort: give the table as well")
    if given.slide is None or (given.labels is None and given.regions is None):
        raise CohortError("give SLIDE and LABELS, or --cohort COHORT.csv")
    one = CohortSlide(given.slide, given.labels, given.groups, as_regions(given.regions))
    return fit_cohort((one,), config, base, say, given.memory)


def _refuse_other_devices(how: Computing) -> None:
    """A linear model needs no device; one that is not there is a mistake all the same."""
    if how != Computing(how.device) or how.device not in ("auto", "cpu"):
        from napari_ims_tumor.model.device import prepare

        prepare(how)


def _predict(given: argparse.Namespace) -> int:
    from napari_ims_tumor.cohort.polarity import refuse_other_polarity
    from napari_ims_tumor.io.image_file import write_planes
    from napari_ims_tumor.io.imzml import open_imzml_job
    from napari_ims_tumor.model.checkpoint import read_model
    from napari_ims_tumor.model.predicting import predict

    refuse_image_path(given.output)
    model = read_model(given.model)
    _refuse_other_devices(computing(given))
    with drive(open_imzml_job(given.slide, given.memory)) as slide:
        refuse_other_polarity(model, slide)
        made = drive(predict(model, slide, computing(given)))
        about = {**made.about(), "slide": slide.name}
        reason = given.abstain and made.why_no_abstention(given.abstain)
        if reason:
            raise ModelFileError(reason)
        values, names = made.planes(given.uncertainty, given.abstain)
        write_planes(given.output, values, names, slide.pixels, about)
    if given.uncertainty and made.why_no_disagreement:
        say(made.why_no_disagreement)
    for words in (made.note, made.empty_words, made.unfamiliar_words):
        if words:
            say(words)
    if given.abstain:
        say(made.unsure_words(given.abstain))
    if not made.calibrated:
        say("the probabilities are uncalibrated: there were too few groups to calibrate on")
    say(f"wrote {given.output}")
    return 0
