"""External validation: a finished model on slides it has never seen."""

from __future__ import annotations

import time
from dataclasses import asdict, replace

import numpy as np

from napari_ims_tumor.cohort.circumstances import circumstances
from napari_ims_tumor.cohort.gathering import Gathered, gather
from napari_ims_tumor.cohort.looking import Looking, peaks_alone
from napari_ims_tumor.cohort.neighbors import answers_with_neighbors, with_and_without
from napari_ims_tumor.cohort.overlap import overlap_warnings
from napari_ims_tumor.cohort.polarity import polarity_of_model
from napari_ims_tumor.cohort.report import EvaluationReport, NetworkResult, model_facts
from napari_ims_tumor.cohort.table import CohortSlide
from napari_ims_tumor.errors import ModelFileError
from napari_ims_tumor.job import STOP, Job, JobStopped, Progress
from napari_ims_tumor.model.computing import Computing, GivenComputing
from napari_ims_tumor.model.device import prepare
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.judging import uncalibrated, unfamiliarity_of
from napari_ims_tumor.model.predicting import predict_rows
from napari_ims_tumor.model.predictor import Predictor
from napari_ims_tumor.model.steady_threads import steadily
from napari_ims_tumor.msi.arrays import Float32Array
from napari_ims_tumor.msi.matrix_room import pieces
from napari_ims_tumor.msi.memory_budget import MemoryBudget


def validate(
    model: FittedModel,
    slides: tuple[CohortSlide, ...],
    device: GivenComputing = "auto",
    memory: MemoryBudget | None = None,
) -> Job[Progress, EvaluationReport]:
    """Judge a model on the labelled pixels of a cohort.

    Raises
    ------
    FitRefused
        The device is not there, or cannot compute so.
    ModelFileError
        A slide does not cover the model's m/z axis, or the classes differ.
    """
    how = Computing.of(device)
    if model.has_cnn:
        prepare(how)
    ions = polarity_of_model(model)
    gathered = yield from gather(slides, model.axis, memory, only_by_hand=True, polarity=ions)
    classes = gathered.spectra.class_names
    if classes != model.class_names:
        raise ModelFileError(
            f"the model knows the classes {', '.join(model.class_names)}, the labels are "
            f"{', '.join(classes)}"
        )
    own = yield from _result(model, gathered, how)
    together = answers_with_neighbors(model, gathered.spectra, own.probabilities)
    results = with_and_without(model.network.network, own, together)
    if model.has_cnn:
        results["linear"] = yield from _result(_linear_alone(model), gathered, how)
    looked_at = {name: found.looked_at for name, found in results.items()}
    alone = yield from peaks_alone(gathered.spectra, looked_at)
    n = len(gathered.spectra)
    why_not = None if n else "nothing to judge: no measured pixel of these slides is labelled"
    about = {"network": model.network.network, "classes": list(model.class_names)}
    axis = {"bins": len(model.axis), "mz_range": [model.axis.low, model.axis.high]}
    return EvaluationReport(
        kind="external validation",
        gathered=gathered,
        classes=gathered.spectra.classes,
        fold=np.zeros(n, np.int64),
        results=results,
        why_not=why_not,
        options=asdict(how),
        warnings=overlap_warnings(model, gathered),
        model={**about, **axis, **model_facts(model)},
        circumstances=circumstances(how.device),
        peaks_alone=alone,
    )


def _result(model: FittedModel, gathered: Gathered, how: Computing) -> Job[Progress, NetworkResult]:
    begun = time.monotonic()
    predictor = Predictor(model, how)
    probabilities, strange = yield from _predicted(predictor, gathered)
    looking = Looking(gathered.spectra, how)
    every = np.arange(len(gathered.spectra))
    steps = looking.add(model, every, "Looking at what moved the answers")
    yield from steadily(steps, how.deterministic)
    seconds = time.monotonic() - begun
    facts = (model_facts(model.with_note(*predictor.notes, *looking.notes)),)
    return NetworkResult(probabilities, seconds, facts, looking.explanation(), strange)


def _linear_alone(model: FittedModel) -> FittedModel:
    """The linear path of a model that has a network: what there would be without it.

    Its temperature was found for both together, or for the network alone, so it is uncalibrated.
    """
    alone = replace(uncalibrated(model), blend=0.0)
    return alone.with_note("the linear path of the same model, without its network")


def _predicted(
    predictor: Predictor, gathered: Gathered
) -> Job[Progress, tuple[Float32Array, Float32Array]]:
    """Probabilities of the labelled spectra, and how unlike the model's labels they are."""
    model, values = predictor.model, gathered.spectra.values
    answers = np.zeros((len(values), len(model.class_names)), np.float32)
    strange, every = np.zeros(len(values), np.float32), np.arange(len(values))
    blocks = ((every[part], values[part]) for part in pieces(*values.shape))
    yield from _go_on(0, len(values))
    for rows, found in predict_rows(predictor, blocks, len(values)):
        answers[rows], strange[rows] = found, unfamiliarity_of(model, values[rows])
        yield from _go_on(int(rows[-1]) + 1, len(values))
    return answers, strange


def _go_on(done: int, total: int) -> Job[Progress, None]:
    if (yield Progress("Predicting", done, total)) is STOP:
        raise JobStopped("Validation stopped: no report was written.")
