"""What the models of a validation look at, on pixels that they had not seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np

from napari_ims_tumor.cohort.class_pixels import paired
from napari_ims_tumor.cohort.explaining import method_words, model_peaks, univariate_job
from napari_ims_tumor.cohort.explanation import CAVEATS, TOP, Explanation
from napari_ims_tumor.cohort.univariate import LEVEL, Univariate
from napari_ims_tumor.job import STOP, Job, JobStopped, Progress
from napari_ims_tumor.model.computing import GivenComputing
from napari_ims_tumor.model.fitted_model import FittedModel
from napari_ims_tumor.model.relevance import Attributed, Attribution, Explainer
from napari_ims_tumor.model.samples import LabelledSpectra
from napari_ims_tumor.msi.arrays import IntArray
from napari_ims_tumor.msi.axis_peaks import AxisPeaks

PAIRS: Final = 60
"""Of each fold: what is shown is a mean over all folds."""
STEPS: Final = 8


class Looking:
    """Gathers what tells the tumor's held-out pixels from others, over the models of a validation.

    Parameters
    ----------
    spectra
        All that is judged.
    device
        What computes.

    Attributes
    ----------
    notes
        What was done where memory ended with the last model.
    """

    def __init__(self, spectra: LabelledSpectra, device: GivenComputing) -> None:
        self._spectra, self._device = spectra, device
        self._target = spectra.class_names[-1]
        self._sum = np.zeros(len(spectra.axis))
        self._moved, self._n, self._both_held_out = 0.0, 0, True
        self._method = ""
        self.notes: list[str] = []
        self.peaks: AxisPeaks | None = None

    def add(self, model: FittedModel, held_out: IntArray, phase: str) -> Job[Progress, None]:
        """Explain a few held-out pixels of the tumor, each against one of the rest."""
        self.notes = []
        sides = self._sides(held_out)
        if sides is None:
            return
        tumor, others = sides
        self.peaks = self.peaks or model_peaks(model)
        how = Attribution(steps=STEPS)
        self._method = method_words(model, how, by_pairs=True)
        explainer = Explainer(model, self._target, how, self._device)
        self.notes = explainer.notes
        steps = explainer.steps(self._spectra.values[tumor], self._spectra.values[others])
        while True:
            if (yield Progress(phase)) is STOP:
                raise JobStopped("Validation stopped: no report was written.")
            try:
                next(steps)
            except StopIteration as end:
                found: Attributed = end.value
                break
        self._sum += found.bins.sum(axis=0, dtype=np.float64)
        self._moved += float(found.moved.sum())
        self._n += tumor.size

    def explanation(self) -> Explanation | None:
        """Return the mean over all pairs; ``None`` where there were none."""
        if self.peaks is None or not self._n:
            return None
        names = self._spectra.class_names
        each = "" if self._both_held_out else "; of some pairs only one"
        return Explanation(
            target=self._target,
            others=" and ".join(names[:-1]),
            about=f"{self._n:,} pairs of held-out pixels{each}",
            method=self._method,
            peaks=self.peaks,
            bins=(self._sum / self._n).astype(np.float32),
            moved=self._moved / self._n,
        )

    def _sides(self, held_out: IntArray) -> tuple[IntArray, IntArray] | None:
        """Pixels of the tumor and as many others: held out, where a fold has both."""
        last = len(self._spectra.class_names) - 1
        tumor, others = self._of((last,), held_out), self._of(range(last), held_out)
        if bool(tumor) != bool(others):
            # Groups may be of one class: what their pixels are compared with then is fitted.
            every = np.flatnonzero(self._spectra.by_hand)
            tumor = tumor or self._of((last,), every)
            others = others or self._of(range(last), every)
            self._both_held_out &= not (tumor and others)
        if not tumor or not others:
            return None
        n = min(PAIRS, max(rows.size for rows in (*tumor, *others)))
        return paired(tumor, n), paired(others, n)

    def _of(self, classes: Iterable[int], rows: IntArray) -> list[IntArray]:
        """Some of the rows, of each class that is there."""
        found = [rows[self._spectra.classes[rows] == c] for c in classes]
        return [own for own in found if own.size]


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
