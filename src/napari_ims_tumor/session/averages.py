"""Mean spectra of painted classes and of a region, made when somebody looks at them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_ims_tumor.job import STOP, Job, JobStopped, Progress
from napari_ims_tumor.msi.arrays import BoolArray, IntArray
from napari_ims_tumor.msi.mean_spectrum import region_mean_spectrum
from napari_ims_tumor.msi.spectrum import Spectrum
from napari_ims_tumor.session.slide_state import SlideState

if TYPE_CHECKING:
    from napari_ims_tumor.session.session import Session

REGION: Final = "region"


@dataclass(frozen=True, eq=False)
class AveragedSpectrum:
    """The mean spectrum of some pixels.

    Attributes
    ----------
    name
        A class, or :data:`REGION`.
    count
        Of how many measured pixels.
    spectrum
        ``None`` of no pixel.
    """

    slide: SlideState
    name: str
    count: int
    spectrum: Spectrum | None


class SessionAverages:
    """Keeps the mean spectra that are looked at up to date.

    Attributes
    ----------
    wanted
        Which are looked at: names of classes, and :data:`REGION`.
    region
        Mask of the region, of the shape of the active slide's images; ``None`` for none.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.wanted: frozenset[str] = frozenset()
        self.region: BoolArray | None = None

    def want(self, name: str, wanted: bool) -> None:
        """Begin or cease to look at a mean spectrum."""
        before = self.wanted
        self.wanted = before | {name} if wanted else before - {name}
        if self.wanted - before:
            self.renew()

    def choose_region(self, region: BoolArray | None) -> None:
        """Look at other pixels as the region."""
        same = np.array_equal(_mask(region), _mask(self.region))
        self.region = region
        if REGION in self.wanted and not same:
            self.renew()

    def renew(self) -> None:
        """Make all that is looked at anew, of the active slide."""
        slide = self._session.active
        if slide is None or not self.wanted:
            return
        pixels = {name: self._pixels(slide, name) for name in sorted(self.wanted)}
        job = _averages(slide, pixels)
        self._session.run("average", job, self._made)

    def _pixels(self, slide: SlideState, name: str) -> IntArray:
        """Spectra of a class or of the region."""
        grid, annotation = slide.dataset.pixels, slide.annotation
        if name == REGION:
            region = _mask(self.region)
            inside = region if region.shape == grid.image_shape else np.zeros_like(grid.measured)
        else:
            value = next((c.value for c in annotation.scheme.classes if c.name == name), 0)
            inside = (annotation.labels == value) & (value > 0)
        return grid.lookup[inside & grid.measured]

    def _made(self, made: tuple[AveragedSpectrum, ...]) -> None:
        active = self._session.active
        for one in made:
            if active is not None and one.slide.key == active.key:
                self._session.spectrum_averaged.emit(one)


def _mask(region: BoolArray | None) -> BoolArray:
    return np.zeros(0, bool) if region is None else region


def _averages(
    slide: SlideState, pixels: dict[str, IntArray]
) -> Job[Progress, tuple[AveragedSpectrum, ...]]:
    made = []
    for done, (name, indices) in enumerate(pixels.items()):
        if (yield Progress(f"Averaging {name} spectra", done, len(pixels))) is STOP:
            raise JobStopped("Stopped: the spectra stay as they were.")
        mean = region_mean_spectrum(slide.dataset, indices) if indices.size else None
        made.append(AveragedSpectrum(slide, name, int(indices.size), mean))
    return tuple(made)
