"""Models: fit, predict, evaluate, validate, read and write them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.api.given import base_given, model_given, slide_given
from napari_ims_tumor.api.noticing import warn
from napari_ims_tumor.api.slides import PathLike
from napari_ims_tumor.errors import FitRefused
from napari_ims_tumor.io.imzml import open_imzml
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.memory_budget import GivenBudget, MemoryBudget

if TYPE_CHECKING:
    from napari_ims_tumor.cohort.report import EvaluationReport
    from napari_ims_tumor.model.computing import GivenComputing
    from napari_ims_tumor.model.config import FitConfig
    from napari_ims_tumor.model.fitted_model import FittedModel
    from napari_ims_tumor.model.prediction import Prediction
    from napari_ims_tumor.model.unfinished import Unfinished

Labels: TypeAlias = PathLike | Annotation | NDArray[Any]


def fit_config(**options: Any) -> FitConfig:
    """Build a :class:`FitConfig`; an option that is ``None`` keeps its default."""
    from napari_ims_tumor.model.config import FitConfig

    given = {name: value for name, value in options.items() if value is not None}
    unknown = sorted(set(given).difference(field.name for field in fields(FitConfig)))
    if unknown:
        raise FitRefused(f"a fit has no option {unknown[0]!r}: see FitConfig for those there are")
    if given.get("tune") == "last-blocks":
        # As the command line writes it.
        given["tune"] = "last blocks"
    return FitConfig(**given)


def fit(
    slide: PathLike | MsiDataset,
    labels: Labels | None,
    groups: PathLike | NDArray[Any] | None = None,
    base: PathLike | FittedModel | Unfinished | None = None,
    memory_budget: GivenBudget = None,
    *,
    regions: PathLike | None = None,
    **options: Any,
) -> FittedModel:
    """Fit a model to the labelled pixels of one slide.

    Parameters
    ----------
    slide
        An open slide, or the path of its .imzML.
    labels
        A label file, an image of whole numbers in the slide's shape, or an Annotation; ``None``
        with ``regions`` alone.
    groups
        One whole number per pixel (patient, core); pixels of one group are never divided by the
        validation. Without it, strokes and tissue regions are the groups.
    base
        A model to fine-tune, or its file. Or ``model.unfinished`` of a fit that a limit has ended:
        it goes on, with the same slide, labels and options but for its limits.
    memory_budget
        What the slide's data may take in memory, as in ``"2GB"``; see :func:`open_imzml`. The model
        is the same, bit by bit, whatever it is.
    regions
        What is roughly known of whole regions: a class name, said of the whole slide, or a label
        file whose labels are meant roughly. ``labels`` win over it.
    **options
        Fields of :class:`~napari_ims_tumor.model.config.FitConfig`: ``network`` (``"default"``,
        ``"linear"``, ``"isotopenet"``, ``"faithful"``), ``epochs``, ``seed``, ``device``,
        ``precision``, ``deterministic``, ``tune``, ``time_limit_s``, ``steps``, ``smooth``,
        ``align``, ``augment``, ``doubt_labels``.

    Returns
    -------
    FittedModel

    Raises
    ------
    ImsTumorError
        One sentence: a file that cannot be read, labels that do not fit, too little to fit.

    Warns
    -----
    UserWarning
        What was done to labels to make them fit, and what is doubtful about the groups.
    """
    from napari_ims_tumor.cohort.fitting import fit_cohort
    from napari_ims_tumor.cohort.table import CohortSlide, as_regions

    config, memory = fit_config(**options), MemoryBudget.of(memory_budget)
    start = base_given(base)
    hard = None if labels is None else _labels(labels)
    one = CohortSlide(slide_given(slide), hard, _groups(groups), as_regions(regions))
    return run_inline(fit_cohort((one,), config, start, warn, memory))


def fit_cohort(
    cohort: PathLike,
    slides: str | None = None,
    base: PathLike | FittedModel | Unfinished | None = None,
    memory_budget: GivenBudget = None,
    **options: Any,
) -> FittedModel:
    """Fit one model to the labelled pixels of many slides.

    Parameters
    ----------
    cohort
        A table with the columns slide, labels and optionally groups.
    slides
        Which of them, ``"1-4,7"`` or names; all by default.
    base, memory_budget, **options
        As for :func:`fit`.
    """
    from napari_ims_tumor.cohort.fitting import fit_cohort as job
    from napari_ims_tumor.cohort.selection import select_slides
    from napari_ims_tumor.cohort.table import read_cohort

    chosen = select_slides(read_cohort(cohort), slides)
    start = base_given(base)
    memory = MemoryBudget.of(memory_budget)
    return run_inline(job(chosen, fit_config(**options), start, warn, memory))


def predict(
    model: PathLike | FittedModel,
    slide: PathLike | MsiDataset,
    device: GivenComputing = "auto",
    memory_budget: GivenBudget = None,
) -> Prediction:
    """Predict the class probabilities of every measured pixel of a slide.

    ``device`` is a name, or a :class:`~napari_ims_tumor.model.computing.Computing` that also says
    how.

    Returns
    -------
    Prediction
        ``probabilities`` is (classes, *image_shape), float32, NaN where nothing was measured.
    """
    from napari_ims_tumor.cohort.polarity import refuse_other_polarity
    from napari_ims_tumor.model.predicting import predict as predict_slide

    fitted, source = model_given(model), slide_given(slide)
    if not isinstance(source, Path):
        refuse_other_polarity(fitted, source)
        return run_inline(predict_slide(fitted, source, device))
    with open_imzml(source, memory_budget=memory_budget) as dataset:
        refuse_other_polarity(fitted, dataset)
        return run_inline(predict_slide(fitted, dataset, device))


def evaluate(
    cohort: PathLike,
    networks: str | Sequence[str] = ("default", "linear"),
    folds: int = 5,
    permute_labels: int | None = None,
    slides: str | None = None,
    memory_budget: GivenBudget = None,
    **options: Any,
) -> EvaluationReport:
    """Judge networks by cross-validation with whole groups held out.

    Parameters
    ----------
    cohort
        A table with the columns slide, labels and optionally groups.
    networks
        Which presets to compare; one name, or several.
    folds
        Number of folds; no group is on both sides of one.
    permute_labels
        A seed: labels are shuffled among the labelled pixels, so that nothing can be learned.
    slides
        Which of the slides, ``"1-4,7"`` or names; all by default.
    memory_budget, **options
        As for :func:`fit`.
    """
    from napari_ims_tumor.cohort.cross_validation import evaluate as cross_validate
    from napari_ims_tumor.cohort.selection import select_slides
    from napari_ims_tumor.cohort.table import read_cohort
    from napari_ims_tumor.model.asked_for import LARGEST_SEED, whole_number

    # One name is no list of letters; several are understood as the command line writes them.
    names = networks.replace(" ", "").split(",") if isinstance(networks, str) else networks
    n_folds = whole_number("folds", folds, 2)
    if permute_labels is not None:
        permute_labels = whole_number("permute_labels", permute_labels, 0, LARGEST_SEED)
    chosen = select_slides(read_cohort(cohort), slides)
    config = fit_config(**options)
    memory = MemoryBudget.of(memory_budget)
    job = cross_validate(chosen, tuple(names), config, n_folds, permute_labels, memory)
    return run_inline(job).with_files(cohort_table=Path(cohort))


def validate(
    model: PathLike | FittedModel,
    cohort: PathLike,
    slides: str | None = None,
    device: GivenComputing = "auto",
    memory_budget: GivenBudget = None,
) -> EvaluationReport:
    """Judge a finished model on slides it has not seen; nothing is fitted.

    Parameters
    ----------
    model
        A model, or its file.
    cohort
        A table with the columns slide, labels and optionally groups.
    slides
        Which of the slides, ``"5-8"`` or names; all by default.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``, or as for :func:`predict`.
    memory_budget
        As for :func:`fit`.
    """
    from napari_ims_tumor.cohort.external_validation import validate as judge
    from napari_ims_tumor.cohort.selection import select_slides
    from napari_ims_tumor.cohort.table import read_cohort

    file = Path(model) if isinstance(model, (str, os.PathLike)) else None
    fitted = model_given(model)
    chosen = select_slides(read_cohort(cohort), slides)
    report = run_inline(judge(fitted, chosen, device, MemoryBudget.of(memory_budget)))
    return report.with_files(cohort_table=Path(cohort), model_file=file)


def read_model(path: PathLike) -> FittedModel:
    """Read a model file; nothing in it is ever executed."""
    from napari_ims_tumor.model.checkpoint import read_model as read

    return read(Path(path))


def write_model(path: PathLike, model: FittedModel) -> None:
    """Write a model as one safetensors file, the same bytes for the same model."""
    from napari_ims_tumor.model.checkpoint import write_model as write

    write(Path(path), model)


def _labels(labels: Labels) -> Path | Annotation:
    if isinstance(labels, Annotation):
        return labels
    return Path(labels) if isinstance(labels, (str, os.PathLike)) else Annotation(labels)


def _groups(groups: PathLike | NDArray[Any] | None) -> Path | NDArray[Any] | None:
    if groups is None:
        return None
    return Path(groups) if isinstance(groups, (str, os.PathLike)) else np.ma.filled(groups, 0)
