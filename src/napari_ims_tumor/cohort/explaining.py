"""Jobs that say why: of one pixel, of a class' pixels, and what each peak says alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Integral
from typing import Final

import numpy as np

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.cohort.class_pixels import ClassPixels, Compared
from napari_ims_tumor.cohort.explanation import Explanation
from napari_ims_tumor.cohort.polarity import refuse_other_polarity
from napari_ims_tumor.cohort.univariate import Univariate, compare
from napari_ims_tumor.errors import QueryError
from napari_ims_tumor.job import STOP, Job, JobStopped, Progress
from napari_ims_tumor.model.computing import Computing, GivenComputing
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.predicting import predict_matrix
from napari_ims_tumor.model.relevance import Attributed, Attribution, Explainer
from napari_ims_tumor.model.samples import LabelledSpectra
from napari_ims_tumor.model.steady_threads import steadily
from napari_ims_tumor.msi.arrays import Float64Array, FloatArray, IntArray
from napari_ims_tumor.msi.axis_peaks import AxisPeaks, axis_peaks
from napari_ims_tumor.msi.binning import binned_blocks, refuse_uncovered
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.matrix_room import pieces

MOST_PIXELS: Final = 200
"""Of a class, each beside one of another: their mean hardly moves with more."""
CLASS_STEPS: Final = 16
"""For each pixel of a class: errors of single pixels cancel in their mean."""
REFERENCES: Final = 8
"""Pixels of other classes that one pixel is compared with."""
REFERENCE_STEPS: Final = 6
"""From each of them: together fewer than from the mean alone, so that a click takes as long."""


def is_whole(value: object) -> bool:
    """Whether a value is a whole number, of NumPy's kinds as well."""
    return isinstance(value, Integral)


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
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``, or how it computes too.
    """

    target: str | None = None
    attribution: Attribution | None = None
    most_pixels: int = MOST_PIXELS
    device: GivenComputing = "auto"

    @property
    def deterministic(self) -> bool:
        """Whether a GPU shall give the same numbers every time."""
        return Computing.of(self.device).deterministic

    def __post_init__(self) -> None:
        if not is_whole(self.most_pixels) or self.most_pixels < 1:
            raise QueryError(
                f"{self.most_pixels!r} pixels of a class: give a whole number, 1 or more"
            )


def model_peaks(model: FittedModel) -> AxisPeaks:
    """Peaks of the mean of the spectra that a model was fitted to: the same for every slide."""
    return axis_peaks(model.axis, model.normalization.center.astype(np.float64) ** 2)


def explain_pixel(
    model: FittedModel,
    dataset: MsiDataset,
    place: tuple[int, ...],
    how: How | None = None,
    annotation: Annotation | None = None,
) -> Job[Progress, Explanation]:
    """Explain the answer to one pixel.

    Parameters
    ----------
    place
        Row and column, and the plane where there are several.
    annotation
        With it the pixel is compared with a few that are labelled as another class than it is
        predicted; without, or where there are none, with the mean of the fitted spectra.

    Raises
    ------
    QueryError
        Nothing was measured there, it is no place, or the model does not know the class.
    LabelsError
        Labels of another shape than the slide's.
    ModelFileError
        The slide does not cover the model's m/z axis.
    """
    row, column, plane = _place(place)
    index = dataset.pixels.index_at(row, column, plane)
    if index is None:
        raise QueryError(f"row {row}, column {column} of {dataset.name} was not measured")
    where = f", plane {plane}" if dataset.pixels.n_planes > 1 else ""
    about = f"row {row}, column {column}{where} of {dataset.name}"
    how = how or How()
    which = _beside_one(model, dataset, int(index), annotation, how.device)
    which = replace(which, about=", ".join(part for part in (about, which.about) if part))
    by_few = Attribution(steps=REFERENCE_STEPS) if which.indices.size > 1 else Attribution()
    how = replace(how, attribution=how.attribution or by_few)
    return (yield from steadily(_explain(model, dataset, which, how), how.deterministic))


def explain_class(
    model: FittedModel,
    dataset: MsiDataset,
    class_name: str,
    annotation: Annotation | None = None,
    how: How | None = None,
) -> Job[Progress, Explanation]:
    """Explain the mean answer to the pixels of a class, each against a pixel of another class.

    Parameters
    ----------
    annotation
        Whose pixels are meant; without it, or where it has none of this class, those that the
        model itself predicts as the class. So for the other classes, which they are compared with.
    """
    how = replace(how or How(), target=(how or How()).target or class_name)
    pixels = ClassPixels(model, dataset, annotation, how.device)
    compared = yield from pixels.compared(class_name, how.most_pixels)
    fewer = Attribution(steps=CLASS_STEPS) if compared.indices.size > 1 else Attribution()
    how = replace(how, attribution=how.attribution or fewer)
    return (yield from steadily(_explain(model, dataset, compared, how), how.deterministic))


def _place(place: tuple[int, ...]) -> tuple[int, int, int]:
    """Read row, column and plane, the first plane where none is named."""
    parts = tuple(np.ravel(np.asarray(place, object)).tolist())
    if len(parts) not in (2, 3) or not all(is_whole(part) for part in parts):
        raise QueryError(
            f"{place!r} is no pixel: give its row and column, whole numbers from 0, and the plane "
            "where there are several"
        )
    row, column, plane = (*(int(part) for part in parts), 0)[:3]
    return row, column, plane


def univariate_job(
    spectra: LabelledSpectra, peaks: AxisPeaks, target: str
) -> Job[Progress, Univariate]:
    """Say what each envelope says alone, by labelled spectra on the axis of the peaks."""
    refuse_unlabelled(target, spectra.class_names)
    n = len(spectra)
    sums = np.empty((n, len(peaks.envelopes)))
    for part in pieces(*spectra.values.shape):
        yield from _go_on("Comparing peaks", part.start, n)
        sums[part] = shares_of_peaks(spectra.values[part], peaks)
    inside = spectra.classes == spectra.class_names.index(target)
    return compare(sums, inside, spectra.groups, spectra.group_kind)


def refuse_unlabelled(target: str, names: tuple[str, ...]) -> None:
    """Stop where relevance shall point to a class that the labels do not know."""
    if target not in names:
        raise QueryError(
            f"the labels know no class {target!r}, only {' and '.join(names)}: leave the labels "
            "out, or name one of these as the target"
        )


def shares_of_peaks(values: FloatArray, peaks: AxisPeaks) -> Float64Array:
    """Share of each envelope in its spectrum's total: (n, bins) → (n, envelopes)."""
    clean = np.maximum(np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0), 0)
    total = clean.sum(axis=1, keepdims=True)
    sums = peaks.sums(clean)
    return np.asarray(np.divide(sums, total, out=np.zeros_like(sums), where=total > 0), np.float64)


def _explain(
    model: FittedModel, dataset: MsiDataset, which: Compared, how: How
) -> Job[Progress, Explanation]:
    refuse_other_polarity(model, dataset)
    refuse_uncovered(dataset, model.axis)
    target = how.target or model.class_names[-1]
    method = how.attribution or Attribution()
    explainer = Explainer(model, target, method, how.device)
    bins, moved, n = np.zeros(len(model.axis)), 0.0, which.indices.size
    for part in pieces(n, len(model.axis)):
        values = _rows(model, dataset, which.indices[part])
        beside = None if which.against is None else _rows(model, dataset, which.against[part])
        steps = explainer.steps(values, beside)
        while True:
            yield from _go_on("Explaining", part.start, n)
            try:
                next(steps)
            except StopIteration as end:
                found: Attributed = end.value
                break
        bins += found.bins.sum(axis=0, dtype=np.float64)
        moved += float(found.moved.sum())
    return Explanation(
        target=target,
        others=" and ".join(name for name in model.class_names if name != target),
        about=which.about,
        method=" ".join(
            (method_words(model, method, which.against is not None), *_said(explainer))
        ),
        peaks=model_peaks(model),
        bins=(bins / n).astype(np.float32),
        moved=moved / n,
    )


def _said(explainer: Explainer) -> list[str]:
    """What was done where memory ended, in sentences."""
    return [f"{note}." for note in explainer.notes]


def _beside_one(
    model: FittedModel,
    dataset: MsiDataset,
    index: int,
    annotation: Annotation | None,
    device: GivenComputing,
) -> Compared:
    if annotation is None or not annotation.strokes.any():
        return Compared(np.array([index]), None, "")
    refuse_uncovered(dataset, model.axis)
    values = _rows(model, dataset, np.array([index]))
    name = model.class_names[int(predict_matrix(model, values, device)[0].argmax())]
    pixels = ClassPixels(model, dataset, annotation, device)
    return pixels.compared_one(index, name, REFERENCES)


def _rows(model: FittedModel, dataset: MsiDataset, indices: IntArray) -> FloatArray:
    """Read some spectra, each once, in ascending order: (k, bins) on the model's axis."""
    once, place = np.unique(indices, return_inverse=True)
    return np.concatenate([values for _, values in binned_blocks(dataset, model.axis, once)])[place]


def method_words(model: FittedModel, how: Attribution, by_pairs: bool) -> str:
    """Say how an explanation is made."""
    if not model.has_cnn:
        return "The model is linear: its relevance is exact."
    if how.method == "gradient x input":
        return "Gradient times input: quick, and its sum is not the answer."
    if by_pairs:
        return f"Integrated gradients from pixels of another class, {how.steps} steps each."
    return f"Integrated gradients from the mean of the fitted spectra, {how.steps} steps."


def _go_on(phase: str, done: int, total: int) -> Job[Progress, None]:
    if (yield Progress(phase, done, total)) is STOP:
        raise JobStopped("Stopped: what was shown before is unchanged.")
