"""Makes ion images of open slides instantaneous, one slide after the other, in the background."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable
from uuid import UUID

from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.job import Job, JobStopped, Progress
from napari_ims_tumor.session.slide_state import SlideState

if TYPE_CHECKING:
    from napari_ims_tumor.session.session import Session


@runtime_checkable
class Indexable(Protocol):
    """A slide for which an index can be built."""

    def index_job(self) -> Job[Progress, str] | None:
        """Return the job, which returns a note or nothing; ``None`` where none is needed."""


class SlideIndexing:
    """Gives every slide its turn; nobody waits for it, and what fails is not missed."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._waiting: list[UUID] = []
        self._running: UUID | None = None
        self._said: set[str] = set()
        session.job_ended.connect(self._ended)

    def want(self, slide: SlideState) -> None:
        """Let a slide have its turn."""
        if isinstance(slide.dataset, Indexable):
            self._waiting.append(slide.key)
            self._start_next()

    def stop(self, *_: object) -> None:
        """End the job that runs, and forget those that wait: images are made as before."""
        self._waiting.clear()
        self._session.runner.stop("index")

    def let_go(self, slide: SlideState) -> None:
        """Forget a slide that is closed."""
        self._waiting = [key for key in self._waiting if key != slide.key]
        if self._running == slide.key:
            self._session.runner.stop("index")

    def _start_next(self) -> None:
        while self._running is None and self._waiting:
            key = self._waiting.pop(0)
            slide = next((s for s in self._session.slides if s.key == key), None)
            job = slide.dataset.index_job() if slide is not None else None  # type: ignore[attr-defined]
            if slide is not None and job is not None:
                self._running = key
                self._session.run("index", self._job(slide, job), self._note)

    def _job(self, slide: SlideState, job: Job[Progress, str]) -> Job[Progress, str]:
        try:
            return (yield from job)
        except ImsTumorError as error:
            if self._session.current(slide) is None:
                raise JobStopped("the slide was closed") from error
            raise

    def _note(self, note: str) -> None:
        """Say what cannot be kept, once."""
        if note and note not in self._said:
            self._said.add(note)
            self._session.noticed.emit(note)

    def _ended(self, lane: str) -> None:
        if lane == "index":
            self._running = None
            self._start_next()
