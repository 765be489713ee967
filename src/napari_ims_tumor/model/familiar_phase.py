"""Part of a fit: which spectra are like the labelled ones, with a limit from held-out groups."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_ims_tumor.job import Job
from napari_ims_tumor.model.familiarity import (
    FALSE_ALARMS,
    MARGIN,
    Familiarity,
    cautious_limit,
    chosen_rows,
    directions,
    limit_of,
    unexplained,
)
from napari_ims_tumor.model.fit_run import EpochReport, FitRun
from napari_ims_tumor.model.fitted_model import CardValue, FittedModel
from napari_ims_tumor.model.trust import Trust
from napari_ims_tumor.msi.arrays import Float32Array
from napari_ims_tumor.msi.matrix_room import pieces

if TYPE_CHECKING:
    from napari_ims_tumor.annotation.split import Fold
    from napari_ims_tumor.model.linear_answer import LinearAnswer

GUESS: Final = "a cautious guess: too few separate {kind}s to hold any out"
SHARE: Final = "unfamiliar pixels of held-out groups"


def with_familiarity(
    answer: LinearAnswer, base: FittedModel | None, run: FitRun
) -> Job[EpochReport, FittedModel]:
    """The linear model with what it is familiar with; as it was where the fit is over."""
    left = np.full(len(answer.spectra), np.nan)
    report = EpochReport("What is familiar", epochs=len(answer.validation.folds))
    for number, fold in enumerate(answer.validation.folds):
        part = yield from run.drive(_fold(answer, fold, base), replace(report, epoch=number))
        if part is None:
            return answer.model
        left[fold.held_out] = part
    known = None if base is None else base.trust.familiarity
    rows = chosen_rows(np.arange(len(answer.spectra)))
    inputs = answer.inputs(answer.model.normalization, rows)
    components = None if known is None else known.components
    facts: dict[str, CardValue] = {}
    limit = limit_of(left, answer.spectra.groups)
    if limit is not None:
        facts = _facts(left, limit)
    elif known is None:
        facts = {"unfamiliar": GUESS.format(kind=answer.spectra.group_kind)}
        limit = cautious_limit(inputs)
    if limit is None:
        return _with(answer.model, known)
    # What the base knew stays familiar.
    limit = limit if known is None else max(limit, known.limit)
    return _with(answer.model, Familiarity(directions(inputs, components), limit), facts)


def _with(
    model: FittedModel, found: Familiarity | None, facts: Mapping[str, CardValue] | None = None
) -> FittedModel:
    trust = Trust(found, model.trust.answers)
    return replace(model, trust=trust, card={**model.card, **(facts or {})})


def _facts(left: Float32Array, limit: float) -> dict[str, CardValue]:
    known = left[np.isfinite(left)]
    return {
        SHARE: f"{100 * float((known > limit).mean()):.1f} %",
        "unfamiliar": f"{MARGIN:g} times what {100 * FALSE_ALARMS:.0f} % of held-out pixels exceed",
    }


def _fold(
    answer: LinearAnswer, fold: Fold, base: FittedModel | None
) -> Generator[None, None, Float32Array]:
    """What the training side does not explain of the held-out side."""
    normalization = answer.normalization(fold, base)
    known = None if base is None else base.trust.familiarity
    seen = answer.inputs(normalization, chosen_rows(fold.training))
    components = directions(seen, None if known is None else known.components)
    left = np.zeros(len(fold.held_out), np.float32)
    for part in pieces(len(left), len(answer.spectra.axis)):
        yield
        left[part] = unexplained(answer.inputs(normalization, fold.held_out[part]), components)
    return left
