"""A saved session on its way back: all values are built first, and swapped in last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_ims_tumor.errors import SessionFileError, SlideError
from napari_ims_tumor.io.imzml import ImzmlDataset, open_imzml_job
from napari_ims_tumor.io.session_file import (
    SlideAddress,
    StoredPrediction,
    StoredSession,
    StoredSlide,
    change_of,
    is_other_slide,
    not_found,
    places_of,
    read_session,
)
from napari_ims_tumor.job import Job, Progress
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.ion_measure import IonQuery
from napari_ims_tumor.msi.overview import survey
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset
from napari_ims_tumor.msi.synthetic.origin import SlideOrigin
from napari_ims_tumor.msi.synthetic.slide import simulate_slide
from napari_ims_tumor.session.ions import images_of
from napari_ims_tumor.session.slide_state import IonImage, SlideState
from napari_ims_tumor.session.snapshot import NEWS

if TYPE_CHECKING:
    from napari_ims_tumor.model.fitted_model import FittedModel
    from napari_ims_tumor.model.fitting import EpochReport
    from napari_ims_tumor.model.prediction import Prediction
    from napari_ims_tumor.session.session import Session


@dataclass(frozen=True)
class MissingSlide:
    """A slide of a session that is not where it was; somebody may know where it is.

    Attributes
    ----------
    places
        Where it was looked for beside the places that the session knows.
    message
        One sentence: which slide, and where it was last.
    """

    session_file: Path
    name: str
    last_place: str
    places: tuple[Path, ...]
    message: str


@dataclass(frozen=True, eq=False)
class Reopened:
    """A session that is complete and waits to be swapped in.

    Attributes
    ----------
    ions
        The ion images that were shown, at most one per slide.
    pins, combined
        Per slide, the ion images that were pinned, and those that were red, green and blue.
    notices
        What was found to be different, one sentence each.
    """

    path: Path
    stored: StoredSession
    slides: tuple[SlideState, ...]
    ions: tuple[IonImage, ...]
    pins: tuple[tuple[IonImage, ...], ...]
    combined: tuple[tuple[IonImage, ...], ...]
    model: FittedModel | None
    fit_log: tuple[EpochReport, ...]
    notices: tuple[str, ...]


def open_session_job(
    path: Path, places: Sequence[Path] = ()
) -> Job[Progress, Reopened | MissingSlide]:
    """Read a session file and open its slides.

    Parameters
    ----------
    path
        The session file.
    places
        Files or folders where slides may be that are not where they were.

    Returns
    -------
    Reopened or MissingSlide
        All of it, or the first slide that is not found: nothing is open then.

    Raises
    ------
    ImsTumorError
        One sentence: the file is not sound, or a slide cannot be read or does not fit.
    """
    yield Progress("Reading the session")
    stored = read_session(path)
    model, log = _model(stored, path), _log(stored, path)
    with ExitStack() as opened:
        datasets: list[MsiDataset] = []
        for slide in stored.slides:
            if slide.address.recipe is not None:
                datasets.append((yield from _simulate(slide.address)))
                continue
            found = yield from _find(slide.address, path, places, datasets)
            if isinstance(found, MissingSlide):
                return found
            opened.callback(found.close)
            datasets.append(found)
        made = yield from _build(path, stored, datasets, model, log)
        opened.pop_all()
        return made


def swap_in(session: Session, made: Reopened) -> None:
    """Put a complete session in the place of the one that is open; its unsaved strokes are kept."""
    for slide in session.slides:
        session.close_slide(slide)
    revisions = {
        slide.key: stored.fitted_revision
        for slide, stored in zip(made.slides, made.stored.slides, strict=True)
        if stored.fitted_revision is not None
    }
    session.classifier.reopen(made.model, revisions, made.fit_log)
    session.ions.take_measure(made.stored.measure)
    for slide in made.slides:
        session.take_in(slide)
        session.annotation_changed.emit(slide)
        if slide.prediction is not None:
            session.predicted.emit(slide)
    for ion in made.ions:
        session.ions.show_made(ion)
    for pins, combined in zip(made.pins, made.combined, strict=True):
        for pin in pins:
            session.ions.pin_made(pin)
        session.ions.combine_made(combined)
    if made.stored.active >= 0:
        session.activate(made.slides[made.stored.active])
    if made.stored.picked is not None:
        session.pick(*made.stored.picked)


def _simulate(address: SlideAddress) -> Job[Progress, MsiDataset]:
    """Make a simulated slide again."""
    yield Progress(f"Simulating {address.name}")
    origin = SlideOrigin.from_dict(address.recipe or {})
    return simulate_slide(origin.recipe, origin.number, origin.batch, origin.name).dataset


def _find(
    address: SlideAddress, path: Path, places: Sequence[Path], others: Sequence[MsiDataset]
) -> Job[Progress, ImzmlDataset | MissingSlide]:
    """Open the first file that is the slide."""
    wrong: dict[Path, str] = {}
    for place in places_of(address, path, places):
        dataset = yield from open_imzml_job(place)
        reason = is_other_slide(address, dataset)
        if reason is None:
            return dataset
        wrong[place] = reason
        dataset.close()
    # A file that somebody named for another slide of the session is no news here.
    known = {other.source for other in others}
    reasons = [reason for place, reason in wrong.items() if place not in known]
    message = reasons[-1] if reasons else not_found(address, path)
    return MissingSlide(path, address.name, address.absolute, tuple(places), message)


def _build(
    path: Path,
    stored: StoredSession,
    datasets: Sequence[MsiDataset],
    model: FittedModel | None,
    log: tuple[EpochReport, ...],
) -> Job[Progress, Reopened]:
    slides: list[SlideState] = []
    ions: list[IonImage] = []
    kept: list[tuple[tuple[IonImage, ...], tuple[IonImage, ...]]] = []
    notices: list[str] = []
    for one, dataset in zip(stored.slides, datasets, strict=True):
        slide = yield from _slide(one, dataset, path)
        slides.append(slide)
        change = yield from _change(one.address, dataset)
        notices += [change] if change else []
        yield Progress("Ion images")
        if one.ion is not None:
            ions += images_of(slide, (IonQuery(one.ion, stored.measure),))
        kept.append((images_of(slide, one.pins), images_of(slide, one.combined)))
    pins, combined = tuple(pair[0] for pair in kept), tuple(pair[1] for pair in kept)
    return Reopened(
        path, stored, tuple(slides), tuple(ions), pins, combined, model, log, tuple(notices)
    )


def _change(address: SlideAddress, dataset: MsiDataset) -> Job[Progress, str | None]:
    """Say in one sentence that a slide is not what it was when the session was saved."""
    if isinstance(dataset, ImzmlDataset):
        return (yield from change_of(address, dataset))
    if isinstance(dataset, InMemoryDataset) and dataset.digest() != address.sha256:
        return (
            f"{dataset.name} is simulated otherwise than when the session was saved: labels and "
            "prediction may not belong to what is shown."
        )
    return None


def _slide(one: StoredSlide, dataset: MsiDataset, path: Path) -> Job[Progress, SlideState]:
    shape, labels = dataset.pixels.image_shape, one.annotation.labels
    if labels.shape != shape:
        raise SlideError(
            f"{dataset.source}: its images have the shape {shape}, those in {path.name} "
            f"{labels.shape}: it is another slide, or was exported anew"
        )
    overview = yield from survey(dataset)
    made = one.prediction
    return SlideState(
        dataset=dataset,
        annotation=one.annotation,
        overview=overview,
        prediction=None if made is None else _prediction(made),
        prediction_revision=None if made is None else made.labels_revision,
        labels_path=path,
        saved_revision=one.annotation.revision,
    )


def _prediction(made: StoredPrediction) -> Prediction:
    from napari_ims_tumor.model.abstention import AnswerCurve
    from napari_ims_tumor.model.prediction import Prediction

    return Prediction(
        probabilities=made.probabilities,
        class_names=made.class_names,
        calibrated=made.calibrated,
        model_id=made.model_id,
        annotation_revision=made.annotation_revision,
        disagreement=made.disagreement,
        unfamiliarity=made.unfamiliarity,
        alone=made.alone,
        answers=AnswerCurve.from_points(made.answers),
    )


def _model(stored: StoredSession, path: Path) -> FittedModel | None:
    if stored.model is None:
        return None
    from napari_ims_tumor.model.checkpoint import model_from_bytes

    return model_from_bytes(stored.model, f"the model in {path.name}")


def _log(stored: StoredSession, path: Path) -> tuple[EpochReport, ...]:
    if not stored.fit_log:
        return ()
    from napari_ims_tumor.model.fitting import EpochReport

    known = {field.name: type(field.default) for field in fields(EpochReport)}

    def report(entry: Mapping[str, Any]) -> EpochReport:
        said = {name: value for name, value in entry.items() if name in known and name not in NEWS}
        for name, value in said.items():
            kinds = (int, float, type(None)) if known[name] is type(None) else (known[name],)
            if name != "phase" and type(value) not in kinds:
                raise TypeError(f"{name} is {value!r}")
        return EpochReport(**{**said, "phase": str(said["phase"])})

    try:
        return tuple(report(entry) for entry in stored.fit_log)
    except (KeyError, TypeError, ValueError) as error:
        raise SessionFileError(f"{path.name}: the curves of the fit are damaged") from error
