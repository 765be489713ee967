"""Ion images of a session: the one that is shown, those that are pinned, three in one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final
from uuid import UUID

from napari_ims_tumor.job import STOP, Job, JobStopped, Progress
from napari_ims_tumor.msi.ion_measure import PLAIN, IonMeasure, IonQuery, measured_images
from napari_ims_tumor.msi.mass_axis import MassWindow
from napari_ims_tumor.msi.mean_spectrum import MeanAndMax
from napari_ims_tumor.msi.normalization import factors_of
from napari_ims_tumor.msi.peak_table import NO_PEAKS, PeakTable, PickedFrom, pick_table
from napari_ims_tumor.session.jobs import one_step
from napari_ims_tumor.session.slide_state import IonImage, SlideState

if TYPE_CHECKING:
    from napari_ims_tumor.session.session import Session

MOST_PINS: Final = 10
"""More layers than these would slow every step of the viewer, and nobody compares more."""
CHANNELS: Final = ("red", "green", "blue")


class SessionIons:
    """Makes ion images for a session and knows which ones there are.

    Attributes
    ----------
    measure
        By which new ion images are made, of every slide.
    picked_from
        The spectrum whose peaks are listed and stepped through.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.measure = PLAIN
        self.picked_from: PickedFrom = "mean"
        self._of_max: dict[UUID, PeakTable] = {}
        self._shown: dict[UUID, IonQuery] = {}
        self._pins: dict[UUID, tuple[IonQuery, ...]] = {}
        self._combined: dict[UUID, tuple[IonQuery, ...]] = {}

    # ---- the one that is shown --------------------------------------------------------------

    def show(self, window: MassWindow) -> None:
        """Make the ion image of one m/z window of the active slide."""
        slide = self._session.active
        if slide is not None:
            job = _images(slide, (IonQuery(window, self.measure),))
            self._session.run("ion", job, lambda made: self.show_made(made[0]))

    def show_made(self, shown: IonImage) -> None:
        """Show an ion image that was made already; nothing if its slide is closed."""
        if self._session.current(shown.slide) is not None:
            self._shown[shown.slide.key] = shown.query
            self._session.ion_shown.emit(shown)

    def shown(self, slide: SlideState) -> MassWindow | None:
        """Which m/z window's ion image is shown of a slide."""
        query = self._shown.get(slide.key)
        return None if query is None else query.window

    def measure_by(self, measure: IonMeasure) -> None:
        """Make ion images by another measure from now on; the shown one too."""
        if measure == self.measure:
            return
        slides = self._session.slides
        job = _prepared(slides, measure)
        self._session.run("measure", job, lambda _: self.take_measure(measure))

    def take_measure(self, measure: IonMeasure) -> None:
        """Take over a measure whose factors are known."""
        self.measure = measure
        self._session.measure_changed.emit(measure)
        self.renew()

    def prepare(self, slide: SlideState) -> None:
        """Bring a slide that was just opened up to a measure that was taken before."""
        measure = self.measure
        if measure != PLAIN:
            job = _prepared((slide,), measure)
            self._session.run("measure", job, lambda _: self.take_measure(measure))

    def renew(self) -> None:
        """Make the active slide's shown ion image anew, if another measure was taken since."""
        slide = self._session.active
        query = None if slide is None else self._shown.get(slide.key)
        if query is not None and query.measure != self.measure:
            self.show(query.window)

    # ---- peaks ------------------------------------------------------------------------------

    def peaks(self, slide: SlideState) -> PeakTable:
        """Picked peaks of a slide; none before its first reading."""
        overview = slide.overview
        if overview is None:
            return NO_PEAKS
        return (
            overview.peaks if self.picked_from == "mean" else self._of_max.get(slide.key, NO_PEAKS)
        )

    def pick_from(self, spectrum: PickedFrom) -> None:
        """List the peaks of the mean or of the maximum spectrum."""
        self.picked_from = spectrum
        self.look_for_peaks()

    def look_for_peaks(self) -> None:
        """Pick the active slide's peaks, if that was not done yet."""
        slide = self._session.active
        known = slide is None or slide.overview is None or slide.key in self._of_max
        if slide is None or slide.overview is None or known or self.picked_from == "mean":
            self._session.peaks_found.emit()
            return
        pair, key = MeanAndMax(slide.overview.mean, slide.overview.max), slide.key

        def found(table: PeakTable) -> None:
            self._of_max[key] = table
            self._session.peaks_found.emit()

        work = one_step("Picking peaks", lambda: pick_table(pair, "max"))
        self._session.run("peaks", work, found)

    # ---- those that are kept ----------------------------------------------------------------

    def pins(self, slide: SlideState) -> tuple[IonQuery, ...]:
        """Which ion images of a slide are pinned, the oldest first."""
        return self._pins.get(slide.key, ())

    def why_not_pin(self, query: IonQuery | None = None) -> str | None:
        """Say in one sentence why an ion image cannot be pinned; ``None`` if it can."""
        slide = self._session.active
        if slide is None:
            return "Open a slide first."
        if query is not None and query in self.pins(slide):
            return f"{query.window} is pinned already."
        if len(self.pins(slide)) >= MOST_PINS:
            return (
                f"{MOST_PINS} ion images are pinned, and more would make the viewer slow: delete "
                "the layer of one of them first."
            )
        return None

    def pin(self, window: MassWindow, measure: IonMeasure | None = None) -> None:
        """Keep an ion image of the active slide as a layer of its own."""
        slide, query = self._session.active, IonQuery(window, measure or self.measure)
        reason = self.why_not_pin(query)
        if slide is None or reason is not None:
            self._session.noticed.emit(reason or "")
            return
        self._session.run("pin", _images(slide, (query,)), lambda made: self.pin_made(made[0]))

    def pin_made(self, made: IonImage) -> None:
        """Pin an ion image that was made already; nothing if there is no room or no slide."""
        kept = self.pins(made.slide)
        if self._session.current(made.slide) is None or made.query in kept:
            return
        if len(kept) >= MOST_PINS:
            self._session.noticed.emit(self.why_not_pin() or "")
            return
        self._pins[made.slide.key] = (*kept, made.query)
        self._session.ion_pinned.emit(made)

    def unpin(self, slide: SlideState, query: IonQuery) -> None:
        """Let a pinned ion image go."""
        kept = tuple(one for one in self.pins(slide) if one != query)
        if kept != self.pins(slide):
            self._pins[slide.key] = kept
            self._session.ion_unpinned.emit(slide)

    # ---- three in one -----------------------------------------------------------------------

    def combined(self, slide: SlideState) -> tuple[IonQuery, ...]:
        """Which three ion images of a slide are its red, green and blue; none at first."""
        return self._combined.get(slide.key, ())

    def combine(self, queries: Sequence[IonQuery]) -> None:
        """Show three ion images of the active slide as red, green and blue."""
        slide = self._session.active
        if slide is None or len(queries) != len(CHANNELS):
            self._session.noticed.emit(WHY_NOT_RGB)
            return
        self._session.run("ion", _images(slide, tuple(queries)), self.combine_made)

    def combine_made(self, made: Sequence[IonImage]) -> None:
        """Show three ion images that were made already; nothing if their slide is closed."""
        if len(made) == len(CHANNELS) and self._session.current(made[0].slide) is not None:
            self._combined[made[0].slide.key] = tuple(one.query for one in made)
            self._session.ions_combined.emit(tuple(made))

    def separate(self, slide: SlideState) -> None:
        """Forget a slide's red, green and blue."""
        self._combined.pop(slide.key, None)

    def forget(self, slide: SlideState) -> None:
        """Forget a slide that was closed."""
        for known in (self._shown, self._pins, self._combined, self._of_max):
            known.pop(slide.key, None)


WHY_NOT_RGB: Final = (
    "Red, green and blue need three ion images: pin three, or mark three rows of the peak table."
)


def images_of(slide: SlideState, queries: Sequence[IonQuery]) -> tuple[IonImage, ...]:
    """Make ion images of a slide; those of one measure in one pass."""
    made: dict[IonQuery, IonImage] = {}
    for measure in dict.fromkeys(query.measure for query in queries):
        windows = [query.window for query in queries if query.measure == measure]
        for window, image in zip(
            windows, measured_images(slide.dataset, windows, measure), strict=True
        ):
            made[IonQuery(window, measure)] = IonImage(slide, window, image, measure)
    return tuple(made[query] for query in queries)


def _images(
    slide: SlideState, queries: tuple[IonQuery, ...]
) -> Job[Progress, tuple[IonImage, ...]]:
    yield Progress(f"Ion image {', '.join(str(query.window) for query in queries)}")
    return images_of(slide, queries)


def _prepared(slides: Sequence[SlideState], measure: IonMeasure) -> Job[Progress, None]:
    """Find out the factors of every slide, so that showing one costs nothing more."""
    for done, slide in enumerate(slides):
        if (yield Progress(f"Normalizing {slide.name}", done, len(slides))) is STOP:
            raise JobStopped("Stopped: ion images stay as they were.")
        factors_of(slide.dataset, measure.normalize)
