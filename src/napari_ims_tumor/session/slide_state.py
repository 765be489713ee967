"""One open slide and what is known about it: a frozen record, replaced when something changes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.msi.arrays import FloatArray
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.ion_measure import PLAIN, IonMeasure, IonQuery
from napari_ims_tumor.msi.mass_axis import MassWindow
from napari_ims_tumor.msi.spectrum import Spectrum

if TYPE_CHECKING:
    from napari_ims_tumor.model.prediction import Prediction
    from napari_ims_tumor.msi.overview import SlideOverview


@dataclass(frozen=True, eq=False)
class SlideState:
    """A slide in the session.

    Attributes
    ----------
    key
        Stays the same while the slide is open.
    prediction_revision
        The annotation revision that the prediction's model was fitted to; ``None`` where the model
        never saw this slide's strokes (it came from a file, or from other slides).
    saved_revision
        The annotation revision that the user's own file holds; −1 for none.
    """

    dataset: MsiDataset
    annotation: Annotation
    overview: SlideOverview | None = None
    prediction: Prediction | None = None
    prediction_revision: int | None = None
    labels_path: Path | None = None
    saved_revision: int = -1
    key: UUID = field(default_factory=uuid4)

    @property
    def name(self) -> str:
        """The slide's short name."""
        return self.dataset.name

    @property
    def prediction_is_stale(self) -> bool:
        """Whether strokes were painted since the shown prediction's model was fitted."""
        fitted_to = self.prediction_revision
        return fitted_to is not None and fitted_to != self.annotation.revision

    def with_(self, **changes: object) -> SlideState:
        """Return the same slide with some fields replaced."""
        return replace(self, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class PickedSpectrum:
    """The spectrum under a click."""

    slide: SlideState
    index: int
    row: int
    column: int
    plane: int
    spectrum: Spectrum


@dataclass(frozen=True, eq=False)
class IonImage:
    """An ion image asked for.

    Attributes
    ----------
    image
        Shape of the slide's images, by the measure; NaN where nothing was measured.
    """

    slide: SlideState
    window: MassWindow
    image: FloatArray
    measure: IonMeasure = PLAIN

    @property
    def query(self) -> IonQuery:
        """Which image it is."""
        return IonQuery(self.window, self.measure)
