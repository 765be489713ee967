"""How the intensities inside an m/z window become the number of a pixel, wherever one is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from napari_ims_tumor.msi.arrays import FloatArray
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.mass_axis import MassWindow
from napari_ims_tumor.msi.normalization import Normalizer, factors_of, normalizer_text
from napari_ims_tumor.msi.reduction import Reduction

_OF_WINDOW: Final[Mapping[Reduction, str]] = {"sum": "summed", "max": "highest", "mean": "mean"}
_SHORT: Final[Mapping[Normalizer, str]] = {
    "none": "",
    "tic": "TIC",
    "rms": "RMS",
    "median": "median",
}


@dataclass(frozen=True, slots=True)
class IonMeasure:
    """What is made of a window in one spectrum, and by what that is scaled.

    Attributes
    ----------
    reduce
        Sum, maximum or mean of the points inside.
    normalize
        ``"none"``, ``"tic"``, ``"rms"``, ``"median"``, or the window of a reference peak.
    """

    reduce: Reduction = "sum"
    normalize: Normalizer = "none"

    @property
    def units(self) -> str:
        """Say what a value is, for a color bar: ``"summed intensity (units of the file)"``."""
        scaled = f", {self._scaled}" if self._scaled else ""
        return f"{_OF_WINDOW[self.reduce]} intensity (units of the file{scaled})"

    @property
    def note(self) -> str:
        """Say in a few letters what is not as usual; empty for the raw sum."""
        parts = ("" if self.reduce == "sum" else self.reduce, self._scaled)
        return ", ".join(part for part in parts if part)

    @property
    def _scaled(self) -> str:
        by = self.normalize
        if isinstance(by, MassWindow):
            return f"per m/z {by.center:.4f}"
        return f"per {_SHORT[by]}" if by != "none" else ""

    def about(self) -> dict[str, object]:
        """Return the facts that a written image carries."""
        return {"intensity": self.reduce, "normalization": normalizer_text(self.normalize)}


@dataclass(frozen=True, slots=True)
class IonQuery:
    """Which ion image: of what window, by which measure."""

    window: MassWindow
    measure: IonMeasure = IonMeasure()


PLAIN: Final = IonMeasure()
"""The raw sum."""


def measured_images(
    dataset: MsiDataset, windows: Sequence[MassWindow], measure: IonMeasure = PLAIN
) -> FloatArray:
    """Make the ion images of windows: the one way to what is seen, saved and exported.

    Returns
    -------
    ndarray
        Shape (windows, *image_shape). NaN where nothing was measured; 0 where nothing was found,
        or where a spectrum has nothing to be scaled by.
    """
    images = dataset.ion_images(windows, measure.reduce)
    if measure.normalize == "none":
        return images
    scaled: FloatArray = images * dataset.pixels.as_image(factors_of(dataset, measure.normalize))
    return scaled
