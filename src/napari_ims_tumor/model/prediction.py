"""*Predict*: class probabilities of every measured pixel."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
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
from napari_ims_tumor.model.device import cpu_cores, resolve_device, steadily
from napari_ims_tumor.model.familiarity import chosen_rows, directions, unfamiliar_words
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.neighborhood import Neighborhood
from napari_ims_tumor.model.normalization import has_intensity
from napari_ims_tumor.model.presets import Built, build_network, inputs_of, load_weights
from napari_ims_tumor.model.together import at_once, in_order
from napari_ims_tumor.model.training import network_logits
from napari_ims_tumor.model.uncertainty import normalized_entropy, total_variation
from napari_ims_tumor.msi.arrays import BoolArray, Float32Array, FloatArray, IntArray, frozen
from napari_ims_tumor.msi.binning import bin_spectra, binned_blocks, refuse_uncovered
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.neighbors import neighbor_pairs

UNCERTAINTY_PLANE: Final = "uncertainty (entropy)"
DISAGREEMENT_PLANE: Final = "disagreement"
ALONE_PLANE: Final = "{name}, each pixel alone"
UNFAMILIAR_PLANE: Final = "unfamiliarity (above 1: unlike the labels)"
ANSWERED_PLANE: Final = "answered (0: not sure, or unfamiliar)"
NO_NEIGHBORS: Final = (
    "Here each pixel answers alone already: its neighbors were not asked, or were of no help on "
    "held-out groups."
)
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
    alone
        What each pixel says without its neighbors, as ``probabilities``; ``None`` where these are
        just that.
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
    alone: Float32Array | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "probabilities", frozen(self.probabilities, np.float32))
        for name in ("disagreement", "unfamiliarity", "alone"):
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
    def why_no_alone(self) -> str | None:
        """Say in one sentence why pixels have no second answer; ``None`` where they have."""
        return NO_NEIGHBORS if self.alone is None else None

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
        if uncertainty and self.alone is not None:
            names = (ALONE_PLANE.format(name=name) for name in self.class_names)
            more |= dict(zip(names, self.alone, strict=True))
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
    scores
        Shape (n, k), float32: where they lie along the directions asked for.
    """

    probabilities: Float32Array
    disagreement: Float32Array | None = None
    unfamiliarity: Float32Array | None = None
    scores: Float32Array | None = None


class Predictor:
    """A model made ready to run on a device.

    Attributes
    ----------
    along
        Directions (k, bins) of inputs along which spectra shall be told apart; ``None`` = none.
    """

    def __init__(self, model: FittedModel, device: str = "auto") -> None:
        self.model = model
        self.along: Float32Array | None = None
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
            return Answer(softmax(linear / heat), None, strange, self._scores(seen))
        inputs = inputs_of(self.model.network.network, self._normalization, roots)
        cnn = yield from network_logits(self._network, inputs)
        blended = softmax(((1 - share) * linear + share * cnn) / heat)
        # The temperature of a network that answers alone says nothing of the linear path.
        own = 1.0 if self.model.network.is_plain else heat
        apart = total_variation(softmax(linear / own), blended)
        return Answer(blended, apart, strange, self._scores(seen))

    def look_along(self, dataset: MsiDataset) -> Generator[object, object, None]:
        """Find the directions in which the spectra of a slide differ most, on some of them."""
        some = chosen_rows(np.arange(dataset.n_spectra))
        values = yield from bin_spectra(dataset, self.model.axis, some)
        self.along = directions(self._normalization.apply(self._normalization.roots(values)))

    def _scores(self, seen: Float32Array) -> Float32Array | None:
        return None if self.along is None else seen @ self.along.T


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
    if model.neighbor_temperature is not None:
        for _ in predictor.look_along(dataset):
            yield from _go_on(0, dataset.n_spectra)
    slide = _SlideAnswers(predictor, dataset)
    jobs = (_answered(predictor, *block) for block in binned_blocks(dataset, model.axis))
    workers = at_once(cpu_cores(), str(resolve_device(device)))
    with closing(in_order(jobs, workers)) as answers:
        for answered in answers:
            if answered is not None:
                slide.take(*answered)
            yield from _go_on(slide.done, dataset.n_spectra)
    return slide.laid_out()


def _answered(
    predictor: Predictor, indices: IntArray, values: Float32Array
) -> Generator[None, None, tuple[IntArray, BoolArray, Answer]]:
    """Answer to a block of spectra; which they are and which of them hold anything beside it."""
    answer = yield from predictor.steps(values)
    return indices, has_intensity(values), answer


class _SlideAnswers:
    """The answers to a slide's spectra while they come in."""

    def __init__(self, predictor: Predictor, dataset: MsiDataset) -> None:
        self.model, self.pixels = predictor.model, dataset.pixels
        n = dataset.n_spectra
        self.done = 0
        self._full = np.zeros(n, np.bool_)
        self._found = np.full((n, len(self.model.class_names)), np.nan, np.float32)
        self._apart = _blank(n) if self.model.has_cnn else None
        self._strange = None if self.model.trust.familiarity is None else _blank(n)
        self._scores = None if predictor.along is None else _blank(n, len(predictor.along))

    def take(self, indices: IntArray, full: BoolArray, answer: Answer) -> None:
        """Put the answers to some spectra in their place; ``full`` are those that hold anything."""
        self._full[indices], self._found[indices] = full, answer.probabilities
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
        together = self._with_neighbors()
        made = Prediction(
            self._image(self._found if together is None else together),
            self.model.class_names,
            self.model.calibrated,
            self.model.model_id,
            self.model.annotation_revision,
            None if self._apart is None else self.pixels.as_image(self._apart),
            int((~self._full).sum()),
            None if self._strange is None else self.pixels.as_image(self._strange),
            self.model.trust.answers,
            None if together is None else self._image(self._found),
        )
        # Made here, in the job's own time, and not when the window first asks for it.
        _ = made.uncertainty
        return made

    def _with_neighbors(self) -> Float32Array | None:
        heat, pixels = self.model.neighbor_temperature, self.pixels
        if heat is None or self._scores is None:
            return None
        pairs = neighbor_pairs(pixels.planes, pixels.rows, pixels.columns)
        speaks = self._full.copy()
        if self._strange is not None:
            # Glass beside tissue is no tissue: it has no say in what the tissue is.
            speaks &= self._strange <= 1
        return softmax(Neighborhood.of(pairs, self._scores, speaks).answer(self._found) / heat)

    def _image(self, answers: Float32Array) -> Float32Array:
        image: Float32Array = self.pixels.as_image(answers.T)
        return image


def _blank(*shape: int) -> Float32Array:
    return np.full(shape, np.nan, np.float32)


def _go_on(done: int, total: int) -> Job[Progress, None]:
    if (yield Progress("Predicting", done, total)) is STOP:
        raise JobStopped("Prediction stopped: the overlay shown before is unchanged.")


def _network(model: FittedModel, device: str) -> Built:
    network = build_network(model.network, 0)
    load_weights(network, model.weights)
    return network.to(resolve_device(device))
