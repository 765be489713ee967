"""A session at one moment, on its way into a session file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from napari_ims_tumor.errors import SessionFileError
from napari_ims_tumor.io.imzml import ImzmlDataset
from napari_ims_tumor.io.session_file import (
    SlideAddress,
    StoredPrediction,
    StoredSession,
    StoredSlide,
    address_of,
    write_session,
)
from napari_ims_tumor.job import Job, Progress
from napari_ims_tumor.msi.ion_measure import IonMeasure, IonQuery
from napari_ims_tumor.msi.mass_axis import MassWindow
from napari_ims_tumor.msi.synthetic.in_memory import InMemoryDataset
from napari_ims_tumor.session.slide_state import SlideState

if TYPE_CHECKING:
    from napari_ims_tumor.model.fitted_model import FittedModel
    from napari_ims_tumor.model.fitting import EpochReport
    from napari_ims_tumor.session.session import Session


@dataclass(frozen=True, eq=False)
class Snapshot:
    """All that a session file shall hold: painting on while it is written changes nothing here.

    Attributes
    ----------
    measure
        By which ion images are made.
    ions
        The shown m/z window of each slide.
    pins, combined
        The ion images of each slide that are pinned, and those that are red, green and blue.
    view
        How it is looked at, JSON-able.
    """

    slides: tuple[SlideState, ...]
    active: SlideState | None
    picked: tuple[int, int, int] | None
    measure: IonMeasure
    ions: tuple[MassWindow | None, ...]
    pins: tuple[tuple[IonQuery, ...], ...]
    combined: tuple[tuple[IonQuery, ...], ...]
    model: FittedModel | None
    fitted_revisions: tuple[int | None, ...]
    fit_log: tuple[EpochReport, ...]
    view: Mapping[str, Any]

    @classmethod
    def of(cls, session: Session, view: Mapping[str, Any]) -> Snapshot:
        """Take hold of a session as it is now."""
        fitted_to = session.classifier.fitted_to
        return cls(
            slides=session.slides,
            active=session.active,
            picked=session.picked,
            measure=session.ions.measure,
            ions=tuple(session.ion_of(slide) for slide in session.slides),
            pins=tuple(session.ions.pins(slide) for slide in session.slides),
            combined=tuple(session.ions.combined(slide) for slide in session.slides),
            model=session.classifier.model,
            fitted_revisions=tuple(fitted_to.get(slide.key) for slide in session.slides),
            fit_log=session.classifier.log,
            view=view,
        )

    def content(self) -> object:
        """What makes a session another one, to be compared."""
        slides = ((s.key, s.annotation.revision, id(s.prediction)) for s in self.slides)
        return tuple(slides), id(self.model)


def save_session_job(snapshot: Snapshot, path: Path) -> Job[Progress, Snapshot]:
    """Write a session file."""
    yield Progress("Saving the session")
    slides: list[StoredSlide] = []
    for number, slide in enumerate(snapshot.slides):
        made = StoredSlide(
            address=(yield from _address(slide, path)),
            annotation=slide.annotation,
            prediction=_prediction(slide),
            ion=snapshot.ions[number],
            pins=snapshot.pins[number],
            combined=snapshot.combined[number],
            fitted_revision=snapshot.fitted_revisions[number],
        )
        slides.append(made)
    keys = [slide.key for slide in snapshot.slides]
    stored = StoredSession(
        slides=tuple(slides),
        active=-1 if snapshot.active is None else keys.index(snapshot.active.key),
        picked=snapshot.picked,
        model=_model(snapshot.model),
        fit_log=tuple(_entry(report) for report in snapshot.fit_log),
        view=snapshot.view,
        measure=snapshot.measure,
    )
    write_session(path, stored)
    return snapshot


def _address(slide: SlideState, path: Path) -> Job[Progress, SlideAddress]:
    if isinstance(slide.dataset, ImzmlDataset):
        return (yield from address_of(slide.dataset, path))
    if isinstance(slide.dataset, InMemoryDataset) and slide.dataset.origin is not None:
        recipe = slide.dataset.origin.as_dict()
        return SlideAddress(slide.name, sha256=slide.dataset.digest(), recipe=recipe)
    raise SessionFileError(
        f"{slide.name} lies in no file, so a session could not find it again: write it as .imzML, "
        "or close it"
    )


def _prediction(slide: SlideState) -> StoredPrediction | None:
    made = slide.prediction
    if made is None:
        return None
    return StoredPrediction(
        probabilities=made.probabilities,
        class_names=made.class_names,
        calibrated=made.calibrated,
        model_id=made.model_id,
        annotation_revision=made.annotation_revision,
        disagreement=made.disagreement,
        unfamiliarity=made.unfamiliarity,
        alone=made.alone,
        answers=() if made.answers is None else made.answers.as_points(),
        labels_revision=slide.prediction_revision,
    )


def _model(model: FittedModel | None) -> bytes | None:
    if model is None:
        return None
    from napari_ims_tumor.model.checkpoint import model_bytes

    return model_bytes(model)


def _entry(report: EpochReport) -> dict[str, Any]:
    return {name: value for name, value in asdict(report).items() if name not in NEWS}


NEWS: Final = ("preview", "seconds_left", "device")
"""What a report says of the moment only."""
