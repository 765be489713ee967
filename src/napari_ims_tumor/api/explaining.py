"""Why: what moved the answer to a pixel, or to a class."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.api.given import model_given, slide_given
from napari_ims_tumor.api.models import Labels
from napari_ims_tumor.api.noticing import warn
from napari_ims_tumor.api.slides import PathLike
from napari_ims_tumor.errors import QueryError
from napari_ims_tumor.io.imzml import open_imzml_job
from napari_ims_tumor.job import Job, Progress, run_inline
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.memory_budget import GivenBudget

if TYPE_CHECKING:
    from napari_ims_tumor.cohort.explaining import How
    from napari_ims_tumor.cohort.explanation import Explanation
    from napari_ims_tumor.model.fitted_model import FittedModel


def explain(
    model: PathLike | FittedModel,
    slide: PathLike | MsiDataset,
    pixel: tuple[int, ...] | None = None,
    class_name: str | None = None,
    labels: Labels | None = None,
    **options: Any,
) -> Explanation:
    """Say which m/z moved the answer to a pixel, or tell the pixels of a class from the others.

    Parameters
    ----------
    model, slide
        Open, or the paths of their files.
    pixel
        Row, column and, where there are several, plane.
    class_name
        Instead: the pixels labelled as this class, each against one of another class; without
        labels those that the model predicts. The model's last class, the tumor, by default.
    labels
        A label file, an image in the slide's shape, or an Annotation. With them a pixel is compared
        with labelled ones of another class, without with the mean of the fitted spectra; and the
        table also says what each peak tells alone: AUC, and p-values by groups.
    **options
        ``target`` (the class that relevance points to; of a pixel by default the tumor), ``quick``
        (gradient times input instead of integrated gradients), ``steps``, ``most_pixels``,
        ``groups`` (an image of patients or cores, or its file), ``device``, ``memory_budget``.

    Returns
    -------
    Explanation
        ``top(20)`` are the rows of the table, ``notes()`` what has to be said beside them,
        ``write(path)`` writes all peaks as .csv.
    """
    return run_inline(explain_job(model, slide, pixel, class_name, labels=labels, **options))


def explain_job(
    model: PathLike | FittedModel,
    slide: PathLike | MsiDataset,
    pixel: tuple[int, ...] | None = None,
    class_name: str | None = None,
    memory_budget: GivenBudget = None,
    **options: Any,
) -> Job[Progress, Explanation]:
    """Return :func:`explain` as a job, which reports how far it is and can be stopped."""
    from napari_ims_tumor.cohort.explaining import (
        explain_class,
        explain_pixel,
        refuse_unlabelled,
    )

    if pixel is not None and class_name is not None:
        raise QueryError("give either a pixel or a class, not both")
    labels, groups = options.pop("labels", None), options.pop("groups", None)
    how = explain_options(**options)
    fitted, dataset = model_given(model), slide_given(slide)
    with ExitStack() as opened:
        if isinstance(dataset, Path):
            dataset = opened.enter_context((yield from open_imzml_job(dataset, memory_budget)))
        annotation = None if labels is None else _annotation(labels, dataset)
        if annotation is not None:
            own = class_name if pixel is None else None
            target = how.target or own or fitted.class_names[-1]
            refuse_unlabelled(target, annotation.scheme.names)
        if pixel is not None:
            found = yield from explain_pixel(fitted, dataset, pixel, how, annotation)
        else:
            name = class_name or fitted.class_names[-1]
            found = yield from explain_class(fitted, dataset, name, annotation, how)
        if annotation is None:
            return found
        return (yield from _beside(found, (dataset, annotation, groups)))


def explain_options(
    quick: bool = False, steps: int | None = None, **options: Any
) -> How:  # fmt: skip
    """Build how to explain of the options of :func:`explain`; ``None`` keeps a default."""
    from napari_ims_tumor.cohort.explaining import How, is_whole
    from napari_ims_tumor.model.relevance import Attribution

    given = {name: value for name, value in options.items() if value is not None}
    unknown = sorted(set(given) - {"target", "most_pixels", "device"})
    if unknown:
        raise QueryError(f"explain has no option {unknown[0]!r}")
    if quick and steps is not None:
        raise QueryError("steps are of integrated gradients: the quick way has none")
    if quick:
        given["attribution"] = Attribution("gradient x input")
    elif steps is not None:
        if not is_whole(steps):
            raise QueryError(f"steps are {steps!r}: give a whole number")
        given["attribution"] = Attribution(steps=steps)
    return How(**given)


def _annotation(labels: Labels, dataset: MsiDataset) -> Annotation:
    from napari_ims_tumor.io.annotation_file import read_labels

    if isinstance(labels, Annotation):
        return labels
    if isinstance(labels, (str, os.PathLike)):
        annotation, notices = read_labels(Path(labels), dataset.pixels)
        for notice in notices:
            warn(notice)
        return annotation
    return Annotation(labels)


def _beside(
    found: Explanation, labelled: tuple[MsiDataset, Annotation, Any]
) -> Job[Progress, Explanation]:
    """Add what each peak says alone."""
    from napari_ims_tumor.cohort.explaining import univariate_job
    from napari_ims_tumor.cohort.gathering import gather
    from napari_ims_tumor.cohort.table import CohortSlide

    dataset, annotation, groups = labelled
    image = Path(groups) if isinstance(groups, (str, os.PathLike)) else groups
    slide = CohortSlide(dataset, annotation, None if image is None else _as_groups(image))
    gathered = yield from gather((slide,), found.peaks.axis, only_by_hand=True)
    alone = yield from univariate_job(gathered.spectra, found.peaks, found.target)
    return replace(found, univariate=alone)


def _as_groups(image: Any) -> Any:
    return image if isinstance(image, Path) else np.ma.filled(image, 0)
