"""The session: the only object that changes, and it says so by signals.

It is driven by whoever tells the story (the window, a script, a test) and never asks who that is.
Looking and painting are here; the model's part of the story is in :mod:`.classifier`, what goes to
disk in :mod:`.files`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar
from uuid import UUID

from psygnal import Signal, SignalInstance

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.errors import ImsTumorError, LabelsError
from napari_ims_tumor.io.imzml import open_imzml_job
from napari_ims_tumor.job import Job
from napari_ims_tumor.msi.arrays import LabelArray
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.mass_axis import MassWindow
from napari_ims_tumor.msi.overview import SlideOverview, survey
from napari_ims_tumor.session.autosave import Autosave, RecoveredStrokes
from napari_ims_tumor.session.averages import SessionAverages
from napari_ims_tumor.session.classifier import Classifier
from napari_ims_tumor.session.exports import SessionExports
from napari_ims_tumor.session.files import SessionFiles
from napari_ims_tumor.session.indexing import SlideIndexing
from napari_ims_tumor.session.ions import SessionIons
from napari_ims_tumor.session.jobs import JobListener, JobRunner, Lane, Report, Result
from napari_ims_tumor.session.kept_spectra import KeptSpectra
from napari_ims_tumor.session.labels_reading import LabelsQuestion
from napari_ims_tumor.session.slide_state import IonImage, PickedSpectrum, SlideState
from napari_ims_tumor.session.verification import Verification
from napari_ims_tumor.session.why import SessionWhy


class Session:
    """Open slides, what was painted on them, and one model.

    Parameters
    ----------
    runner
        Who drives long work.
    autosave
        Where strokes are kept; the user's own data folder by default.

    Attributes
    ----------
    picked
        (row, column, plane) last clicked on the active slide, also before another one was active;
        ``None`` before.
    """

    slide_opened = Signal(SlideState)
    slide_closed = Signal(SlideState)
    slide_surveyed = Signal(SlideState)
    slide_verified = Signal(SlideState)
    """The stated hash was compared; the slide's warnings tell if it does not hold."""
    active_changed = Signal(object)
    """The new active slide, or ``None``."""
    spectrum_picked = Signal(PickedSpectrum)
    nothing_picked = Signal(str)
    """Why a click showed no spectrum."""
    ion_shown = Signal(IonImage)
    ion_pinned = Signal(IonImage)
    ion_unpinned = Signal(SlideState)
    ions_combined = Signal(tuple)
    """Three ion images, to be seen as red, green and blue."""
    spectrum_averaged = Signal(object)
    """The mean of a painted class or a region: an ``AveragedSpectrum``."""
    peaks_found = Signal()
    """The active slide's peaks are known, or others are listed."""
    measure_changed = Signal(object)
    """By which ``IonMeasure`` ion images are made from now on."""
    annotation_changed = Signal(SlideState)
    labels_saved = Signal(SlideState)
    """A file of the user's own holds labels of the slide; painting may have gone on."""
    labels_asked = Signal(LabelsQuestion)
    """Labels in a file need an answer of the user's."""
    strokes_found = Signal(SlideState, RecoveredStrokes)
    fit_reported = Signal(object)
    fitted = Signal(object)
    """The new model: a ``FittedModel``."""
    predicted = Signal(SlideState)
    previewed = Signal(SlideState)
    """The slide with what is predicted of it so far; its own record stays as it is."""
    explained = Signal(object)
    """Why the model answers as it does: an ``Explained``."""
    not_explained = Signal(str)
    """Why nothing is explained."""
    job_reported = Signal(str, object)
    """(lane, report) of any job."""
    job_started = Signal(str)
    job_ended = Signal(str)
    session_saved = Signal(Path)
    session_opened = Signal(Path)
    noticed = Signal(str)
    """Something worth knowing; nothing is wrong."""
    failed = Signal(str)
    """What went wrong, in one message made for the user."""

    signals: ClassVar[tuple[str, ...]] = (
        "slide_opened", "slide_closed", "slide_surveyed", "slide_verified", "active_changed",
        "spectrum_picked", "nothing_picked", "ion_shown", "ion_pinned", "ion_unpinned",
        "ions_combined", "measure_changed", "spectrum_averaged", "peaks_found", "fit_reported",
        "annotation_changed", "labels_saved", "labels_asked", "strokes_found", "fitted",
        "predicted", "previewed", "explained", "not_explained", "job_reported", "job_started",
        "job_ended", "session_saved", "session_opened", "noticed", "failed",
    )  # fmt: skip

    def __init__(self, runner: JobRunner, autosave: Autosave | None = None) -> None:
        self.runner = runner
        self.slides: tuple[SlideState, ...] = ()
        self._active: UUID | None = None
        self.picked: tuple[int, int, int] | None = None
        self._picked: dict[UUID, tuple[int, int, int]] = {}
        self.classifier = Classifier(self)
        self.files = SessionFiles(self, autosave or Autosave())
        self.exports = SessionExports(self)
        self.ions = SessionIons(self)
        self.averages = SessionAverages(self)
        self.why = SessionWhy(self)
        self.indexing = SlideIndexing(self)
        self.kept_spectra = KeptSpectra(self)
        self.verification = Verification(self)

    # ---- slides -----------------------------------------------------------------------------

    @property
    def active(self) -> SlideState | None:
        """The slide that verbs act on; ``None`` when none is open."""
        return next((slide for slide in self.slides if slide.key == self._active), None)

    def open(self, path: Path) -> None:
        """Open an imzML slide; one that is open already becomes the active one."""
        known = self._slide_of(path)
        if known is not None:
            self.activate(known)
            return
        self.run("open", open_imzml_job(path), self.adopt)

    def adopt(self, dataset: MsiDataset, overview: SlideOverview | None = None) -> SlideState:
        """Take in a slide that somebody has opened: a napari reader, a simulation, a job."""
        known = next((s for s in self.slides if s.dataset is dataset), None)
        if known is not None:
            self.activate(known)
            return known
        slide = SlideState(dataset, Annotation.empty(dataset.pixels), overview)
        self.take_in(slide)
        if overview is None:
            self.run("survey", survey(dataset), lambda found: self._surveyed(slide.key, found))
        self.verification.go_on()
        return slide

    def take_in(self, slide: SlideState) -> None:
        """Add a slide with all that is known of it, and make it the active one."""
        self.slides = (*self.slides, slide)
        self._activate(slide.key)
        self.slide_opened.emit(slide)
        self.active_changed.emit(slide)
        if slide.overview is not None:
            self.ions.prepare(slide)
        self.files.look_for_strokes(slide)
        if slide.overview is not None:
            self.indexing.want(slide)

    def activate(self, slide: SlideState) -> None:
        """Make an open slide the active one."""
        if slide.key != self._active:
            self._activate(slide.key)
            self._tell_active()
            self.ions.renew()

    def close_slide(self, slide: SlideState) -> None:
        """Let a slide go; its unsaved strokes stay in the autosave folder."""
        current = self.current(slide)
        if current is None:
            return
        self.files.let_go(current)
        self.slides = tuple(s for s in self.slides if s.key != slide.key)
        self.ions.forget(slide)
        self.indexing.let_go(slide)
        if self._active == slide.key:
            self._activate(self.slides[-1].key if self.slides else None)
            self._tell_active()
        self._picked.pop(slide.key, None)
        self.slide_closed.emit(current)

    def reopen(self, slide: SlideState) -> None:
        """Read a slide's files again, after they were changed; its strokes are offered back."""
        path = slide.dataset.source
        if path is not None and self.current(slide) is not None:
            self.close_slide(slide)
            self.open(path)

    def current(self, slide: SlideState) -> SlideState | None:
        """Return the newest record of a slide; ``None`` once it is closed."""
        return next((s for s in self.slides if s.key == slide.key), None)

    def update(self, slide: SlideState, **changes: object) -> SlideState | None:
        """Replace a slide's record; ``None`` if it was closed meanwhile."""
        current = self.current(slide)
        if current is None:
            return None
        changed = current.with_(**changes)
        self.slides = tuple(changed if s.key == slide.key else s for s in self.slides)
        return changed

    # ---- look -------------------------------------------------------------------------------

    def pick(self, row: int, column: int, plane: int = 0) -> None:
        """Show the spectrum of one pixel of the active slide."""
        slide = self.active
        if slide is None:
            return
        self.picked = (row, column, plane)
        index = slide.dataset.pixels.index_at(row, column, plane)
        if index is None:
            self.nothing_picked.emit(f"Row {row}, column {column} was not measured.")
            return
        try:
            spectrum = slide.dataset.spectrum(index)
        except ImsTumorError as error:
            self.failed.emit(str(error))
            return
        self.spectrum_picked.emit(PickedSpectrum(slide, index, row, column, plane, spectrum))

    def show_ion(self, window: MassWindow) -> None:
        """Make the ion image of one m/z window of the active slide."""
        self.ions.show(window)

    def ion_of(self, slide: SlideState) -> MassWindow | None:
        """Which m/z window's ion image is shown of a slide."""
        return self.ions.shown(slide)

    # ---- paint ------------------------------------------------------------------------------

    def annotate(self, labels: LabelArray, slide: SlideState | None = None) -> None:
        """Take over what was painted; the same labels again change nothing."""
        current = self.active if slide is None else self.current(slide)
        if current is None:
            return
        if labels.shape != current.dataset.pixels.image_shape:
            raise LabelsError(
                f"labels of shape {labels.shape} do not fit the slide {current.name} of shape "
                f"{current.dataset.pixels.image_shape}: make them with the Annotate button"
            )
        if (labels == current.annotation.labels).all():
            return
        changed = self.update(current, annotation=current.annotation.changed_to(labels))
        if changed is not None:
            self.annotation_changed.emit(changed)

    # ---- jobs -------------------------------------------------------------------------------

    def run(
        self,
        lane: Lane,
        job: Job[Report, Result],
        on_result: Callable[[Result], object],
        on_report: Callable[[Report], object] | None = None,
    ) -> None:
        """Start a job whose reports and failures everybody may hear."""

        def report(value: Report) -> None:
            self.job_reported.emit(lane, value)
            if on_report is not None:
                on_report(value)

        def end() -> None:
            self.job_ended.emit(lane)

        self.job_started.emit(lane)
        self.runner.start(lane, job, JobListener(on_result, self.failed.emit, report, end))

    def close(self) -> None:
        """End all work and let the slides go; strokes stay in the autosave folder."""
        self.runner.close()
        self.files.close()
        self.kept_spectra.let_go()
        for name in self.signals:
            signal: SignalInstance = getattr(self, name)
            signal.disconnect()
        self.slides, self._active = (), None

    # ---- inside -----------------------------------------------------------------------------

    def _activate(self, key: UUID | None) -> None:
        if self._active is not None and self.picked is not None:
            self._picked[self._active] = self.picked
        self._active, self.picked = key, None if key is None else self._picked.get(key)

    def _tell_active(self) -> None:
        """Say which slide is active, and which of its pixels was clicked before."""
        self.active_changed.emit(self.active)
        if self.picked is not None:
            self.pick(*self.picked)

    def _slide_of(self, path: Path) -> SlideState | None:
        wanted = path.resolve().with_suffix("")
        sources = ((s, s.dataset.source) for s in self.slides)
        return next((s for s, p in sources if p and p.resolve().with_suffix("") == wanted), None)

    def _surveyed(self, key: UUID, overview: SlideOverview) -> None:
        slide = next((s for s in self.slides if s.key == key), None)
        if slide is not None and (changed := self.update(slide, overview=overview)) is not None:
            self.slide_surveyed.emit(changed)
            self.ions.prepare(changed)
            self.indexing.want(changed)
            self.verification.go_on()
