"""Verifies the hash of each opened slide in the background, after everything somebody waits for."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING
from uuid import UUID

from napari_ims_tumor.errors import SlideError
from napari_ims_tumor.io.imzml import HashCheck, ImzmlDataset, verify_job
from napari_ims_tumor.job import Job, JobStopped, Progress

if TYPE_CHECKING:
    from napari_ims_tumor.session.jobs import Lane
    from napari_ims_tumor.session.session import Session
    from napari_ims_tumor.session.slide_state import SlideState

URGENT: tuple[Lane, ...] = ("open", "survey", "index")
"""What needs the same file, and comes first."""


class Verification:
    """Takes one slide after the other; those that state no hash are left out."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._waiting: deque[UUID] = deque()
        self._current: UUID | None = None
        session.slide_opened.connect(self._ask)
        session.slide_closed.connect(self._forget)
        session.session_opened.connect(self.go_on)
        session.job_ended.connect(self._ended)

    def stop(self) -> None:
        """End what runs, and leave out the slides that wait."""
        self._waiting.clear()
        self._session.runner.stop("verify")

    def go_on(self, _: object = None) -> None:
        """Begin the next slide, unless somebody waits for something else."""
        runner = self._session.runner
        if self._current is not None or any(runner.is_busy(lane) for lane in URGENT):
            return
        while self._waiting:
            slide = self._slide(self._waiting.popleft())
            if slide is not None and isinstance(slide.dataset, ImzmlDataset):
                self._begin(slide, slide.dataset)
                return

    # ---- inside -----------------------------------------------------------------------------

    def _ask(self, slide: SlideState) -> None:
        if isinstance(slide.dataset, ImzmlDataset) and slide.dataset.checksums:
            self._waiting.append(slide.key)

    def _forget(self, slide: SlideState) -> None:
        if slide.key == self._current:
            self._session.runner.stop("verify")

    def _ended(self, lane: str) -> None:
        if lane == "verify":
            self._current = None
        if lane in ("verify", "index"):
            self.go_on()

    def _begin(self, slide: SlideState, dataset: ImzmlDataset) -> None:
        self._current = slide.key
        self._session.run("verify", self._job(slide, dataset), lambda c: self._told(slide.key, c))

    def _job(
        self, slide: SlideState, dataset: ImzmlDataset
    ) -> Job[Progress, tuple[HashCheck, ...]]:
        try:
            return (yield from verify_job(dataset))
        except SlideError:
            # A slide that was closed meanwhile cannot be read any more, and nobody asks.
            if self._slide(slide.key) is None:
                raise JobStopped("the slide was closed") from None
            raise

    def _told(self, key: UUID, checks: tuple[HashCheck, ...]) -> None:
        slide = self._slide(key)
        if slide is None:
            return
        self._session.slide_verified.emit(slide)
        for check in checks:
            if not check.holds:
                self._session.noticed.emit(f"{slide.name}: {check.note}")

    def _slide(self, key: UUID) -> SlideState | None:
        return next((slide for slide in self._session.slides if slide.key == key), None)
