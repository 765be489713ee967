"""The model's part of the story: why not, fit, stop, predict."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias
from uuid import UUID

from napari_ims_tumor.annotation.next_stroke import most_uncertain_pixel
from napari_ims_tumor.job import Job, Progress, Stop
from napari_ims_tumor.model.computing import Computing
from napari_ims_tumor.session.kept_spectra import keep
from napari_ims_tumor.session.requests import FitRequest

if TYPE_CHECKING:
    from napari_ims_tumor.model.config import FitConfig
    from napari_ims_tumor.model.fitted_model import FittedModel
    from napari_ims_tumor.model.fitting import EpochReport
    from napari_ims_tumor.model.prediction import Prediction
    from napari_ims_tumor.model.unfinished import Unfinished
    from napari_ims_tumor.msi.dataset import MsiDataset
    from napari_ims_tumor.session.session import Session
    from napari_ims_tumor.session.slide_state import SlideState

PREVIEW_EVERY_S: Final = 0.5
"""How often a prediction that is being made is shown as far as it is."""
FIRST_LOOK_S: Final = 2.0
"""How long a fit waits at most until its first answer is seen."""
_LISTEN_EVERY_S: Final = 0.02

Revisions: TypeAlias = Mapping[UUID, int]
"""The annotation revision of each slide that a model was fitted to."""


class Classifier:
    """Holds the session's model; the old one stays until a new one is complete.

    Attributes
    ----------
    model
        What predictions are made with; ``None`` before the first fit or load.
    fitted_to
        The strokes that the model has seen.
    log
        What the last fit reported of its epochs and scores: for its curves.
    left_half
        Whether the last prediction was stopped or failed: what was shown of it is none.
    chosen
        What is to compute models that come from a file, and how.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.model: FittedModel | None = None
        self.fitted_to: Revisions = {}
        self.log: tuple[EpochReport, ...] = ()
        self.left_half = False
        self.chosen = Computing()
        self._config: FitConfig | None = None
        self._fitted_by: Computing | None = None

    # ---- fit --------------------------------------------------------------------------------

    def why_not_fit(self) -> str | None:
        """Say in one sentence why *Fit* cannot be pressed; ``None`` when it can."""
        from napari_ims_tumor.model.samples import why_not_fit

        if not self._session.slides:
            return "Open a slide first."
        if self._session.runner.is_busy("fit"):
            return "A fit is running: wait for it or stop it."
        counts = Counter[str]()
        for slide in self._session.slides:
            counts.update(slide.annotation.counts(slide.dataset.pixels))
        return why_not_fit(counts)

    @property
    def can_go_on(self) -> bool:
        """Whether the last fit was ended early, and the strokes are still those it was given."""
        if self.model is None or self.model.unfinished is None or self._config is None:
            return False
        strokes = {s.key: s.annotation.revision for s in self._painted()}
        return strokes == dict(self.fitted_to) and not self._session.runner.is_busy("fit")

    def go_on(self, time_limit_s: float | None = None) -> None:
        """Go on with a fit that was ended early, as if it had not been."""
        assert self.model is not None  # noqa: S101 - can_go_on has just said so
        assert self._config is not None  # noqa: S101 - as above
        config = replace(self._config, time_limit_s=time_limit_s, steps=None)
        self.fit(config, self.model.unfinished)

    def fit(self, config: FitConfig, base: FittedModel | Unfinished | None = None) -> None:
        """Fit a model to all strokes on all open slides, then predict the active one.

        The first answers of a fit that goes on are not shown: there are better ones already.
        """
        reason = self.why_not_fit()
        if reason is not None:
            self._session.failed.emit(reason)
            return
        painted = self._painted()
        goes_on = self.model is not None and base is not None and base is self.model.unfinished
        slides = tuple((s.dataset, s.annotation) for s in painted)
        request = FitRequest(slides, config, base)
        revisions = {s.key: s.annotation.revision for s in painted}

        self.log, self._config = (), config
        looked = threading.Event()

        def reported(report: Progress | EpochReport) -> None:
            if isinstance(report, Progress):
                return
            self._note(report)
            self._session.fit_reported.emit(report)
            # Of a slide that was not painted on, the finished model is soon enough.
            active = self._session.active
            shown = None if goes_on else report.preview
            if shown is not None and active is not None and active.key in revisions:
                self._predict_with(shown, revisions, config.computing, looked)
            elif report.preview is not None:
                looked.set()

        def fitted(model: FittedModel) -> None:
            self.take(model, revisions, config.computing)
            self._predict_with(model, revisions, config.computing)

        # A fit reads what it needs first, and needs all cores for it.
        self._session.kept_spectra.stop()
        self._session.run("fit", first_look(fit_job(request), looked), fitted, reported)

    def _painted(self) -> tuple[SlideState, ...]:
        return tuple(s for s in self._session.slides if s.annotation.labels.any())

    def stop(self) -> None:
        """End a running fit with its best model so far."""
        self._session.runner.stop("fit")

    def take(
        self,
        model: FittedModel,
        fitted_to: Revisions | None = None,
        fitted_by: Computing | None = None,
    ) -> None:
        """Make a complete model the session's.

        Parameters
        ----------
        model, fitted_to
            The model, and the strokes it has seen.
        fitted_by
            What its fit was computed by; ``None`` where it comes from a file.
        """
        self.model, self.fitted_to, self._fitted_by = model, fitted_to or {}, fitted_by
        self._session.fitted.emit(model)

    def reopen(
        self, model: FittedModel | None, fitted_to: Revisions, log: tuple[EpochReport, ...]
    ) -> None:
        """Take the model of a saved session, or that it has none, with how it was fitted."""
        self.model, self.fitted_to, self.log = model, fitted_to, log
        self._fitted_by = None
        if model is not None:
            self._session.fitted.emit(model)

    # ---- predict ----------------------------------------------------------------------------

    @property
    def computing(self) -> Computing:
        """What predicts and explains: what the model was fitted by, or what was chosen since."""
        return self._fitted_by or self.chosen

    def why_not_predict(self) -> str | None:
        """Say in one sentence why *Predict* cannot be pressed; ``None`` when it can."""
        if self._session.active is None:
            return "Open a slide first."
        if self.model is None:
            return "Fit a model or open one first."
        from napari_ims_tumor.cohort.polarity import why_other_ions

        return why_other_ions(self.model, self._session.active.dataset)

    def predict(self) -> None:
        """Predict every pixel of the active slide with the model."""
        reason = self.why_not_predict()
        if reason is not None:
            self._session.failed.emit(reason)
            return
        assert self.model is not None  # noqa: S101 - why_not_predict has just said so
        self._predict_with(self.model, self.fitted_to, self.computing)

    def stop_predicting(self) -> None:
        """End a running prediction; half of one is not kept."""
        self._session.runner.stop("predict")

    def most_uncertain_pixel(self) -> tuple[int, ...] | None:
        """Find where a stroke on the active slide teaches most; says so where nowhere does."""
        slide = self._session.active
        if slide is None or slide.prediction is None:
            return None
        found = most_uncertain_pixel(slide.prediction.uncertainty, slide.annotation.strokes)
        if found is None:
            self._session.noticed.emit(f"The model is sure of every pixel of {slide.name}.")
        return found

    def _note(self, report: EpochReport) -> None:
        """Keep what a report says that the one before did not; times and devices are news only."""
        said = replace(report, preview=None, seconds_left=None, device="")
        if _numbers(said) != (_numbers(self.log[-1]) if self.log else _NOTHING):
            self.log = (*self.log, said)

    def _predict_with(
        self,
        model: FittedModel,
        fitted_to: Revisions,
        computing: Computing,
        looked: threading.Event | None = None,
    ) -> None:
        slide = self._session.active
        if slide is None:
            return
        revision = fitted_to.get(slide.key)

        def predicted(made: Prediction) -> None:
            before = slide.prediction.n_empty if slide.prediction is not None else 0
            if made.note and (slide.prediction is None or made.note != slide.prediction.note):
                self._session.noticed.emit(f"{slide.name}: {made.note}")
            if made.empty_words and made.n_empty != before:
                self._session.noticed.emit(f"{slide.name}: {made.empty_words}")
            changed = self._session.update(slide, prediction=made, prediction_revision=revision)
            if changed is not None:
                self._session.predicted.emit(changed)

        def reported(report: Progress) -> None:
            preview = getattr(report, "preview", None)
            current = self._session.current(slide)
            if preview is not None and current is not None:
                # Half an overlay is to be looked at, and is kept nowhere.
                half = current.with_(prediction=preview, prediction_revision=revision)
                self._session.previewed.emit(half)

        job = self._whole(predict_job(model, slide.dataset, computing), looked)
        self._session.run("predict", job, predicted, reported)

    def _whole(
        self, job: Job[Progress, Prediction], looked: threading.Event | None
    ) -> Job[Progress, Prediction]:
        """Take note of a prediction that does not come to its end, and say when it ends."""
        self.left_half = False
        try:
            return (yield from job)
        except Exception:
            # One that only made room for the next is closed instead, and the next shows its own.
            self.left_half = True
            raise
        finally:
            if looked is not None:
                looked.set()


def _numbers(report: EpochReport) -> tuple[object, ...]:
    return report.loss, report.held_out_score, report.linear_score, report.note


_NOTHING: Final = (None, None, None, "")


def fit_job(request: FitRequest) -> Job[Progress | EpochReport, FittedModel]:
    """Gather the labelled spectra of a request and fit a model to them."""
    # A report before the import: loading torch takes seconds, which are the worker's.
    yield Progress("Getting ready to fit")
    from napari_ims_tumor.cohort.fitting import fit_cohort
    from napari_ims_tumor.cohort.table import CohortSlide

    slides = tuple(CohortSlide(dataset, annotation, None) for dataset, annotation in request.slides)
    return (yield from fit_cohort(slides, request.config, request.base))


def first_look(
    job: Job[Progress | EpochReport, FittedModel], looked: threading.Event
) -> Job[Progress | EpochReport, FittedModel]:
    """Have a fit wait after its first answer until that is on the slide: it needs all cores too."""
    answer: Stop = None
    with closing(job):
        while True:
            try:
                report = job.send(answer)
            except StopIteration as end:
                model: FittedModel = end.value
                return model
            answer = yield report
            if getattr(report, "preview", None) is not None:
                until = time.monotonic() + FIRST_LOOK_S
                while not looked.wait(_LISTEN_EVERY_S) and time.monotonic() < until:
                    answer = yield Progress("Showing the first answer")


def predict_job(
    model: FittedModel, dataset: MsiDataset, computing: Computing
) -> Job[Progress, Prediction]:
    """Predict every pixel of a slide."""
    yield Progress("Getting ready to predict")
    from napari_ims_tumor.model.predicting import predict

    keep(dataset, model.axis)
    return (yield from predict(model, dataset, computing, PREVIEW_EVERY_S))
