"""Jobs that say why: of one pixel, of a class' pixels, and what each peak says alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.cohort.explanation import Explanation
from napari_ims_tumor.cohort.univariate import Univariate, compare
from napari_ims_tumor.errors import QueryError
from napari_ims_tumor.job import STOP, Job, JobStopped, Progress
from napari_ims_tumor.model.device import steadily
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.predicting import predict
from napari_ims_tumor.model.relevance import Attributed, Attribution, Explainer
from napari_ims_tumor.model.samples import LabelledSpectra
from napari_ims_tumor.msi.arrays import Float64Array, FloatArray, IntArray
from napari_ims_tumor.msi.axis_peaks import AxisPeaks, axis_peaks
from napari_ims_tumor.msi.binning import binned_blocks, refuse_uncovered
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.matrix_room import pieces

MOST_PIXELS: Final = 200
"""Of a class: their mean hardly moves with more."""
CLASS_STEPS: Final = 16
"""For each pixel of a class: errors of single pixels cancel in their mean."""


@dataclass(frozen=True, slots=True)
class How:
    """How to explain.

    Attributes
    ----------
    target
        The class that relevance points to; the model's last one, the tumor, by default.
    attribution
        Method and steps; by default integrated gradients, with fewer steps for many pixels.
    most_pixels
        Of a class at most so many, evenly spread over the slide.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    """

    target: str | None = None
    attribution: Attribution | None = None
    most_pixels: int = MOST_PIXELS
    device: str = "auto"


def model_peaks(model: FittedModel) -> AxisPeaks:
    """Peaks of the mean of the spectra that a model was fitted to: the same for every slide."""
    return axis_peaks(model.axis, model.normalization.center.astype(np.float64) ** 2)


def explain_pixel(
    model: FittedModel, dataset: MsiDataset, place: tuple[int, ...], how: How | None = None
) -> Job[Progress, Explanation]:
    """Explain the answer to one pixel.

    Parameters
    ----------
    place
        Row and column, and the plane where there are several.

    Raises
    ------
    QueryError
        Nothing was measured there, or the model does not know the class.
    ModelFileError
        The slide does not cover the model's m/z axis.
    """
    row, column, plane = (*place, 0)[:3]
    index = dataset.pixels.index_at(row, column, plane)
    if index is None:
        raise QueryError(f"row {row}, column {column} of {dataset.name} was not measured")
    where = f", plane {plane}" if dataset.pixels.n_planes > 1 else ""
    about = f"row {row}, column {column}{where} of {dataset.name}"
    return (yield from steadily(_explain(model, dataset, (np.array([index]), about), how or How())))


def explain_class(
    model: FittedModel,
    dataset: MsiDataset,
    class_name: str,
    annotation: Annotation | None = None,
    how: How | None = None,
) -> Job[Progress, Explanation]:
    """Explain the mean answer to the pixels of a class.

    Parameters
    ----------
    annotation
        Whose pixels are meant; without it, or where it has none of this class, those that the
        model itself predicts as the class.
    """
    how = replace(how or How(), target=(how or How()).target or class_name)
    chosen = _labelled(dataset, class_name, annotation)
    word = "labelled"
    if not chosen.size:
        chosen = yield from _predicted(model, dataset, class_name, how.device)
        word = "predicted"
    if not chosen.size:
        raise QueryError(f"no pixel of {dataset.name} is {word} as {class_name}")
    spread = _spread(chosen, how.most_pixels)
    of = f"{spread.size:,} of " if spread.size < chosen.size else ""
    about = f"{of}{chosen.size:,} pixels {word} as {class_name} on {dataset.name}"
    fewer = Attribution(steps=CLASS_STEPS) if spread.size > 1 else Attribution()
    how = replace(how, attribution=how.attribution or fewer)
    return (yield from steadily(_explain(model, dataset, (spread, about), how)))


def univariate_job(
    spectra: LabelledSpectra, peaks: AxisPeaks, target: str
) -> Job[Progress, Univariate]:
    """Say what each envelope says alone, by labelled spectra on the axis of the peaks."""
    n = len(spectra)
    sums = np.empty((n, len(peaks.envelopes)))
    for part in pieces(*spectra.values.shape):
        yield from _go_on("Comparing peaks", part.start, n)
        sums[part] = shares_of_peaks(spectra.values[part], peaks)
    inside = spectra.classes == spectra.class_names.index(target)
    return compare(sums, inside, spectra.groups, spectra.group_kind)


def shares_of_peaks(values: FloatArray, peaks: AxisPeaks) -> Float64Array:
    """Share of each envelope in its spectrum's total: (n, bins) → (n, envelopes)."""
    clean = np.maximum(np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0), 0)
    total = clean.sum(axis=1, keepdims=True)
    sums = peaks.sums(clean)
    return np.asarray(np.divide(sums, total, out=np.zeros_like(sums), where=total > 0), np.float64)


def _explain(
    model: FittedModel, dataset: MsiDataset, which: tuple[IntArray, str], how: How
) -> Job[Progress, Explanation]:
    indices, about = which
    refuse_uncovered(dataset, model.axis)
    target = how.target or model.class_names[-1]
    method = how.attribution or Attribution()
    explainer = Explainer(model, target, method, how.device)
    bins, moved, done = np.zeros(len(model.axis)), 0.0, 0
    for block, values in binned_blocks(dataset, model.axis, indices):
        steps = explainer.steps(values)
        while True:
            yield from _go_on("Explaining", done, indices.size)
            try:
                next(steps)
            except StopIteration as end:
                found: Attributed = end.value
                break
        bins += found.bins.sum(axis=0, dtype=np.float64)
        moved += float(found.moved.sum())
        done += block.size
    return Explanation(
        target=target,
        others=" and ".join(name for name in model.class_names if name != target),
        about=about,
        method=_method_words(model, method),
        peaks=model_peaks(model),
        bins=(bins / indices.size).astype(np.float32),
        moved=moved / indices.size,
    )


def _method_words(model: FittedModel, how: Attribution) -> str:
    if not model.has_cnn:
        return "The model is linear: its relevance is exact."
    if how.method == "gradient x input":
        return "Gradient times input: quick, and its sum is not the answer."
    return f"Integrated gradients from the mean of the fitted spectra, {how.steps} steps."


def _labelled(dataset: MsiDataset, name: str, annotation: Annotation | None) -> IntArray:
    if annotation is None:
        return np.zeros(0, np.int64)
    value = next((c.value for c in annotation.scheme.classes if c.name == name), 0)
    inside = (annotation.labels == value) & (value > 0) & dataset.pixels.measured
    return np.sort(dataset.pixels.lookup[inside])


def _predicted(
    model: FittedModel, dataset: MsiDataset, name: str, device: str
) -> Job[Progress, IntArray]:
    if name not in model.class_names:
        raise QueryError(f"the model knows no class {name!r}: use {' or '.join(model.class_names)}")
    prediction = yield from predict(model, dataset, device)
    planes = np.nan_to_num(prediction.probabilities, nan=-1.0)
    inside = (planes.argmax(axis=0) == model.class_names.index(name)) & dataset.pixels.measured
    # What is unlike anything labelled has no answer that could be explained.
    inside &= ~prediction.unfamiliar
    return np.sort(dataset.pixels.lookup[inside])


def _spread(indices: IntArray, most: int) -> IntArray:
    """At most so many, evenly spread over the order of the file."""
    if indices.size <= most:
        return indices
    return indices[np.linspace(0, indices.size - 1, most).round().astype(np.int64)]


def _go_on(phase: str, done: int, total: int) -> Job[Progress, None]:
    if (yield Progress(phase, done, total)) is STOP:
        raise JobStopped("Stopped: what was shown before is unchanged.")
