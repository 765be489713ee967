"""Slides and labels: look at them, read and write them, simulate them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from numpy.typing import NDArray

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.job import Job, Progress, run_inline
from napari_ims_tumor.msi.arrays import FloatArray
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.ion_measure import IonMeasure, measured_images
from napari_ims_tumor.msi.mass_axis import MassWindow
from napari_ims_tumor.msi.normalization import Normalizer
from napari_ims_tumor.msi.reduction import Reduction

if TYPE_CHECKING:
    from napari_ims_tumor.io.simulated_files import SimulatedFiles

PathLike: TypeAlias = str | os.PathLike[str]


def ion_images(
    slide: MsiDataset,
    windows: Sequence[MassWindow],
    normalize: Normalizer = "none",
    reduce: Reduction = "sum",
) -> FloatArray:
    """Make the ion images of m/z windows.

    Parameters
    ----------
    slide
        An open slide.
    windows
        Bounds are inclusive.
    normalize
        ``"tic"``, ``"rms"``, ``"median"`` or the window of a reference peak multiply each spectrum
        by the slide's mean reference over its own (see :mod:`napari_ims_tumor.msi.normalization`).
    reduce
        ``"sum"``, ``"max"`` or ``"mean"`` of the points inside a window.

    Returns
    -------
    ndarray
        (windows, *image_shape); NaN where nothing was measured, 0 where no peak lies inside.
    """
    return measured_images(slide, windows, IonMeasure(reduce, normalize))


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
