"""Where a slide lies in napari's world: scale, units and axis names of its layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.mass_axis import MassAxis, MassWindow
from napari_ims_tumor.msi.pixel_grid import PixelGrid

CHANNEL_AXIS_NAME = "m/z"


@dataclass(frozen=True)
class SlideFrame:
    """Placement of a layer; pixel (0, 0)'s center is the world's origin.

    Attributes
    ----------
    scale, translate
        One number per axis, in ``units``.
    units
        ``"um"`` where the file gives the pixel size, else ``"pixel"``; ``""`` across sections and
        channels, where no length is known.
    """

    scale: tuple[float, ...]
    translate: tuple[float, ...]
    units: tuple[str, ...]
    axis_labels: tuple[str, ...]

    @classmethod
    def of_image(cls, pixels: PixelGrid) -> SlideFrame:
        """Place an image of shape (rows, columns) or (planes, rows, columns)."""
        return cls.of_size(pixels.pixel_size_um, len(pixels.image_shape))

    @classmethod
    def of_size(cls, pixel_size_um: tuple[float, float] | None, n_axes: int) -> SlideFrame:
        """Place an image whose pixels have this size; three axes are a stack of sections."""
        size, unit = (1.0, 1.0), "pixel"
        if pixel_size_um is not None:
            size, unit = pixel_size_um, "um"
        flat = cls(tuple(size), (0.0, 0.0), (unit, unit), ("y", "x"))
        return flat if n_axes == 2 else flat.under(1.0, 0.0, "z")

    @classmethod
    def of_stack(cls, dataset: MsiDataset, channels: Sequence[MassWindow]) -> SlideFrame:
        """Place the stack of ion images, (channels, *image_shape).

        The channel axis is m/z where the slide's axis is uniform; elsewhere a step of the slider is
        no fixed distance, so it is the channel's number.
        """
        image, axis = cls.of_image(dataset.pixels), dataset.mass_axis
        if axis is not None and axis.is_uniform and len(axis) == len(channels):
            return image.under(_step(axis), axis.low, CHANNEL_AXIS_NAME)
        return image.under(1.0, 0.0, CHANNEL_AXIS_NAME)

    def under(self, step: float, start: float, axis_label: str) -> SlideFrame:
        """Add an axis without a unit in front."""
        return SlideFrame(
            (step, *self.scale),
            (start, *self.translate),
            ("", *self.units),
            (axis_label, *self.axis_labels),
        )

    def as_kwargs(self) -> dict[str, Any]:
        """Return the keyword arguments of a napari layer."""
        return {
            "scale": self.scale,
            "translate": self.translate,
            "units": self.units,
            "axis_labels": self.axis_labels,
        }


def _step(axis: MassAxis) -> float:
    return (axis.high - axis.low) / (len(axis) - 1)
