"""A label image at one moment, with the number of that moment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_ims_tumor.annotation.label_classes import TUMOR_SCHEME, ClassScheme
from napari_ims_tumor.annotation.regions import ROUGHLY
from napari_ims_tumor.annotation.whole_regions import class_values, strokes_only
from napari_ims_tumor.errors import LabelsError
from napari_ims_tumor.msi.arrays import LabelArray, frozen
from napari_ims_tumor.msi.pixel_grid import PixelGrid


@dataclass(frozen=True, eq=False)
class Annotation:
    """What the expert painted.

    Attributes
    ----------
    labels
        Shape of the slide's images, uint8: 0 unlabelled, a class value by hand, or that plus 128
        where a whole region is roughly of the class (see :mod:`.whole_regions`).
    scheme
        The classes.
    revision
        Raised with every change: a prediction made at another revision is out of date.
    """

    labels: LabelArray
    scheme: ClassScheme = TUMOR_SCHEME
    revision: int = 0

    def __post_init__(self) -> None:
        # What is masked is not labelled, whatever lies below the mask.
        values = np.ma.filled(self.labels, 0)
        if values.dtype.kind not in "iub":
            raise LabelsError(f"labels are whole numbers, these are {values.dtype}")
        known_values = {0, *self.scheme.values, *(v + ROUGHLY for v in self.scheme.values)}
        unknown = sorted(set(np.unique(values).tolist()) - known_values)
        if unknown:
            known = ", ".join(f"{c.value} {c.name}" for c in self.scheme.classes)
            raise LabelsError(
                f"labels hold the unknown value {unknown[0]}: use 0 unlabelled, {known}"
            )
        object.__setattr__(self, "labels", frozen(values, np.uint8))

    @classmethod
    def empty(cls, pixels: PixelGrid, scheme: ClassScheme = TUMOR_SCHEME) -> Annotation:
        """Nothing painted yet."""
        return cls(np.zeros(pixels.image_shape, np.uint8), scheme)

    def changed_to(self, labels: LabelArray) -> Annotation:
        """The next revision, holding ``labels``."""
        return Annotation(labels, self.scheme, self.revision + 1)

    @property
    def strokes(self) -> LabelArray:
        """What was labelled by hand, pixel by pixel: class values, else 0."""
        return strokes_only(self.labels)

    @property
    def classes(self) -> LabelArray:
        """Class values, by hand or roughly; 0 unlabelled."""
        return class_values(self.labels)

    def counts(self, pixels: PixelGrid) -> dict[str, int]:
        """Labelled *measured* pixels per class name, by hand or roughly.

        Strokes beside the tissue do not count.
        """
        return self._counts(pixels, self.classes)

    def counts_by_hand(self, pixels: PixelGrid) -> dict[str, int]:
        """The same, of strokes alone."""
        return self._counts(pixels, self.strokes)

    def _counts(self, pixels: PixelGrid, values: LabelArray) -> dict[str, int]:
        under = np.where(pixels.measured, values, 0)
        return {c.name: int((under == c.value).sum()) for c in self.scheme.classes}
