"""Every model by name: how it learns from a problem, and what it answers.

Two treatments are made here, *pixel* (each spectrum alone) and *neighborhood* (with the measured
pixels around it); the third, smoothed answers, is made of either when they are kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import numpy as np

from classifying.changes import with_changed_copies
from classifying.plain import AUGMENTED, PLAIN_MODELS, TWIN, augment_of, fit_plain
from classifying.problems import WINDOW, Problem
from classifying.rivals import RIVALS, SEEDED, Forest, Rival, answer
from napari_ims_tumor.cohort.neighbors import answers_with_neighbors
from napari_ims_tumor.job import run_inline
from napari_ims_tumor.model.calibration import softmax
from napari_ims_tumor.model.config import FitConfig, Network
from napari_ims_tumor.model.fitting import fit
from napari_ims_tumor.model.normalization import InputNormalization, root_of_shares
from napari_ims_tumor.model.predicting import predict_matrix
from napari_ims_tumor.model.preparation import AS_IT_IS, SPECTRA_LOOKED_AT, Preparation

Treatment = Literal["pixel", "neighborhood"]
TREATMENTS: tuple[Treatment, ...] = ("pixel", "neighborhood")
ALIGNED = " + alignment"
"""After a rival's name: it sees spectra summed over peaks and moved into place, as ours do."""
MAJORITY = "majority"
NETWORKS: tuple[Network, ...] = ("linear", "default")


@dataclass(frozen=True, eq=False)
class Answered:
    """What a model said.

    Attributes
    ----------
    probabilities, uncalibrated
        Change → shape (held out, K). The second are those before any temperature.
    fit_seconds, spectra_per_s
        Of the fit with its tuning, and of the prediction.
    setting
        What was chosen inside the training side.
    besides
        (model, treatment) → what else the same fit gives: a long fit was the usual one on its
        way, and a model of ours answers with neighbors and without.
    """

    probabilities: dict[str, np.ndarray]
    uncalibrated: dict[str, np.ndarray]
    fit_seconds: float
    spectra_per_s: float
    setting: str
    besides: Mapping[tuple[str, Treatment], Answered] = field(default_factory=dict)


Learner: TypeAlias = Callable[[Problem, Treatment, int], Answered]


def learner(name: str) -> Learner:
    """The model of this name."""
    if name == MAJORITY:
        return _majority
    for network in NETWORKS:
        if name in (network, "default" + AUGMENTED) and name.startswith(network):
            return lambda problem, treatment, seed: _ours(network, problem, treatment, seed, name)
    if is_plain(name):
        return lambda problem, _treatment, seed: _plain(name, problem, seed)
    bare = name.removesuffix(AUGMENTED).removesuffix(ALIGNED)
    if bare not in RIVALS:
        raise SystemExit(f"no model is called {name}: use {', '.join(all_models())}")

    def learn(problem: Problem, treatment: Treatment, seed: int) -> Answered:
        rival: Rival = Forest(seed) if bare in SEEDED else RIVALS[bare]()
        if name.endswith(AUGMENTED):
            return _rival(rival, problem, treatment, augment_seed=seed)
        return _rival(rival, problem, treatment, align=name.endswith(ALIGNED))

    return learn


def is_plain(name: str) -> bool:
    """Whether it is a network that answers alone."""
    return name.removesuffix(AUGMENTED) in PLAIN_MODELS and name != TWIN + AUGMENTED


def all_models() -> list[str]:
    """Names that ``--models`` takes."""
    return [MAJORITY, *NETWORKS, *RIVALS, *PLAIN_MODELS]


def treatments_of(name: str) -> tuple[Treatment, ...]:
    """How a model can look at a pixel before answers are smoothed."""
    alone = name == MAJORITY or is_plain(name) or name.endswith((AUGMENTED, ALIGNED))
    return ("pixel",) if alone else TREATMENTS


def is_seeded(name: str) -> bool:
    """Whether another seed gives another answer."""
    return name in ("default", *PLAIN_MODELS, *SEEDED) or name.endswith(AUGMENTED)


def _majority(problem: Problem, _treatment: Treatment, _seed: int) -> Answered:
    spectra = problem.spectra
    counts = np.bincount(spectra.classes, minlength=len(spectra.class_names))
    share = np.tile(counts / counts.sum(), (len(problem.held_out), 1))
    same = dict.fromkeys(problem.changes, share)
    return Answered(same, same, 0.0, float("nan"), "")


def _ours(
    network: Network, problem: Problem, treatment: Treatment, seed: int, name: str
) -> Answered:
    """A fit as the product makes it, its own choices, calibration and neighbors and all."""
    begun = time.monotonic()
    augment = augment_of(name, network)
    config = FitConfig(network, seed=seed, device="cpu", augment=augment)
    model = run_inline(fit(problem.spectra, config))
    seconds = time.monotonic() - begun
    held_out = problem.cohort.spectra.take(problem.held_out)
    asked = {
        name: replace(held_out, values=change(held_out.values))
        for name, change in problem.changes.items()
    }
    begun = time.monotonic()
    alone = {name: predict_matrix(model, s.values, "cpu") for name, s in asked.items()}
    speed = len(held_out) * len(asked) / (time.monotonic() - begun)
    heat = model.neighbor_temperature
    together = {name: answers_with_neighbors(model, s, alone[name]) for name, s in asked.items()}
    chosen = f"share of the CNN {model.blend:g}"
    asks = "" if heat is None else ", neighbors asked"
    answered: dict[Treatment, Answered] = {
        "pixel": Answered(alone, _heated(alone, model.temperature), seconds, speed, chosen),
        "neighborhood": Answered(together, _heated(together, heat), seconds, speed, chosen + asks),
    }
    besides = {(name, other): a for other, a in answered.items() if other != treatment}
    return replace(answered[treatment], besides=besides)


def _heated(
    probabilities: dict[str, np.ndarray], temperature: float | None
) -> dict[str, np.ndarray]:
    """Probabilities as they were before the temperature."""
    heat = temperature or 1.0
    return {name: softmax(heat * np.log(np.clip(p, 1e-12, 1))) for name, p in probabilities.items()}


def _plain(name: str, problem: Problem, seed: int) -> Answered:
    """A network alone, on the training side and nothing else: as cheap as it can be had."""
    spectra = problem.spectra
    held_out = problem.cohort.spectra.take(problem.held_out).values
    begun = time.monotonic()
    roots = root_of_shares(spectra.values)
    normalization = InputNormalization.learn(roots)
    made: dict[str, Answered] = {}
    for reached, ask in fit_plain(name, roots, normalization, spectra.classes, seed):
        asked = time.monotonic()
        found = {
            change: softmax(ask(root_of_shares(changed(held_out))))
            for change, changed in problem.changes.items()
        }
        took = time.monotonic() - asked
        speed = len(held_out) * len(found) / took
        made[reached] = Answered(found, found, asked - begun, speed, "")
        begun += took
    besides: dict[tuple[str, Treatment], Answered]
    besides = {(n, "pixel"): answered for n, answered in made.items() if n != name}
    return replace(made[name], besides=besides)


def _rival(
    rival: Rival, problem: Problem, treatment: Treatment,
    augment_seed: int | None = None, align: bool = False,
) -> Answered:  # fmt: skip
    spectra = problem.spectra
    values, classes, groups = problem.cohort.spectra.values, spectra.classes, spectra.groups
    rows = problem.training
    begun = time.monotonic()
    preparation = AS_IT_IS
    if align:
        seen = root_of_shares(spectra.values[:SPECTRA_LOOKED_AT])
        preparation = Preparation.for_spectra(spectra.axis, seen)
    width = preparation.width
    if augment_seed is None:
        roots = _described(problem, root_of_shares(values, width), rows, treatment)
    else:
        roots = root_of_shares(with_changed_copies(values[rows], augment_seed))
        times = len(roots) // len(rows)
        classes, groups = np.tile(classes, times), np.tile(groups, times)
    normalization = InputNormalization.learn(roots, None, preparation)
    asked = [
        normalization.apply(
            _described(problem, root_of_shares(change(values), width), problem.held_out, treatment)
        )
        for change in problem.changes.values()
    ]
    found = answer(rival, normalization.apply(roots), classes, groups, asked)
    # The few milliseconds of answering are in it: rivals answer as they are fitted.
    seconds = time.monotonic() - begun
    heat = found.temperature or 1.0
    return Answered(
        {n: softmax(z / heat) for n, z in zip(problem.changes, found.logits, strict=True)},
        {n: softmax(z) for n, z in zip(problem.changes, found.logits, strict=True)},
        seconds,
        float("nan"),
        ", ".join(f"{key} {value:g}" for key, value in found.setting.items()),
    )


def _described(
    problem: Problem, roots: np.ndarray, rows: np.ndarray, treatment: Treatment
) -> np.ndarray:
    """Rooted shares of some pixels; with the mean of the neighbors' beside them, where asked."""
    if treatment == "pixel":
        return np.asarray(roots[rows])
    around = problem.neighbors(WINDOW)[rows].astype(np.float32) @ roots
    return np.asarray(np.hstack([roots[rows], around]))
