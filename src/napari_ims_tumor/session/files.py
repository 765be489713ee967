"""What the session puts on disk and takes from there: labels, models, itself, unsaved strokes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_ims_tumor.errors import ImsTumorError, LabelsError
from napari_ims_tumor.io.annotation_file import write_labels
from napari_ims_tumor.io.image_file import write_planes
from napari_ims_tumor.session.autosave import Autosave, RecoveredStrokes
from napari_ims_tumor.session.jobs import one_step
from napari_ims_tumor.session.labels_reading import LabelsQuestion, LabelsRead, labels_job
from napari_ims_tumor.session.reopening import MissingSlide, Reopened, open_session_job, swap_in
from napari_ims_tumor.session.slide_state import SlideState
from napari_ims_tumor.session.snapshot import Snapshot, save_session_job
from napari_ims_tumor.session.views import Views

if TYPE_CHECKING:
    from napari_ims_tumor.io.geojson import LabelsImport
    from napari_ims_tumor.model.fitted_model import FittedModel
    from napari_ims_tumor.session.session import Session


class SessionFiles:
    """Reads and writes for a session; values are built first and swapped in last.

    Attributes
    ----------
    views
        How the session is looked at, by whom.
    session_path
        The session file that was saved or opened last; ``None`` before.
    on_missing
        Who asks the user where a slide is; it then calls :meth:`open_session` again with the place.
        Without it, a slide that is not found is a failure.
    """

    def __init__(self, session: Session, autosave: Autosave) -> None:
        self._session = session
        self._autosave = autosave
        self._kept: dict[object, int] = {}
        self._complained: dict[object, int] = {}
        self.views = Views()
        self.session_path: Path | None = None
        self._saved_content: object = None
        self.on_missing: Callable[[MissingSlide], object] | None = None

    # ---- labels -----------------------------------------------------------------------------

    def save_labels(self, path: Path) -> None:
        """Write the active slide's labels: an image, or outlines for QuPath."""
        slide = self._session.active
        if slide is None:
            return

        def write() -> Path:
            write_labels(path, slide.annotation, slide.dataset.pixels)
            return path

        self._session.run("file", one_step("Saving labels", write), lambda p: self._saved(slide, p))

    def load_labels(
        self, path: Path, how: LabelsImport | None = None, slide: SlideState | None = None
    ) -> None:
        """Read labels onto the active slide; refused with both shapes when they do not fit.

        Where annotations have classes that are not known, whoever listens is asked first.
        """
        onto = slide or self._session.active
        if onto is None:
            return

        def loaded(read: LabelsRead) -> None:
            if read.is_open and len(self._session.labels_asked):
                self._session.labels_asked.emit(LabelsQuestion(onto, path, read, how))
            else:
                self._take_labels(onto, read)

        self._session.run("file", labels_job(path, onto, how), loaded)

    def _take_labels(self, slide: SlideState, read: LabelsRead) -> None:
        try:
            annotation = read.labels()
        except LabelsError as error:
            self._session.failed.emit(str(error))
            return
        self._put_aside(slide)
        self._session.annotate(annotation.labels, slide)
        if read.notices:
            self._session.noticed.emit("\n".join(read.notices))
        self.look_for_strokes(slide)

    # ---- models and predictions -------------------------------------------------------------

    def save_model(self, path: Path) -> None:
        """Write the model as one safetensors file."""
        from napari_ims_tumor.model.checkpoint import write_model

        model = self._session.classifier.model
        if model is None:
            self._session.failed.emit("There is no model to save: fit one first.")
            return

        def write() -> Path:
            write_model(path, model)
            return path

        self._session.run("file", one_step("Saving the model", write), self._say_saved)

    def load_model(self, path: Path) -> None:
        """Read a model and make it the session's."""
        from napari_ims_tumor.model.checkpoint import read_model

        def loaded(model: FittedModel) -> None:
            self._session.classifier.take(model)
            self._session.noticed.emit(f"Opened the model {path.name}.")

        job = one_step("Reading the model", lambda: read_model(path))
        self._session.run("file", job, loaded)

    def save_prediction(self, path: Path) -> None:
        """Write the active slide's class probabilities as .npy or .ome.tif."""
        slide = self._session.active
        if slide is None or slide.prediction is None:
            self._session.failed.emit("There is no prediction to save: predict first.")
            return
        prediction, pixels = slide.prediction, slide.dataset.pixels

        def write() -> Path:
            about = prediction.about()
            write_planes(path, prediction.probabilities, prediction.class_names, pixels, about)
            return path

        self._session.run("file", one_step("Saving the prediction", write), self._say_saved)

    # ---- sessions ---------------------------------------------------------------------------

    def save_session(self, path: Path) -> None:
        """Write everything but the slides' own data into one file that reopens the same picture."""
        if not self._session.slides:
            self._session.failed.emit("There is no session to save: open a slide first.")
            return
        job = save_session_job(Snapshot.of(self._session, self.views.capture()), path)
        self._session.run("file", job, lambda saved: self._session_saved(saved, path))

    def why_not_open_session(self) -> str | None:
        """Say in one sentence why no session can be opened now; ``None`` when one can."""
        if self._session.runner.is_busy("fit"):
            return "A fit is running: wait for it or stop it before another session is opened."
        return None

    def open_session(self, path: Path, places: Sequence[Path] = ()) -> None:
        """Open a session file in the place of what is open; nothing changes until all is there.

        Parameters
        ----------
        path
            The session file.
        places
            Files or folders where slides may be that were moved.
        """
        reason = self.why_not_open_session()
        if reason is not None:
            self._session.failed.emit(reason)
            return
        self._session.run("file", open_session_job(path, places), self._session_read)

    def _session_read(self, made: Reopened | MissingSlide) -> None:
        if isinstance(made, MissingSlide):
            ask = self.on_missing or (lambda missing: self._session.failed.emit(missing.message))
            ask(made)
            return
        reason = self.why_not_open_session()
        if reason is not None:
            # A fit was begun meanwhile: its model would be lost.
            self._session.failed.emit(reason)
            return
        swap_in(self._session, made)
        self.views.restore(made.stored.view)
        self._note_saved(made.path)
        self._session.session_opened.emit(made.path)
        for notice in made.notices:
            self._session.noticed.emit(notice)

    @property
    def is_as_saved(self) -> bool:
        """Whether the session file holds all there is; how it is looked at does not count."""
        return self._saved_content == Snapshot.of(self._session, {}).content()

    def _note_saved(self, path: Path, saved: Snapshot | None = None) -> None:
        self.session_path = path
        self._saved_content = (saved or Snapshot.of(self._session, {})).content()

    def _session_saved(self, saved: Snapshot, path: Path) -> None:
        for slide in saved.slides:
            self._mark_saved(slide, path)
        # Painting may have gone on while the file was written.
        self._note_saved(path, saved)
        self._session.session_saved.emit(path)

    # ---- unsaved strokes --------------------------------------------------------------------

    def _put_aside(self, slide: SlideState) -> None:
        """Keep unsaved strokes that a file is about to replace: they are offered back at once."""
        self.autosave_now()
        self._autosave.leave(slide.dataset)

    def look_for_strokes(self, slide: SlideState) -> None:
        """Offer strokes back that an earlier window left unsaved."""
        found = self._autosave.find(slide.dataset)
        if found is not None:
            self._session.strokes_found.emit(slide, found)

    def recover(self, slide: SlideState, found: RecoveredStrokes) -> None:
        """Paint found strokes onto the slide again; its own strokes win where both painted."""
        current = self._session.current(slide)
        if current is None:
            return
        labels = found.annotation.labels.copy()
        painted = current.annotation.labels > 0
        labels[painted] = current.annotation.labels[painted]
        self._session.annotate(labels, current)
        self.autosave_now()
        self._autosave.discard(found)

    def discard(self, found: RecoveredStrokes) -> None:
        """Throw found strokes away, as the user decided."""
        self._autosave.discard(found)

    def let_go(self, slide: SlideState) -> None:
        """Keep the unsaved strokes of a slide that is closed for whoever opens it next."""
        self.autosave_now()
        self._kept.pop(slide.key, None)
        self._autosave.leave(slide.dataset)

    def close(self) -> None:
        """Keep all unsaved strokes for the next session."""
        self.autosave_now()
        self._autosave.close()

    def autosave_now(self) -> None:
        """Keep a copy of every slide's unsaved strokes; call it every few seconds."""
        for slide in self._session.slides:
            revision = slide.annotation.revision
            if revision == self._kept.get(slide.key, 0):
                continue
            try:
                self._keep(slide)
            except (OSError, ImsTumorError) as error:
                self._complain(slide, error)
            else:
                self._kept[slide.key] = revision

    def _complain(self, slide: SlideState, error: Exception) -> None:
        """Say once per change that strokes are not safe; every later autosave tries again."""
        revision = slide.annotation.revision
        if self._complained.get(slide.key) != revision:
            self._complained[slide.key] = revision
            self._session.failed.emit(
                f"The strokes on {slide.name} could not be autosaved ({error}). "
                "Save the labels to a place of your own now."
            )

    def _keep(self, slide: SlideState) -> None:
        saved = slide.saved_revision == slide.annotation.revision
        if saved or not slide.annotation.labels.any():
            self._autosave.forget(slide.dataset)
        else:
            self._autosave.write(slide.dataset, slide.annotation)

    def _saved(self, slide: SlideState, path: Path) -> None:
        self._mark_saved(slide, path)
        self._say_saved(path)

    def _mark_saved(self, slide: SlideState, path: Path) -> None:
        revision = slide.annotation.revision
        self._session.update(slide, labels_path=path, saved_revision=revision)
        current = self._session.current(slide)
        if current is not None and current.annotation.revision == revision:
            self._autosave.forget(slide.dataset)
            self._kept[slide.key] = revision
        if current is not None:
            self._session.labels_saved.emit(current)

    def _say_saved(self, path: Path) -> None:
        self._session.noticed.emit(f"Saved {path.name} in the folder {path.parent.name}.")
