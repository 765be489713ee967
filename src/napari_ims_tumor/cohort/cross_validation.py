"""Cross-validation by group: each patient, core or stroke is judged by a model new to it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace

import numpy as np

from napari_ims_tumor.annotation.split import Fold, fold_of_each
from napari_ims_tumor.cohort.circumstances import circumstances
from napari_ims_tumor.cohort.gathering import Gathered, gather
from napari_ims_tumor.cohort.looking import Looking, peaks_alone
from napari_ims_tumor.cohort.neighbors import answers_with_neighbors, with_and_without
from napari_ims_tumor.cohort.report import EvaluationReport, Facts, NetworkResult, model_facts
from napari_ims_tumor.cohort.table import CohortSlide
from napari_ims_tumor.errors import CohortError, FitRefused
from napari_ims_tumor.job import STOP, Job, JobStopped, Progress
from napari_ims_tumor.model.config import NETWORKS, FitConfig, Network
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.fitting import fit
from napari_ims_tumor.model.honest_folds import pixel_folds
from napari_ims_tumor.model.judging import unfamiliarity_of
from napari_ims_tumor.model.predicting import predict_rows
from napari_ims_tumor.model.predictor import Predictor
from napari_ims_tumor.model.samples import LabelledSpectra, why_not_fit
from napari_ims_tumor.model.steady_threads import steadily
from napari_ims_tumor.msi.arrays import Float32Array, IntArray
from napari_ims_tumor.msi.matrix_room import pieces
from napari_ims_tumor.msi.memory_budget import MemoryBudget


def evaluate(
    slides: tuple[CohortSlide, ...],
    networks: Sequence[str] = ("default", "linear"),
    config: FitConfig | None = None,
    n_folds: int = 5,
    permute_labels: int | None = None,
    memory: MemoryBudget | None = None,
) -> Job[Progress, EvaluationReport]:
    """Cross-validate networks on the labelled spectra of a cohort.

    Parameters
    ----------
    slides
        Rows of the cohort table.
    networks
        Names of presets, each judged on the same folds.
    config
        Seed, device and epochs of every fit.
    n_folds
        Most folds; fewer where groups are few.
    permute_labels
        A seed: labels are permuted among the labelled pixels before anything else, which must
        bring every score to chance if no label leaks. It cannot find groups chosen wrongly.
    memory
        What the slides may take in memory; the usual budget by default.
    """
    wanted = tuple(dict.fromkeys(_network(name) for name in networks))
    if not wanted:
        raise FitRefused(f"no network is named: use {' or '.join(NETWORKS)}")
    gathered = yield from gather(slides, None, memory)
    return (
        yield from cross_validate(gathered, wanted, config or FitConfig(), n_folds, permute_labels)
    )


def cross_validate(
    gathered: Gathered,
    networks: Sequence[Network],
    config: FitConfig,
    n_folds: int = 5,
    permute_labels: int | None = None,
) -> Job[Progress, EvaluationReport]:
    """Cross-validate on spectra that were already gathered; see :func:`evaluate`."""
    if n_folds < 2:
        raise CohortError(f"{n_folds} folds: cross-validation needs at least 2")
    if permute_labels is not None and permute_labels < 0:
        raise CohortError(f"the seed {permute_labels} of the permutation must be 0 or more")
    spectra = gathered.spectra
    reason = why_not_fit(spectra.counts)
    if reason is not None:
        raise FitRefused(reason)
    if permute_labels is not None:
        spectra = permuted(spectra, np.random.default_rng(permute_labels))
    validation = pixel_folds(spectra, n_folds)
    results: dict[str, NetworkResult] = {}
    for network in networks:
        chosen = replace(config, network=network)
        results |= yield from _one_network(spectra, validation.folds, chosen)
    looked_at = {name: found.looked_at for name, found in results.items()}
    alone = yield from peaks_alone(spectra, looked_at)
    fold = fold_of_each(validation.folds, len(spectra))
    return EvaluationReport(
        kind="grouped cross-validation",
        gathered=gathered,
        classes=spectra.classes,
        fold=fold,
        results=results,
        why_not=validation.why_not,
        permute_labels=permute_labels,
        options={"folds": n_folds, **_options(config)},
        circumstances=circumstances(config.device),
        peaks_alone=alone,
    )


def permuted(spectra: LabelledSpectra, rng: np.random.Generator) -> LabelledSpectra:
    """Shuffle the labels among the pixels labelled by hand, and among whole regions."""
    by_hand, classes = np.flatnonzero(spectra.by_hand), np.array(spectra.classes)
    classes[by_hand] = classes[by_hand[rng.permutation(by_hand.size)]]
    if spectra.regions is None:
        return replace(spectra, classes=classes)
    rough = spectra.regions >= 0
    _, first, own = np.unique(spectra.regions[rough], return_index=True, return_inverse=True)
    of_region = classes[rough][first]
    classes[rough] = rng.permutation(of_region)[own.reshape(-1)]
    return replace(spectra, classes=classes)


def _options(config: FitConfig) -> Facts:
    """How every network was fitted; the networks themselves have figures of their own."""
    return {name: value for name, value in asdict(config).items() if name != "network"}


def _network(name: str) -> Network:
    for known in NETWORKS:
        if name == known:
            return known
    raise FitRefused(f"there is no network {name!r}: use {' or '.join(NETWORKS)}")


def _one_network(
    spectra: LabelledSpectra, folds: tuple[Fold, ...], config: FitConfig
) -> Job[Progress, dict[str, NetworkResult]]:
    """Fit on each training side alone: its spectra are all that the fit is given."""
    begun = time.monotonic()
    strange = np.full(len(spectra), np.nan, np.float32)
    alone = np.full((len(spectra), len(spectra.class_names)), np.nan, np.float32)
    together = alone.copy()
    models: list[Facts] = []
    looking = Looking(spectra, config.computing)
    for number, fold in enumerate(folds):
        progress = Progress(f"{config.network}, fold {number + 1}", number, len(folds))
        model = yield from _fitted(spectra.take(fold.training), config, progress)
        predictor = Predictor(model, config.computing)
        blocks = _blocks(model, spectra, fold.held_out, strange)
        for rows, found in predict_rows(predictor, blocks, len(fold.held_out)):
            alone[rows] = found
        held_out = spectra.take(fold.held_out)
        together[fold.held_out] = answers_with_neighbors(model, held_out, alone[fold.held_out])
        phase = f"{progress.phase}: what it looks at"
        yield from steadily(looking.add(model, fold.held_out, phase), config.deterministic)
        models.append(model_facts(model.with_note(*predictor.notes, *looking.notes)))
    seconds = time.monotonic() - begun
    own = NetworkResult(alone, seconds, tuple(models), looking.explanation(), strange)
    return with_and_without(config.network, own, together)


def _blocks(
    model: FittedModel, spectra: LabelledSpectra, which: IntArray, strange: Float32Array
) -> Iterator[tuple[IntArray, Float32Array]]:
    """Some of the spectra, a few at a time; notes on the way how unlike the model's they are."""
    for part in pieces(len(which), len(spectra.axis)):
        rows = which[part]
        values = spectra.values[rows]
        strange[rows] = unfamiliarity_of(model, values)
        yield rows, values


def _fitted(
    spectra: LabelledSpectra, config: FitConfig, progress: Progress
) -> Job[Progress, FittedModel]:
    """Run a fit, telling the progress of the whole validation in between."""
    job = fit(spectra, config)
    try:
        while True:
            try:
                next(job)
            except StopIteration as end:
                model: FittedModel = end.value
                return model
            if (yield progress) is STOP:
                raise JobStopped("Validation stopped: no report was written.")
    finally:
        job.close()
