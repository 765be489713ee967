"""*Predict*: class probabilities of every measured pixel."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from napari_ims_tumor.job import STOP, Job, JobStopped, Progress
from napari_ims_tumor.model.calibration import softmax
from napari_ims_tumor.model.device import resolve_device, steadily
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.network import DilatedNetwork
from napari_ims_tumor.model.normalization import root_of_shares
from napari_ims_tumor.model.training import build_network, load_weights, network_logits
from napari_ims_tumor.msi.arrays import Float32Array, FloatArray, frozen
from napari_ims_tumor.msi.binning import binned_blocks, refuse_uncovered
from napari_ims_tumor.msi.dataset import MsiDataset


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
    """

    probabilities: Float32Array
    class_names: tuple[str, ...]
    calibrated: bool
    model_id: str
    annotation_revision: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "probabilities", frozen(self.probabilities, np.float32))

    def about(self) -> dict[str, object]:
        """What to write beside the planes in a file."""
        return {
            "classes": list(self.class_names),
            "calibrated": self.calibrated,
            "model_id": self.model_id,
        }


class Predictor:
    """A model made ready to run on a device."""

    def __init__(self, model: FittedModel, device: str = "auto") -> None:
        self.model = model
        self._normalization, self._linear = model.normalization, model.linear
        self._network = _network(model, device) if model.has_cnn else None

    def steps(self, values: FloatArray) -> Generator[None, None, Float32Array]:
        """Raw binned intensities (n, bins) → probabilities (n, K); yields after every batch."""
        inputs = self._normalization.apply(root_of_shares(values))
        logits = self._linear.logits(inputs)
        if self._network is not None:
            cnn = yield from network_logits(self._network, inputs)
            logits = (1 - self.model.blend) * logits + self.model.blend * cnn
        yield
        return softmax(logits / (self.model.temperature or 1.0))


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
        result: Float32Array = end.value
        return result


def _predict(model: FittedModel, dataset: MsiDataset, device: str) -> Job[Progress, Prediction]:
    refuse_uncovered(dataset, model.axis)
    yield from _go_on(0, dataset.n_spectra)
    predictor = Predictor(model, device)
    found = np.full((len(model.class_names), dataset.n_spectra), np.nan, np.float32)
    done = 0
    for indices, values in binned_blocks(dataset, model.axis):
        steps = predictor.steps(values)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                found[:, indices] = end.value.T
                break
            yield from _go_on(done, dataset.n_spectra)
        done += len(indices)
    image = dataset.pixels.as_image(found)
    return Prediction(
        image, model.class_names, model.calibrated, model.model_id, model.annotation_revision
    )


def _go_on(done: int, total: int) -> Job[Progress, None]:
    if (yield Progress("Predicting", done, total)) is STOP:
        raise JobStopped("Prediction stopped: the overlay shown before is unchanged.")


def _network(model: FittedModel, device: str) -> DilatedNetwork:
    network = build_network(model.network, 0)
    load_weights(network, model.weights)
    return network.to(resolve_device(device))
