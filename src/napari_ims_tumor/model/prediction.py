"""*Predict*: class probabilities of every measured pixel."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from napari_ims_tumor.job import STOP, Job, JobStopped, Progress
from napari_ims_tumor.model.abstention import (
    AnswerCurve,
    unsure,
    unsure_words,
    why_no_abstention,
)
from napari_ims_tumor.model.calibration import softmax
from napari_ims_tumor.model.device import resolve_device, steadily
from napari_ims_tumor.model.familiarity import unfamiliar_words
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.normalization import has_intensity
from napari_ims_tumor.model.presets import Built, build_network, inputs_of, load_weights
from napari_ims_tumor.model.training import network_logits
from napari_ims_tumor.model.uncertainty import normalized_entropy, total_variation
from napari_ims_tumor.msi.arrays import BoolArray, Float32Array, FloatArray, frozen
from napari_ims_tumor.msi.binning import binned_blocks, refuse_uncovered
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.pixel_grid import PixelGrid

UNCERTAINTY_PLANE: Final = "uncertainty (entropy)"
DISAGREEMENT_PLANE: Final = "disagreement"
UNFAMILIAR_PLANE: Final = "unfamiliarity (above 1: unlike the labels)"
ANSWERED_PLANE: Final = "answered (0: not sure, or unfamiliar)"
ONE_ANSWER: Final = (
    "In this model only the linear path or only the network answers: nothing can disagree."
)
CANNOT_TELL: Final = (
    "This model cannot tell what is unlike its labels: an older version fitted it, or to too few "
    "pixels. Fit it again."
)


@dataclass(frozen=True, eq=False)
class Prediction:
    """Class probabilities of one slide.

    Attributes
    ----------
    probabilities
        Shape (classes, *image_shape), float32; NaN where nothing was measured.
    class_names
        Names of the planes.
    calibrated
        Whether probabilities were calibrated on held-out groups.
    model_id
        The model that made it.
    annotation_revision
        Revision of the labels the model was fitted to.
    disagreement
        How far the linear path alone is from the answer, 0 to 1 (total variation distance), shape
        (*image_shape), float32, NaN where nothing was measured. ``None`` where only one of the two
        answers.
    n_empty
        Spectra without any intensity on the model's axis: the answer there is no finding.
    unfamiliarity
        How unlike the labelled spectra a spectrum is, 0 to 10, shape (*image_shape), float32, NaN
        where nothing was measured: above 1 the answer is no finding. ``None`` where the model
        cannot tell.
    answers
        How often held-out answers were right, by confidence; ``None`` where that is not known.
    """

    probabilities: Float32Array
    class_names: tuple[str, ...]
    calibrated: bool
    model_id: str
    annotation_revision: int = 0
    disagreement: Float32Array | None = None
    n_empty: int = 0
    unfamiliarity: Float32Array | None = None
    answers: AnswerCurve | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "probabilities", frozen(self.probabilities, np.float32))
        for name in ("disagreement", "unfamiliarity"):
            image = getattr(self, name)
            if image is not None:
                object.__setattr__(self, name, frozen(image, np.float32))

    @cached_property
    def uncertainty(self) -> Float32Array:
        """How evenly the classes share each pixel, 0 to 1: the entropy over the largest there is.

        Shape (*image_shape), float32, NaN where nothing was measured.
        """
        values: Float32Array = frozen(normalized_entropy(self.probabilities), np.float32)
        return values

    @property
    def why_no_disagreement(self) -> str | None:
        """Say in one sentence why nothing disagrees; ``None`` where there is a disagreement."""
        return ONE_ANSWER if self.disagreement is None else None

    @property
    def empty_words(self) -> str | None:
        """Say in one sentence that spectra are empty; ``None`` where none is."""
        if not self.n_empty:
            return None
        one = self.n_empty == 1
        return (
            f"{self.n_empty:,} {'spectrum holds' if one else 'spectra hold'} nothing in the "
            "model's m/z range: what is predicted there is no finding."
        )

    @cached_property
    def unfamiliar(self) -> BoolArray:
        """Where the answer is no finding: unlike anything labelled. Shape (*image_shape)."""
        if self.unfamiliarity is None:
            return np.zeros(self.probabilities.shape[1:], np.bool_)
        # NaN, where nothing was measured, is not above 1.
        return np.asarray(self.unfamiliarity > 1, np.bool_)

    @property
    def why_no_unfamiliarity(self) -> str | None:
        """Say in one sentence why nothing is told apart as unfamiliar; ``None`` where it is."""
        return CANNOT_TELL if self.unfamiliarity is None else None

    @property
    def unfamiliar_words(self) -> str | None:
        """Say in one sentence how many pixels are unfamiliar; ``None`` where none is."""
        n_measured = int(np.isfinite(self.probabilities[0]).sum())
        return unfamiliar_words(int(self.unfamiliar.sum()), n_measured)

    def why_no_abstention(self, accuracy: float) -> str | None:
        """Say in one sentence why answers cannot be held back to be right that often."""
        return why_no_abstention(self.answers, accuracy)

    def unsure(self, accuracy: float) -> BoolArray:
        """Where to give no answer, so that of the others that share is right on held-out groups.

        Shape (*image_shape): False where unmeasured. A ModelFileError where the model cannot say.
        """
        return unsure(self.probabilities, self.answers, accuracy)

    def unsure_words(self, accuracy: float) -> str:
        """Say how many pixels are not sure enough, and what that is known from."""
        return unsure_words(self.probabilities, self.answers, accuracy)

    def planes(
        self, uncertainty: bool = False, accuracy: float | None = None
    ) -> tuple[Float32Array, tuple[str, ...]]:
        """The images to write into a file, (k, *image_shape), and their names.

        Parameters
        ----------
        uncertainty
            Also what says how far the probabilities may be trusted, after them.
        accuracy
            Also where there is an answer (1), if so many answers shall be right.
        """
        more: dict[str, Float32Array] = {UNCERTAINTY_PLANE: self.uncertainty} if uncertainty else {}
        if uncertainty and self.disagreement is not None:
            more[DISAGREEMENT_PLANE] = self.disagreement
        if uncertainty and self.unfamiliarity is not None:
            more[UNFAMILIAR_PLANE] = self.unfamiliarity
        if accuracy is not None:
            more[ANSWERED_PLANE] = self._answered(accuracy)
        if not more:
            return self.probabilities, self.class_names
        values = np.concatenate([self.probabilities, np.stack(list(more.values()))])
        return values, (*self.class_names, *more)

    def _answered(self, accuracy: float) -> Float32Array:
        answered = np.where(self.unsure(accuracy) | self.unfamiliar, 0.0, 1.0)
        answered[~np.isfinite(self.probabilities[0])] = np.nan
        return answered.astype(np.float32)

    def about(self) -> dict[str, object]:
        """What to write beside the planes in a file."""
        return {
            "classes": list(self.class_names),
            "calibrated": self.calibrated,
            "model_id": self.model_id,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a model says about n spectra.

    Attributes
    ----------
    probabilities
        Shape (n, classes), float32.
    disagreement
        Shape (n,), float32: see :class:`Prediction`.
    unfamiliarity
        Shape (n,), float32: see :class:`Prediction`.
    """

    probabilities: Float32Array
    disagreement: Float32Array | None = None
    unfamiliarity: Float32Array | None = None


class Predictor:
    """A model made ready to run on a device."""

    def __init__(self, model: FittedModel, device: str = "auto") -> None:
        self.model = model
        self._normalization, self._linear = model.normalization, model.linear
        self._familiarity = model.trust.familiarity
        self._network = _network(model, device) if model.has_cnn else None

    def steps(self, values: FloatArray) -> Generator[None, None, Answer]:
        """Raw binned intensities (n, bins) → answer to n spectra; yields after every batch."""
        roots = self._normalization.roots(values)
        seen = self._normalization.apply(roots)
        linear = self._linear.logits(seen)
        strange = None if self._familiarity is None else self._familiarity.score(seen)
        heat, share = self.model.temperature or 1.0, self.model.blend
        if self._network is None:
            yield
            return Answer(softmax(linear / heat), None, strange)
        inputs = inputs_of(self.model.network.network, self._normalization, roots)
        cnn = yield from network_logits(self._network, inputs)
        blended = softmax(((1 - share) * linear + share * cnn) / heat)
        # The temperature of a network that answers alone says nothing of the linear path.
        own = 1.0 if self.model.network.is_plain else heat
        return Answer(blended, total_variation(softmax(linear / own), blended), strange)


def predict(
    model: FittedModel, dataset: MsiDataset, device: str = "auto"
) -> Job[Progress, Prediction]:
    """Predict every pixel of a slide.

    Raises
    ------
    ModelFileError
        The slide does not cover the model's m/z axis.
    JobStopped
        Stopped: half an overlay would be mistaken for a whole one.
    """
    prediction = yield from steadily(_predict(model, dataset, device))
    return prediction


def predict_matrix(model: FittedModel, values: FloatArray, device: str = "auto") -> Float32Array:
    """Raw intensities (n, bins) on the model's axis → probabilities (n, K)."""
    steps = Predictor(model, device).steps(values)
    try:
        while True:
            next(steps)
    except StopIteration as end:
        answer: Answer = end.value
        return answer.probabilities


def _predict(model: FittedModel, dataset: MsiDataset, device: str) -> Job[Progress, Prediction]:
    refuse_uncovered(dataset, model.axis)
    yield from _go_on(0, dataset.n_spectra)
    predictor = Predictor(model, device)
    found = np.full((len(model.class_names), dataset.n_spectra), np.nan, np.float32)
    apart, strange = _blank(dataset, model.has_cnn), _blank(dataset, model.trust.familiarity)
    done = n_empty = 0
    for indices, values in binned_blocks(dataset, model.axis):
        n_empty += int((~has_intensity(values)).sum())
        steps = predictor.steps(values)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                answer: Answer = end.value
                break
            yield from _go_on(done, dataset.n_spectra)
        found[:, indices] = answer.probabilities.T
        if apart is not None and answer.disagreement is not None:
            apart[indices] = answer.disagreement
        if strange is not None and answer.unfamiliarity is not None:
            strange[indices] = answer.unfamiliarity
        done += len(indices)
    return _laid_out(model, dataset.pixels, (found, apart, strange), n_empty)


def _blank(dataset: MsiDataset, wanted: object) -> Float32Array | None:
    return np.full(dataset.n_spectra, np.nan, np.float32) if wanted else None


def _laid_out(
    model: FittedModel, pixels: PixelGrid,
    answers: tuple[Float32Array, Float32Array | None, Float32Array | None], n_empty: int,
) -> Prediction:  # fmt: skip
    """Lay answers per spectrum out as images."""
    found, apart, strange = answers
    made = Prediction(
        pixels.as_image(found),
        model.class_names,
        model.calibrated,
        model.model_id,
        model.annotation_revision,
        None if apart is None else pixels.as_image(apart),
        n_empty,
        None if strange is None else pixels.as_image(strange),
        model.trust.answers,
    )
    # Made here, in the job's own time, and not when the window first asks for it.
    _ = made.uncertainty
    return made


def _go_on(done: int, total: int) -> Job[Progress, None]:
    if (yield Progress("Predicting", done, total)) is STOP:
        raise JobStopped("Prediction stopped: the overlay shown before is unchanged.")


def _network(model: FittedModel, device: str) -> Built:
    network = build_network(model.network, 0)
    load_weights(network, model.weights)
    return network.to(resolve_device(device))
