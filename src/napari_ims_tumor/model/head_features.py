"""What lies before the head of a base's CNN, computed once where only the head is tuned."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from napari_ims_tumor.job import Job
from napari_ims_tumor.model.batches import Batches
from napari_ims_tumor.model.computing import Computing, in_full
from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.model.device import resolve_device
from napari_ims_tumor.model.device_memory import on_device
from napari_ims_tumor.model.fit_run import EpochReport, FitRun
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.linear_answer import LinearAnswer
from napari_ims_tumor.model.network import DilatedNetwork
from napari_ims_tumor.model.presets import load_weights
from napari_ims_tumor.model.together import at_once, together
from napari_ims_tumor.msi.arrays import Float32Array, IntArray
from napari_ims_tumor.msi.matrix_room import pieces


def head_features(
    answer: LinearAnswer, config: FitConfig, base: FittedModel | None, run: FitRun
) -> Job[EpochReport, Float32Array | None]:
    """Feature maps of every labelled spectrum in rows (n, positions x channels).

    The base normalizes and its blocks are frozen, so they are the same for every held-out fold and
    in every epoch. ``None`` where more than the head is tuned.
    """
    if base is None or base.network.network != "default" or config.tune != "head":
        return None
    steps = _computed(answer, base, config.computing)
    found = yield from run.drive(steps, EpochReport("Network up to its head"))
    if found is None:
        return None
    features, notes = found
    run.note = "; ".join(notes) or run.note
    return features


def _computed(
    answer: LinearAnswer, base: FittedModel, computing: Computing
) -> Generator[None, None, tuple[Float32Array, list[str]]]:
    network = DilatedNetwork(base.network)
    load_weights(network, base.weights)
    notes: list[str] = []
    asked = resolve_device(computing.device)
    device = on_device(network, asked, notes)
    how = computing if device == asked else in_full(computing)
    batches = Batches(network, how.precision)
    n, width = len(answer.spectra), base.network.positions * base.network.channels
    features = answer.spectra.room.matrix(n, width)

    def fill(rows: IntArray) -> Generator[None, None, None]:
        for part in pieces(len(rows), width):
            inputs = answer.inputs(base.normalization, rows[part])
            features[rows[part]] = yield from batches.over(inputs, network.in_rows, width)

    workers = at_once(n, str(device))
    shares = np.array_split(np.arange(n), workers)
    yield from together([fill(rows) for rows in shares], workers)
    return features, [*notes, *batches.notes]
