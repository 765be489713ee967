"""*Predict*: a slide block by block, and what neighbors add once all of it is answered."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from math import inf
from typing import Final

import numpy as np

from napari_ims_tumor.job import STOP, Job, JobStopped, Progress, outcome_of
from napari_ims_tumor.model.answering import (
    Answered,
    Blocks,
    answered,
    beside_a_gpu,
    computes_apart,
)
from napari_ims_tumor.model.calibration import softmax
from napari_ims_tumor.model.computing import Computing, GivenComputing
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.neighborhood import Neighborhood
from napari_ims_tumor.model.prediction import Prediction
from napari_ims_tumor.model.predictor import Predictor
from napari_ims_tumor.model.repeatable import repeatable
from napari_ims_tumor.model.steady_threads import steadily
from napari_ims_tumor.msi.arrays import Float32Array, FloatArray, IntArray
from napari_ims_tumor.msi.binning import binned_blocks, refuse_uncovered
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.matrix_room import pieces
from napari_ims_tumor.msi.neighbors import neighbor_pairs

TELL_EVERY_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class PredictionReport(Progress):
    """How far a prediction is.

    Attributes
    ----------
    preview
        What is answered so far, each pixel alone; all others are NaN. ``None`` in most reports.
    """

    preview: Prediction | None = None


def predict(
    model: FittedModel,
    dataset: MsiDataset,
    device: GivenComputing = "auto",
    preview_every_s: float = inf,
) -> Job[PredictionReport, Prediction]:
    """Predict every pixel of a slide.

    Parameters
    ----------
    model, dataset, device
        What answers, to what, on what (and how, see :class:`.Computing`).
    preview_every_s
        How often a report shows what is answered so far; never by default.

    Raises
    ------
    ModelFileError
        The slide does not cover the model's m/z axis.
    JobStopped
        Stopped: half an overlay would be mistaken for a whole one.
    """
    how = Computing.of(device)
    steps = _predict(model, dataset, how, preview_every_s)
    prediction = yield from steadily(steps, how.deterministic)
    return prediction


def predict_matrix(
    model: FittedModel, values: FloatArray, device: GivenComputing = "auto"
) -> Float32Array:
    """Raw intensities (n, bins) on the model's axis → probabilities (n, K).

    What was done where the memory of a GPU ended is told by a ``RuntimeWarning``.
    """
    predictor = Predictor(model, device)
    found = np.zeros((len(values), len(model.class_names)), np.float32)
    blocks = _blocks_of(predictor, values)
    for rows, answers in predict_rows(predictor, blocks, len(values)):
        found[rows] = answers
    if predictor.notes:
        warnings.warn("; ".join(predictor.notes), RuntimeWarning, stacklevel=2)
    return found


def predict_rows(
    predictor: Predictor, blocks: Blocks, n: int
) -> Iterator[tuple[IntArray, Float32Array]]:
    """Blocks of at most n spectra → which they are, and probabilities (k, K)."""
    if not computes_apart(predictor.device):
        for rows, values in blocks:
            with repeatable(predictor.how.deterministic):
                found = outcome_of(predictor.steps(values)).probabilities
            yield rows, found
        return
    with closing(beside_a_gpu(predictor, blocks, n)) as answers:
        for one in answers:
            if one is not None:
                yield one.indices, one.answer.probabilities


def _predict(
    model: FittedModel, dataset: MsiDataset, how: Computing, preview_every_s: float
) -> Job[PredictionReport, Prediction]:
    refuse_uncovered(dataset, model.axis)
    n = dataset.n_spectra
    yield from _go_on(PredictionReport("Predicting", 0, n))
    predictor = Predictor(model, how)
    if model.neighbor_temperature is not None:
        for _ in predictor.look_along(dataset):
            yield from _go_on(PredictionReport("Predicting", 0, n))
    slide = _SlideAnswers(predictor, dataset)
    blocks = binned_blocks(dataset, model.axis)
    shown = told = time.monotonic()
    with closing(answered(predictor, blocks, n)) as answers:
        for one in answers:
            preview = None
            if one is not None:
                slide.take(one)
                if time.monotonic() - shown >= preview_every_s and slide.done < n:
                    preview, shown = slide.so_far(), time.monotonic()
            if preview is None and time.monotonic() - told < TELL_EVERY_S and slide.done < n:
                # Each report holds up the threads that compute.
                continue
            told = time.monotonic()
            phase = " · ".join(("Predicting", *predictor.notes[-1:]))
            yield from _go_on(PredictionReport(phase, slide.done, n, preview))
    return slide.laid_out()


def _blocks_of(predictor: Predictor, values: FloatArray) -> Blocks:
    """A matrix in blocks: no second one as large is made of it."""
    every, n = np.arange(len(values)), len(values)
    if computes_apart(predictor.device):
        return ((every[part], values[part]) for part in pieces(*values.shape))
    rows = predictor.rows_alike(values.shape[1])
    return ((every[at : at + rows], values[at : at + rows]) for at in range(0, n, rows))


class _SlideAnswers:
    """The answers to a slide's spectra while they come in."""

    def __init__(self, predictor: Predictor, dataset: MsiDataset) -> None:
        self.model, self.pixels = predictor.model, dataset.pixels
        self._notes = predictor.notes
        n = dataset.n_spectra
        self.done = 0
        self._answered, self._full = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
        self._found = np.full((n, len(self.model.class_names)), np.nan, np.float32)
        self._apart = _blank(n) if self.model.has_cnn else None
        self._strange = None if self.model.trust.familiarity is None else _blank(n)
        self._scores = None if predictor.along is None else _blank(n, len(predictor.along))

    def take(self, one: Answered) -> None:
        """Put the answers to some spectra in their place."""
        indices, answer = one.indices, one.answer
        self._answered[indices] = True
        self._full[indices], self._found[indices] = one.full, answer.probabilities
        for kept, part in (
            (self._apart, answer.disagreement),
            (self._strange, answer.unfamiliarity),
            (self._scores, answer.scores),
        ):
            if kept is not None and part is not None:
                kept[indices] = part
        self.done += len(indices)

    def laid_out(self) -> Prediction:
        """All answers as images."""
        made = self._images(self._with_neighbors())
        # Made here, in the job's own time, and not when the window first asks for it.
        _ = made.uncertainty
        return made

    def so_far(self) -> Prediction:
        """The answers there are, as images: neighbors are asked when all of them have answered."""
        asks = self.model.neighbor_temperature is not None
        return self._images(self._found if asks else None)

    def _images(self, together: Float32Array | None) -> Prediction:
        return Prediction(
            self._image(self._found if together is None else together),
            self.model.class_names,
            self.model.calibrated,
            self.model.model_id,
            self.model.annotation_revision,
            None if self._apart is None else self.pixels.as_image(self._apart),
            int((self._answered & ~self._full).sum()),
            None if self._strange is None else self.pixels.as_image(self._strange),
            self.model.trust.answers,
            None if together is None else self._image(self._found),
            "; ".join(self._notes),
        )

    def _with_neighbors(self) -> Float32Array | None:
        heat, pixels = self.model.neighbor_temperature, self.pixels
        if heat is None or self._scores is None:
            return None
        pairs = neighbor_pairs(pixels.planes, pixels.rows, pixels.columns)
        speaks = self._full.copy()
        if self._strange is not None:
            # Glass beside tissue is no tissue: it has no say in what the tissue is.
            speaks &= self._strange <= 1
        near = Neighborhood.of(pairs, self._scores, speaks, self.model.neighbor_likeness)
        return softmax(near.answer(self._found, self.model.neighbor_strength) / heat)

    def _image(self, answers: Float32Array) -> Float32Array:
        image: Float32Array = self.pixels.as_image(answers.T)
        return image


def _blank(*shape: int) -> Float32Array:
    return np.full(shape, np.nan, np.float32)


def _go_on(report: PredictionReport) -> Job[PredictionReport, None]:
    if (yield report) is STOP:
        raise JobStopped("Prediction stopped: the overlay shown before is unchanged.")
