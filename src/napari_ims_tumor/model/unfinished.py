"""Where a fit was when it was ended: enough to go on as if it had never been.

What is kept are the CNNs themselves, those of the held-out folds and the one on all labels, each
with its optimizer: a CNN that judged a held-out group has still not seen it when the fit goes on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.errors import FitRefused, ModelFileError
from napari_ims_tumor.model.batches import rising_memory_errors
from napari_ims_tumor.model.config import FitConfig
from napari_ims_tumor.model.device_memory import is_of_a_gpu
from napari_ims_tumor.model.epoch_choice import Check, Choice
from napari_ims_tumor.model.fitted_model import EpochRecord, FittedModel
from napari_ims_tumor.model.samples import LabelledSpectra

State: TypeAlias = Mapping[str, NDArray[Any]]
"""All that the next step of a CNN depends on, as plain arrays."""

OTHER_FIT: Final = (
    "The labels, the slides or the settings are not those of the fit that was ended: fit anew, or "
    "start from its model."
)
NO_FIT: Final = "The file of the unfinished fit is damaged: fit anew."
_LOOKED_AT: Final = 256


@dataclass(frozen=True, eq=False)
class Unfinished:
    """A fit after its last whole epoch.

    Attributes
    ----------
    mark
        Hash of what it was fitted to and how, see :func:`mark_of`.
    trainers
        State of each CNN: of the held-out folds, then of the one on all labels if there was one.
    folds
        Number of held-out folds.
    best, history
        What held-out groups preferred, and the epochs so far.
    doubted
        Whether labels that seem wrong were left out: what CNNs learn from does not change any more.
    base
        The model that the fit had started from.
    model
        What the fit gave when it was ended.
    """

    mark: str
    trainers: tuple[State, ...]
    folds: int
    best: Choice
    history: tuple[EpochRecord, ...]
    base: FittedModel | None = None
    model: FittedModel | None = None
    doubted: bool = False

    @property
    def is_ahead(self) -> bool:
        """Whether the CNN on all labels was fitted beside the others."""
        return len(self.trainers) > self.folds


def mark_of(spectra: LabelledSpectra, config: FitConfig, base: FittedModel | None) -> str:
    """Hash of labels, spectra (some of them), settings and base: the same for the same fit."""
    # Limits and what computes may be others when a fit goes on.
    same = replace(config, epochs=None, time_limit_s=None, steps=None, device="auto")
    own = {n: v for n, v in asdict(same).items() if n not in ("precision", "deterministic")}
    if not config.doubt_labels:
        del own["doubt_labels"]  # fits that were ended before there was a choice go on
    how = {**own, "base": base and base.model_id}
    digest = hashlib.sha256(json.dumps(how, sort_keys=True).encode())
    some = np.unique(np.linspace(0, len(spectra) - 1, _LOOKED_AT).astype(np.int64))
    seen = (spectra.axis.mz, spectra.classes, spectra.groups, spectra.values[some])
    told = spectra.regions if spectra.regions is not None else np.zeros(0)
    for values in (*seen, told):
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()[:32]


def refuse_other_fit(unfinished: Unfinished, mark: str) -> None:
    """Refuse to go on where labels, slides or settings are others."""
    if unfinished.mark != mark:
        raise FitRefused(OTHER_FIT)


def kept(check: Check) -> Unfinished:
    """Copy a check at the end of an epoch."""
    states = tuple(trainer.state() for trainer in check.all_trainers)
    history, doubted = tuple(check.history), check.answer.suspect
    return Unfinished(check.mark, states, len(check.folds), check.best, history, doubted=doubted)


def take_up(check: Check, unfinished: Unfinished) -> None:
    """Bring a check that has just begun to where a fit was ended."""
    try:
        pairs = zip(check.all_trainers, unfinished.trainers, strict=True)
        for trainer, state in pairs:
            trainer.restore(state)
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        if is_of_a_gpu(error):
            with rising_memory_errors():
                raise  # the file is as it was
        raise ModelFileError(NO_FIT) from error
    check.best, check.history = unfinished.best, list(unfinished.history)
    check.saved = unfinished
