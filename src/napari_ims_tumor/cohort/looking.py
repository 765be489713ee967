"""What the models of a validation look at, on pixels that they had not seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from napari_ims_tumor.cohort.explaining import model_peaks, univariate_job
from napari_ims_tumor.cohort.explanation import CAVEATS, TOP, Explanation
from napari_ims_tumor.cohort.univariate import LEVEL, Univariate
from napari_ims_tumor.job import STOP, Job, JobStopped, Progress
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.relevance import Attributed, Attribution, Explainer
from napari_ims_tumor.model.samples import LabelledSpectra
from napari_ims_tumor.msi.arrays import Float64Array, IntArray
from napari_ims_tumor.msi.axis_peaks import AxisPeaks

PIXELS: Final = 30
"""Of each side and fold: what is shown is a mean over all folds."""
STEPS: Final = 8


class Looking:
    """Gathers the relevance of held-out pixels over the models of a validation.

    Parameters
    ----------
    spectra
        All that is judged.
    device
        What computes.
    """

    def __init__(self, spectra: LabelledSpectra, device: str) -> None:
        self._spectra, self._device = spectra, device
        self._target = spectra.class_names[-1]
        self._sums = np.zeros((2, len(spectra.axis)))
        self._moved, self._n = np.zeros(2), np.zeros(2, np.int64)
        self.peaks: AxisPeaks | None = None

    def add(self, model: FittedModel, held_out: IntArray, phase: str) -> Job[Progress, None]:
        """Explain a few held-out pixels of the tumor, and of the rest."""
        self.peaks = self.peaks or model_peaks(model)
        explainer = Explainer(model, self._target, Attribution(steps=STEPS), self._device)
        is_tumor = self._spectra.classes[held_out] == len(self._spectra.class_names) - 1
        for side, rows in enumerate((held_out[is_tumor], held_out[~is_tumor])):
            chosen = _spread(rows)
            steps = explainer.steps(self._spectra.values[chosen])
            while True:
                if (yield Progress(phase)) is STOP:
                    raise JobStopped("Validation stopped: no report was written.")
                try:
                    next(steps)
                except StopIteration as end:
                    found: Attributed = end.value
                    break
            self._sums[side] += found.bins.sum(axis=0, dtype=np.float64)
            self._moved[side] += found.moved.sum()
            self._n[side] += chosen.size

    def explanation(self) -> Explanation | None:
        """Half the difference of both sides' means, so that each counts the same."""
        if self.peaks is None or not self._n.all():
            return None
        names = self._spectra.class_names
        return Explanation(
            target=self._target,
            others=" and ".join(names[:-1]),
            about=f"{int(self._n.sum()):,} held-out pixels",
            method=f"Integrated gradients from the mean of the fitted spectra, {STEPS} steps.",
            peaks=self.peaks,
            bins=_contrast(self._sums, self._n).astype(np.float32),
            moved=float(_contrast(self._moved[:, None], self._n)[0]),
        )


def peaks_alone(
    spectra: LabelledSpectra, looked_at: Mapping[str, Explanation | None]
) -> Job[Progress, Univariate | None]:
    """Say what each of the models' peaks tells by itself."""
    known = next((found for found in looked_at.values() if found is not None), None)
    if known is None:
        return None
    return (yield from univariate_job(spectra, known.peaks, spectra.class_names[-1]))


def relevance_facts(
    looked_at: Mapping[str, Explanation | None], alone: Univariate | None
) -> dict[str, Any] | None:
    """All of it as plain facts; ``None`` where nothing was judged."""
    known = {name: found for name, found in looked_at.items() if found is not None}
    if not known or alone is None:
        return None
    return {
        "caveats": list(CAVEATS),
        "networks": {name: _facts(found, alone) for name, found in known.items()},
        "alone": _alone_facts(next(iter(known.values())), alone),
    }


def _facts(found: Explanation, alone: Univariate) -> dict[str, Any]:
    own = found if alone.auc.size != found.size else found.beside(alone)
    return {
        "pixels": found.about,
        "method": found.method,
        "between_peaks": found.between,
        "peaks": [row.as_dict() for row in own.top(TOP)],
    }


def _alone_facts(found: Explanation, alone: Univariate) -> dict[str, Any]:
    order = np.argsort(-abs(alone.auc - 0.5), kind="stable")[:TOP].astype(np.int64)
    beside = found.beside(alone)
    significant = None if alone.why_not else int((alone.adjusted <= LEVEL).sum())
    names = ("mz", "isotopes", "auc", "p", "adjusted")
    rows = [beside.row(int(envelope)).as_dict() for envelope in order]
    return {
        "words": alone.words,
        "n_peaks": int(alone.auc.size),
        "n_adjusted_below_05": significant,
        "peaks": [{name: row[name] for name in names} for row in rows],
    }


def _contrast(sums: Float64Array, n: IntArray) -> Float64Array:
    tumor, others = sums / n[:, None]
    half: Float64Array = (tumor - others) / 2
    return half


def _spread(rows: IntArray) -> IntArray:
    if rows.size <= PIXELS:
        return rows
    return rows[np.linspace(0, rows.size - 1, PIXELS).round().astype(np.int64)]
