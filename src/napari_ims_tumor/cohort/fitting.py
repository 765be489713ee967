"""Fit one model to the labels of one or many slides."""

from __future__ import annotations

from collections.abc import Callable

from napari_ims_tumor.cohort.gathering import gather
from napari_ims_tumor.cohort.overlap import with_marks, with_warning
from napari_ims_tumor.cohort.polarity import polarity_of_model, with_polarity
from napari_ims_tumor.cohort.table import CohortSlide
from napari_ims_tumor.job import Job, Progress
from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.fitting import EpochReport, fit
from napari_ims_tumor.model.unfinished import Unfinished
from napari_ims_tumor.msi.memory_budget import MemoryBudget


def fit_cohort(
    slides: tuple[CohortSlide, ...],
    config: FitConfig,
    base: FittedModel | Unfinished | None = None,
    on_notice: Callable[[str], object] | None = None,
    memory: MemoryBudget | None = None,
) -> Job[Progress | EpochReport, FittedModel]:
    """Read the labelled spectra of every slide, then fit.

    Parameters
    ----------
    slides
        One slide, or the rows of a cohort table.
    config
        How to fit.
    base
        A model to fine-tune: the spectra are read onto its axis. Or a fit that was ended: it goes
        on.
    on_notice
        Called with each sentence on what was done to labels to make them fit.
    memory
        What the slides may take in memory; the usual budget by default.
    """
    first = base.base if isinstance(base, Unfinished) else base
    axis = first.axis if first else None
    gathered = yield from gather(slides, axis, memory, polarity=polarity_of_model(first))
    if on_notice is not None:
        for notice in (*gathered.notices, *gathered.cautions):
            on_notice(notice)
    model = yield from fit(gathered.spectra, config, base)
    told = with_polarity(with_warning(model, gathered, first), gathered.polarity)
    return with_marks(told, gathered, first)
