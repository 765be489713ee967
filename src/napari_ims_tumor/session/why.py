"""*Why?*: what moved the model's answer to the clicked pixel, or to a class."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from napari_ims_tumor.job import Job, Progress
from napari_ims_tumor.model.computing import Computing
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.session.jobs import one_step
from napari_ims_tumor.session.slide_state import SlideState

if TYPE_CHECKING:
    from napari_ims_tumor.annotation.annotation import Annotation
    from napari_ims_tumor.cohort.explanation import Explanation
    from napari_ims_tumor.cohort.univariate import Univariate
    from napari_ims_tumor.model.fitted_model import FittedModel
    from napari_ims_tumor.msi.axis_peaks import AxisPeaks
    from napari_ims_tumor.session.session import Session

NO_PIXEL: Final = "Click a pixel to see why the model answers as it does there."


@dataclass(frozen=True, eq=False)
class Explained:
    """An explanation that was asked for.

    Attributes
    ----------
    slide
        Of which slide.
    explanation
        What was found.
    title
        Of what it is, in a few words.
    """

    slide: SlideState
    explanation: Explanation
    title: str


class SessionWhy:
    """Explains answers while somebody looks at them.

    Attributes
    ----------
    wanted
        Whether clicked pixels are to be explained.
    shown
        The last explanation; ``None`` before, or where what it was of is gone.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.wanted = False
        self.shown: Explained | None = None
        self._alone: tuple[object, Univariate] | None = None

    def why_not(self) -> str | None:
        """Say in one sentence why nothing can be explained; ``None`` when it can."""
        if self._session.active is None:
            return "Open a slide first."
        if self._session.classifier.model is None:
            return "Fit a model or open one first: then this says why it answers as it does."
        return None

    def want(self, wanted: bool) -> None:
        """Begin or cease to explain clicked pixels."""
        self.wanted = wanted
        if wanted:
            self.explain_pixel()

    def explain_pixel(self) -> None:
        """Explain the answer to the pixel that was clicked last."""
        picked, slide = self._session.picked, self._session.active
        reason = self.why_not() or (NO_PIXEL if picked is None else None)
        if reason is None and slide is not None and picked is not None:
            row, column, plane = picked
            if slide.dataset.pixels.index_at(row, column, plane) is None:
                reason = f"Row {row}, column {column} was not measured."
        if reason is not None or slide is None or picked is None:
            self._forget(reason or "")
            return
        model = self._session.classifier.model
        assert model is not None  # noqa: S101 - why_not has just said so
        title = f"row {picked[0]}, column {picked[1]}"
        asked = _Asked(model, slide, self._session.classifier.computing)
        self._run(slide, title, _pixel_job(asked, picked))

    def explain_class(self, name: str) -> None:
        """Explain what tells the pixels of a class, labelled or else predicted, from the others."""
        slide, model = self._session.active, self._session.classifier.model
        reason = self.why_not()
        if reason is not None or slide is None or model is None:
            self._session.failed.emit(reason or "")
            return
        job = _class_job(_Asked(model, slide, self._session.classifier.computing), name)
        others = " and ".join(other for other in model.class_names if other != name)
        self._run(slide, f"all {name} against {others} pixels", job)

    def write(self, path: Path) -> None:
        """Write all peaks of what is shown as .csv."""
        if self.shown is None:
            self._session.failed.emit(NO_PIXEL)
            return
        found = self.shown.explanation
        work = one_step("Writing relevance", lambda: found.write(path))
        self._session.run("file", work, lambda _: self._session.noticed.emit(f"Wrote {path}."))

    # ---- inside -----------------------------------------------------------------------------

    def _run(self, slide: SlideState, title: str, job: Job[Progress, Explanation]) -> None:
        def found(explanation: Explanation) -> None:
            if self._session.current(slide) is None:
                return
            known = self._alone if self._alone and self._alone[0] == self._key() else None
            beside = known[1] if known and known[1].auc.size == explanation.size else None
            self._show(Explained(slide, replace(explanation, univariate=beside), title))
            if beside is None:
                self._look_at_peaks_alone(explanation)

        self._session.run("explain", job, found)

    def _show(self, explained: Explained) -> None:
        self.shown = explained
        self._session.explained.emit(explained)

    def _forget(self, why: str) -> None:
        self.shown = None
        self._session.not_explained.emit(why)

    def _key(self) -> object:
        """What the table of single peaks depends on: the model's peaks, and all strokes."""
        model = self._session.classifier.model
        strokes = tuple((s.key, s.annotation.revision) for s in self._session.slides)
        return None if model is None else (model.model_id, strokes)

    def _look_at_peaks_alone(self, explanation: Explanation) -> None:
        painted = tuple(s for s in self._session.slides if s.annotation.labels.any())
        if not painted:
            return
        key, slides = self._key(), tuple((s.dataset, s.annotation) for s in painted)

        def found(alone: Univariate) -> None:
            self._alone = (key, alone)
            shown = self.shown if key == self._key() else None
            if shown is not None and shown.explanation.target == explanation.target:
                beside = replace(shown.explanation, univariate=alone)
                self._show(replace(shown, explanation=beside))

        job = _alone_job(slides, explanation.peaks, explanation.target)
        self._session.run("peaks alone", job, found)


Slides = tuple[tuple[MsiDataset, "Annotation"], ...]


@dataclass(frozen=True, eq=False)
class _Asked:
    """Whose answer is to be explained, on which slide, and what computes it."""

    model: FittedModel
    slide: SlideState
    computing: Computing


def _pixel_job(asked: _Asked, place: tuple[int, int, int]) -> Job[Progress, Explanation]:
    # A report before the import: loading torch takes seconds, which are the worker's.
    yield Progress("Explaining")
    from napari_ims_tumor.cohort.explaining import How, explain_pixel

    how, slide = How(device=asked.computing), asked.slide
    return (yield from explain_pixel(asked.model, slide.dataset, place, how, slide.annotation))


def _class_job(asked: _Asked, name: str) -> Job[Progress, Explanation]:
    yield Progress("Explaining")
    from napari_ims_tumor.cohort.explaining import How, explain_class

    how = How(target=asked.model.class_names[-1], device=asked.computing)
    slide = asked.slide
    return (yield from explain_class(asked.model, slide.dataset, name, slide.annotation, how))


def _alone_job(slides: Slides, peaks: AxisPeaks, target: str) -> Job[Progress, Univariate]:
    yield Progress("Comparing peaks")
    from napari_ims_tumor.cohort.explaining import univariate_job
    from napari_ims_tumor.cohort.gathering import gather
    from napari_ims_tumor.cohort.table import CohortSlide

    rows = tuple(CohortSlide(dataset, annotation, None) for dataset, annotation in slides)
    gathered = yield from gather(rows, peaks.axis)
    return (yield from univariate_job(gathered.spectra, peaks, target))
