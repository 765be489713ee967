"""Keeps the spectra of the slide that is worked with ready for the next fit."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.job import Job, JobStopped, Progress
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.memory_budget import MemoryBudget
from napari_ims_tumor.session.slide_state import SlideState

if TYPE_CHECKING:
    from napari_ims_tumor.msi.mass_axis import MassAxis
    from napari_ims_tumor.session.session import Session


class KeptSpectra:
    """Bins a slide once somebody paints on it: what *Fit* would have to wait for.

    In the background, while the strokes are painted. A fit does not wait for it: it takes what is
    there, and reads the rest.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._asked: UUID | None = None
        session.annotation_changed.connect(self._painted)
        session.slide_closed.connect(self._closed)

    def stop(self) -> None:
        """End what runs; what was read stays."""
        self._session.runner.stop("spectra")

    def let_go(self) -> None:
        """Give the memory back."""
        from napari_ims_tumor.msi.binning import let_bins_go

        for slide in self._session.slides:
            let_bins_go(slide.dataset)
        self._asked = None

    # ---- inside -----------------------------------------------------------------------------

    def _painted(self, slide: SlideState) -> None:
        active = self._session.active
        if active is None or active.key != slide.key or self._asked == slide.key:
            return
        if not slide.annotation.labels.any() or self._session.runner.is_busy("fit"):
            return
        self._asked = slide.key
        painted = [s.dataset for s in self._session.slides if s.annotation.labels.any()]
        self._session.run("spectra", self._job(slide, painted), lambda _: None)

    def _job(self, slide: SlideState, painted: list[MsiDataset]) -> Job[Progress, None]:
        try:
            yield from prepare_job(slide.dataset, painted)
        except (ImsTumorError, OSError) as error:
            # Nobody asked for this. A fit meets the same fault, and says it.
            raise JobStopped("nothing is kept of this slide") from error

    def _closed(self, slide: SlideState) -> None:
        from napari_ims_tumor.msi.binning import let_bins_go

        if self._asked == slide.key:
            self.stop()
            self._asked = None
        let_bins_go(slide.dataset)


def prepare_job(dataset: MsiDataset, painted: list[MsiDataset]) -> Job[Progress, None]:
    """Bin a slide on the axis that a fit of the painted slides has, and keep it."""
    yield Progress("Preparing fits")
    from napari_ims_tumor.cohort.common_axis import common_axis
    from napari_ims_tumor.msi.binning import bins_job

    axis = common_axis(painted)
    keep(dataset, axis)
    yield from bins_job(dataset, axis)


def keep(dataset: MsiDataset, axis: MassAxis) -> None:
    """Keep what is binned of a slide from now on, where there is room for it."""
    from napari_ims_tumor.msi.binning import keep_bins

    keep_bins(dataset, axis, MemoryBudget.usual().of_kept_bins)
