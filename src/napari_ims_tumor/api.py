"""The same nouns in Python: open a slide, fit, predict, evaluate, simulate.

``import napari_ims_tumor as ims`` exports these lazily. They block until done; the jobs behind them
(:mod:`napari_ims_tumor.job`) are for whoever wants progress and a stop.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.errors import FitRefused
from napari_ims_tumor.io.imzml import open_imzml
from napari_ims_tumor.job import Job, Progress, run_inline
from napari_ims_tumor.msi.arrays import FloatArray
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.mass_axis import MassWindow
from napari_ims_tumor.msi.normalization import Normalization, scale_factors

if TYPE_CHECKING:
    from napari_ims_tumor.cohort.report import EvaluationReport
    from napari_ims_tumor.io.simulated_files import SimulatedFiles
    from napari_ims_tumor.model.config import FitConfig
    from napari_ims_tumor.model.fitted_model import FittedModel
    from napari_ims_tumor.model.prediction import Prediction

PathLike: TypeAlias = str | os.PathLike[str]
Labels: TypeAlias = PathLike | Annotation | NDArray[Any]

__all__ = [
    "evaluate",
    "fit",
    "fit_cohort",
    "fit_config",
    "ion_images",
    "open_imzml",
    "predict",
    "read_labels",
    "read_model",
    "simulate",
    "validate",
    "write_labels",
    "write_model",
]


def ion_images(
    slide: MsiDataset, windows: Sequence[MassWindow], normalize: Normalization = "none"
) -> FloatArray:
    """Sum the intensity inside m/z windows.

    Parameters
    ----------
    slide
        An open slide.
    windows
        Bounds are inclusive.
    normalize
        ``"tic"``, ``"rms"`` or ``"median"`` multiply each spectrum by the slide's mean reference
        over its own (see :mod:`napari_ims_tumor.msi.normalization`).

    Returns
    -------
    ndarray
        (windows, *image_shape); NaN where nothing was measured, 0 where no peak lies inside.
    """
    images = slide.ion_images(windows)
    if normalize == "none":
        return images
    scaled: FloatArray = images * slide.pixels.as_image(scale_factors(slide, normalize))
    return scaled


def fit_config(**options: Any) -> FitConfig:
    """Build a :class:`FitConfig`; an option that is ``None`` keeps its default."""
    from napari_ims_tumor.model.config import NETWORKS, FitConfig

    config = replace(FitConfig(), **{k: v for k, v in options.items() if v is not None})
    if config.network not in NETWORKS:
        known = " or ".join(NETWORKS)
        raise FitRefused(f"there is no network {config.network!r}: use {known}")
    if not 0 <= config.seed < 2**63:
        raise FitRefused(f"the seed {config.seed} is not usable: give a number from 0 to 2^63 - 1")
    return config


def fit(
    slide: PathLike | MsiDataset,
    labels: Labels,
    groups: PathLike | NDArray[Any] | None = None,
    base: PathLike | FittedModel | None = None,
    **options: Any,
) -> FittedModel:
    """Fit a model to the labelled pixels of one slide.

    Parameters
    ----------
    slide
        An open slide, or the path of its .imzML.
    labels
        A label file, an image of whole numbers in the slide's shape, or an Annotation.
    groups
        One whole number per pixel (patient, core); pixels of one group are never divided by the
        validation. Without it, strokes and tissue regions are the groups.
    base
        A model to fine-tune, or its file.
    **options
        Fields of :class:`~napari_ims_tumor.model.config.FitConfig`: ``network`` (``"default"``,
        ``"linear"``, ``"isotopenet"``, ``"faithful"``), ``epochs``, ``seed``, ``device``,
        ``tune``, ``time_limit_s``.

    Returns
    -------
    FittedModel

    Raises
    ------
    ImsTumorError
        One sentence: a file that cannot be read, labels that do not fit, too little to fit.
    """
    from napari_ims_tumor.cohort.fitting import fit_cohort
    from napari_ims_tumor.cohort.table import CohortSlide

    config = fit_config(**options)
    start = read_model(base) if isinstance(base, (str, os.PathLike)) else base
    one = CohortSlide(_slide(slide), _labels(labels), _groups(groups))
    return run_inline(fit_cohort((one,), config, start))


def fit_cohort(
    cohort: PathLike,
    slides: str | None = None,
    base: PathLike | FittedModel | None = None,
    **options: Any,
) -> FittedModel:
    """Fit one model to the labelled pixels of many slides.

    Parameters
    ----------
    cohort
        A table with the columns slide, labels and optionally groups.
    slides
        Which of them, ``"1-4,7"`` or names; all by default.
    base, **options
        As for :func:`fit`.
    """
    from napari_ims_tumor.cohort.fitting import fit_cohort as job
    from napari_ims_tumor.cohort.selection import select_slides
    from napari_ims_tumor.cohort.table import read_cohort

    chosen = select_slides(read_cohort(cohort), slides)
    start = read_model(base) if isinstance(base, (str, os.PathLike)) else base
    return run_inline(job(chosen, fit_config(**options), start))


def predict(
    model: PathLike | FittedModel, slide: PathLike | MsiDataset, device: str = "auto"
) -> Prediction:
    """Predict the class probabilities of every measured pixel of a slide.

    Returns
    -------
    Prediction
        ``probabilities`` is (classes, *image_shape), float32, NaN where nothing was measured.
    """
    from napari_ims_tumor.model import prediction

    fitted = read_model(model) if isinstance(model, (str, os.PathLike)) else model
    dataset = open_imzml(slide) if isinstance(slide, (str, os.PathLike)) else slide
    return run_inline(prediction.predict(fitted, dataset, device))


def evaluate(
    cohort: PathLike,
    networks: Sequence[str] = ("default", "linear"),
    folds: int = 5,
    permute_labels: int | None = None,
    slides: str | None = None,
    **options: Any,
) -> EvaluationReport:
    """Judge networks by cross-validation with whole groups held out.

    Parameters
    ----------
    cohort
        A table with the columns slide, labels and optionally groups.
    networks
        Which presets to compare.
    folds
        Number of folds; no group is on both sides of one.
    permute_labels
        A seed: labels are shuffled among the labelled pixels, so that nothing can be learned.
    slides
        Which of the slides, ``"1-4,7"`` or names; all by default.
    **options
        As for :func:`fit`.
    """
    from napari_ims_tumor.cohort.cross_validation import evaluate as cross_validate
    from napari_ims_tumor.cohort.selection import select_slides
    from napari_ims_tumor.cohort.table import read_cohort

    chosen = select_slides(read_cohort(cohort), slides)
    config = fit_config(**options)
    job = cross_validate(chosen, tuple(networks), config, folds, permute_labels)
    return run_inline(job).with_files(cohort_table=Path(cohort))


def validate(
    model: PathLike | FittedModel,
    cohort: PathLike,
    slides: str | None = None,
    device: str = "auto",
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
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    """
    from napari_ims_tumor.cohort.external_validation import validate as judge
    from napari_ims_tumor.cohort.selection import select_slides
    from napari_ims_tumor.cohort.table import read_cohort

    file = Path(model) if isinstance(model, (str, os.PathLike)) else None
    fitted = read_model(model) if isinstance(model, (str, os.PathLike)) else model
    chosen = select_slides(read_cohort(cohort), slides)
    report = run_inline(judge(fitted, chosen, device))
    return report.with_files(cohort_table=Path(cohort), model_file=file)


def simulate(
    folder: PathLike, slides: int = 1, batches: int = 1, **options: Any
) -> list[SimulatedFiles]:
    """Write simulated slides with labels, patients, truth and a cohort table into a folder.

    Parameters
    ----------
    folder
        Made where it does not exist.
    slides
        How many; they share molecules, not patients.
    batches
        How many batches they were measured in, each of neighboring slides.
    **options
        Fields of :class:`~napari_ims_tumor.msi.synthetic.recipe.SlideRecipe` and of its
        ``Variation``, ``Instrument`` and ``Faults``: ``scene``, ``signal``, ``rows``, ``columns``,
        ``channels``, ``layout``, ``seed``, ``patients``, ``infiltration``, ``strength``,
        ``patient_effect``, ``label_noise``, ``hot_spots``, …

    Returns
    -------
    list of SimulatedFiles
        One per slide.
    """
    return run_inline(simulate_job(folder, slides, batches, **options))


def simulate_job(
    folder: PathLike, slides: int = 1, batches: int = 1, **options: Any
) -> Job[Progress, list[SimulatedFiles]]:
    """Return :func:`simulate` as a job, which reports how far it is and can be stopped."""
    from napari_ims_tumor.io.simulated_files import write_cohort_job
    from napari_ims_tumor.msi.synthetic.recipe import make_recipe
    from napari_ims_tumor.msi.synthetic.slide import CohortPlan

    plan = CohortPlan(make_recipe(**options), slides, batches)
    return write_cohort_job(Path(folder), plan)


def read_labels(
    path: PathLike,
    slide: MsiDataset,
    classes: Mapping[str, str] | None = None,
    scale: float = 1.0,
) -> tuple[Annotation, tuple[str, ...]]:
    """Read what an expert painted on a slide: an image, or QuPath's annotations.

    Parameters
    ----------
    path
        ``.npy``, ``.png``, ``.tif`` or ``.geojson``.
    slide
        The slide that it belongs to.
    classes
        Of GeoJSON: a class name in the file → ``"healthy"``, ``"tumor"`` or ``"ignore"``.
    scale
        Of GeoJSON: how many pixels of the annotated image are one pixel of the slide.

    Returns
    -------
    Annotation, tuple of str
        The labels, and a sentence for everything that was adapted or left out.
    """
    from napari_ims_tumor.io.annotation_file import read_labels as read
    from napari_ims_tumor.io.geojson import ClassMapping, LabelsImport, Placement

    how = LabelsImport(ClassMapping(classes or {}), Placement.scaled(scale))
    return read(Path(path), slide.pixels, how=how)


def write_labels(
    path: PathLike, labels: Annotation | NDArray[Any], slide: MsiDataset, scale: float = 1.0
) -> None:
    """Write labels by the ending of the path; ``scale`` as for :func:`read_labels`."""
    from napari_ims_tumor.io.annotation_file import write_labels as write
    from napari_ims_tumor.io.geojson import Placement

    annotation = labels if isinstance(labels, Annotation) else Annotation(labels)
    write(Path(path), annotation, slide.pixels, Placement.scaled(scale))


def read_model(path: PathLike) -> FittedModel:
    """Read a model file; nothing in it is ever executed."""
    from napari_ims_tumor.model.checkpoint import read_model as read

    return read(Path(path))


def write_model(path: PathLike, model: FittedModel) -> None:
    """Write a model as one safetensors file, the same bytes for the same model."""
    from napari_ims_tumor.model.checkpoint import write_model as write

    write(Path(path), model)


def _slide(slide: PathLike | MsiDataset) -> Path | MsiDataset:
    return Path(slide) if isinstance(slide, (str, os.PathLike)) else slide


def _labels(labels: Labels) -> Path | Annotation:
    if isinstance(labels, Annotation):
        return labels
    return Path(labels) if isinstance(labels, (str, os.PathLike)) else Annotation(labels)


def _groups(groups: PathLike | NDArray[Any] | None) -> Path | NDArray[Any] | None:
    if groups is None:
        return None
    return np.asarray(groups) if isinstance(groups, np.ndarray) else Path(groups)
