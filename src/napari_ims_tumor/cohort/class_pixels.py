"""Which pixels of a slide stand for a class, and which of the other classes they are compared with.

Pixels are paired in the order of the file, so that both of a pair come from about the same time of
the measurement, as far as classes lie beside each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.cohort.slide_labels import refuse_other_shape
from napari_ims_tumor.errors import QueryError
from napari_ims_tumor.job import Job, Progress
from napari_ims_tumor.model.computing import GivenComputing
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.predicting import predict
from napari_ims_tumor.model.prediction import Prediction
from napari_ims_tumor.msi.arrays import BoolArray, IntArray
from napari_ims_tumor.msi.dataset import MsiDataset


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """Pixels, each beside one that it is compared with.

    Attributes
    ----------
    indices
        Shape (n,): spectra whose answers are explained.
    against
        Shape (n,): what each is compared with; ``None`` where all are compared with the mean of the
        spectra that the model was fitted to.
    about
        Which they are, in words.
    """

    indices: IntArray
    against: IntArray | None
    about: str


class ClassPixels:
    """Finds the pixels of classes on a slide: those labelled as it, or else predicted as it.

    Parameters
    ----------
    annotation
        Whose strokes count; ``None`` where there are none.
    device
        What predicts, where that is needed.

    Raises
    ------
    LabelsError
        Labels of another shape than the slide's.
    """

    def __init__(
        self,
        model: FittedModel,
        dataset: MsiDataset,
        annotation: Annotation | None,
        device: GivenComputing,
    ) -> None:
        if annotation is not None:
            refuse_other_shape(annotation, dataset)
        self._model, self._dataset, self._annotation = model, dataset, annotation
        self._device = device
        self._predicted: Prediction | None = None

    def compared(self, name: str, most: int) -> Job[Progress, Compared]:
        """Pair at most so many pixels of a class with pixels of the others.

        Raises
        ------
        QueryError
            The model does not know the class, or no pixel is of it.
        """
        own, word = yield from self._of((name,))
        slide = self._dataset.name
        if not own[0].size:
            raise QueryError(f"no pixel of {slide} is {word} as {name}")
        others = tuple(other for other in self._model.class_names if other != name)
        found, other_word = yield from self._of(others)
        beside = [pixels for pixels in found if pixels.size]
        n = min(most, max(pixels.size for pixels in (*own, *beside)))
        if not beside:
            chosen = spread(own[0], min(most, own[0].size))
            return Compared(chosen, None, f"{_count(chosen, own)} {word} as {name} on {slide}")
        chosen, against = spread(own[0], n), paired(beside, n)
        called = " and ".join(o for o, pixels in zip(others, found, strict=True) if pixels.size)
        about = (
            f"{_count(chosen, own)} {word} as {name} on {slide}, each against one of "
            f"{sum(pixels.size for pixels in beside):,} {other_word} as {called}"
        )
        return Compared(chosen, against, about)

    def compared_one(self, index: int, name: str, most: int) -> Compared:
        """Pair one spectrum with at most so many pixels labelled as another class than its own.

        The mean is compared with where there are none: a click does not wait for a prediction of
        the slide.

        Parameters
        ----------
        name
            The class that it is of.
        """
        others = [other for other in self._model.class_names if other != name]
        known = {other: pixels for other in others if (pixels := self._labelled(other)).size}
        if not known:
            return Compared(np.array([index]), None, "")
        n = min(most, max(pixels.size for pixels in known.values()))
        against = paired(list(known.values()), n)
        about = f"against {_count(against, list(known.values()))} labelled as {' and '.join(known)}"
        return Compared(np.full(n, index), against, about)

    def _of(self, names: tuple[str, ...]) -> Job[Progress, tuple[list[IntArray], str]]:
        """Spectra of each class, and by what they are known; predicted if none is labelled."""
        found = [self._labelled(name) for name in names]
        if any(pixels.size for pixels in found):
            return found, "labelled"
        for name in names:
            self._refuse_unknown(name)
        self._predicted = self._predicted or (
            yield from predict(self._model, self._dataset, self._device)
        )
        return [self._predicted_as(name, self._predicted) for name in names], "predicted"

    def _labelled(self, name: str) -> IntArray:
        annotation = self._annotation
        if annotation is None:
            return np.zeros(0, np.int64)
        value = next((c.value for c in annotation.scheme.classes if c.name == name), 0)
        return self._spectra((annotation.labels == value) & (value > 0))

    def _predicted_as(self, name: str, prediction: Prediction) -> IntArray:
        planes = np.nan_to_num(prediction.probabilities, nan=-1.0)
        inside = planes.argmax(axis=0) == self._model.class_names.index(name)
        # What is unlike anything labelled has no answer that could be explained.
        return self._spectra(inside & ~prediction.unfamiliar)

    def _spectra(self, inside: BoolArray) -> IntArray:
        pixels = self._dataset.pixels
        return np.sort(pixels.lookup[inside & pixels.measured])

    def _refuse_unknown(self, name: str) -> None:
        names = self._model.class_names
        if name not in names:
            raise QueryError(f"the model knows no class {name!r}: use {' or '.join(names)}")


def paired(classes: list[IntArray], n: int) -> IntArray:
    """Take n pixels of several classes, in turn, so that each class has the same weight."""
    of_each = np.stack([spread(pixels, n) for pixels in classes])
    turn = np.arange(n)
    return np.asarray(of_each[turn % len(classes), turn], np.int64)


def spread(indices: IntArray, n: int) -> IntArray:
    """Take n of them, evenly spread over their order; where there are fewer, some twice or more."""
    return indices[np.linspace(0, indices.size - 1, n).round().astype(np.int64)]


def _count(chosen: IntArray, of: list[IntArray]) -> str:
    n, total = np.unique(chosen).size, sum(pixels.size for pixels in of)
    return f"{n:,} of {total:,} pixels" if n < total else f"{total:,} pixels"
