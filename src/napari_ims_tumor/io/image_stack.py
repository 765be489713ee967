"""Many images of one slide as one OME-TIFF, image by image: they are never all in memory."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_ims_tumor.atomic import atomic_write
from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.io.image_file import ome_metadata, plane_facts
from napari_ims_tumor.job import STOP, Job, JobStopped, Progress
from napari_ims_tumor.msi.pixel_grid import PixelGrid

_CLASSIC: Final = 2**32 - 2**25
"""Larger files need 64-bit offsets."""

Images = Callable[[], Iterator[NDArray[Any]]]
"""Gives the images from the first on, each time that it is called."""


def write_image_stack(
    path: Path,
    images: Images,
    names: Sequence[str],
    pixels: PixelGrid,
    about: Mapping[str, Any] | None = None,
) -> Job[Progress, None]:
    """Write images as an OME-TIFF, the same file as :func:`write_planes` makes of all at once.

    Parameters
    ----------
    path
        Ends in .ome.tif.
    images
        Called twice: the identity of the file follows from what is in it. Each image has the shape
        of the slide's, float64.
    names, pixels, about
        As for :func:`~napari_ims_tumor.io.image_file.write_planes`.

    Yields
    ------
    Progress
        Images written. Stopped, it leaves no file behind.
    """
    shape = (len(names), *pixels.image_shape)
    dtype = np.dtype(np.float64)
    metadata = ome_metadata(path, plane_facts(shape, names, pixels, about or {}))
    digest = hashlib.sha256(metadata["Description"].encode())
    for image in images():
        _refuse_other_shape(image, pixels)
        digest.update(np.ascontiguousarray(image, dtype).data)
    identity = uuid.UUID(bytes=digest.digest()[:16], version=4)
    text = _ome_text(shape, dtype, {**metadata, "UUID": str(identity)})
    bytes_at_most = int(np.prod(shape)) * dtype.itemsize
    with (
        atomic_write(path) as temporary,
        tifffile.TiffWriter(temporary, bigtiff=bytes_at_most > _CLASSIC) as tiff,
    ):
        for done, image in enumerate(images(), 1):
            for page in image.reshape(-1, *pixels.shape):
                tiff.write(
                    np.ascontiguousarray(page, dtype), photometric="minisblack",
                    compression="zlib", metadata=None, description=text, software=False,
                )  # fmt: skip
                text = None
            if (yield Progress("Writing images", done, len(names))) is STOP:
                raise JobStopped(f"stopped: {path.name} was not kept")


def _refuse_other_shape(image: NDArray[Any], pixels: PixelGrid) -> None:
    if image.shape != pixels.image_shape:
        raise ImsTumorError(
            f"an image of shape {image.shape} does not fit a slide of {pixels.image_shape}"
        )


def _ome_text(
    shape: tuple[int, ...], dtype: np.dtype[Any], metadata: Mapping[str, Any]
) -> bytes | None:
    own = dict(metadata)
    axes = own.pop("axes")
    whole = {name: own.pop(name) for name in ("Creator", "UUID")}
    pages = int(np.prod(shape[:-2]))
    xml = tifffile.OmeXml(**whole)
    xml.addimage(dtype, shape, (pages, 1, 1, *shape[-2:], 1), axes=axes, **own)
    text: bytes = xml.tostring(declaration=True).encode()
    return text
