"""Labels on disk, laid onto a slide: whole numbers per pixel or QuPath's outlines, no guesses."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.annotation.label_classes import TUMOR_SCHEME, ClassScheme
from napari_ims_tumor.annotation.whole_regions import value_colors
from napari_ims_tumor.atomic import atomic_write
from napari_ims_tumor.errors import LabelsError
from napari_ims_tumor.msi.arrays import IntArray
from napari_ims_tumor.msi.pixel_grid import PixelGrid

if TYPE_CHECKING:
    from napari_ims_tumor.io.geojson import LabelsImport, Placement

SUFFIXES = (".npy", ".png", ".tif", ".tiff")
OUTLINES = (".geojson", ".json")
"""QuPath's annotations; written as the first only."""


def read_labels(
    path: str | os.PathLike[str],
    pixels: PixelGrid,
    scheme: ClassScheme = TUMOR_SCHEME,
    how: LabelsImport | None = None,
) -> tuple[Annotation, tuple[str, ...]]:
    """Read what an expert painted and lay it onto a slide.

    Parameters
    ----------
    path
        A .npy, .png or .tif image of whole numbers: 0 unlabelled, else a class value, plus 128
        where a whole region is roughly of it. Or QuPath's annotations, .geojson.
    pixels
        The slide's grid. An image has the shape of its bounding box, or covers it in the slide's
        own coordinates [y − 1, x − 1] and is cropped at ``pixels.origin``.
    scheme
        The classes that may occur.
    how
        For annotations: what other class names mean, and where the annotated image lies.

    Returns
    -------
    Annotation, tuple of str
        The labels in the slide's image shape, and a sentence for everything that was adapted or
        left out.

    Raises
    ------
    LabelsError
        Unreadable, not whole numbers, an unknown class, or a shape that fits neither way; labels
        beyond a slide whose coordinates begin at 1; of annotations, none that can be used.
    """
    file = Path(path)
    if is_outlines(file):
        return _read_outlines(file, pixels, scheme, how)
    image, notices = _read_on_grid(file, pixels, all_inside=True)
    try:
        return Annotation(image, scheme), notices
    except LabelsError as error:
        raise LabelsError(f"{file.name}: {error}") from None


def is_outlines(path: Path) -> bool:
    """Whether a file holds outlines and not an image, by its ending."""
    return path.suffix.lower() in OUTLINES


def read_groups(path: str | os.PathLike[str], pixels: PixelGrid) -> IntArray:
    """Read one whole number per pixel (a patient, a core), placed like :func:`read_labels`."""
    image, _ = _read_on_grid(Path(path), pixels)
    return image.astype(np.int64)


def write_labels(
    path: str | os.PathLike[str],
    annotation: Annotation,
    pixels: PixelGrid,
    placement: Placement | None = None,
) -> None:
    """Write labels as uint8 in the bounding box's shape or as outlines; a crash keeps the old file.

    Parameters
    ----------
    path
        Ends in .npy, .tif, .png (indexed, in the colors of the classes; for slides of one section)
        or .geojson (outlines that QuPath opens).
    annotation
        The labels.
    pixels
        The slide they belong to.
    placement
        For outlines: the image that they shall be seen on; by default the slide's own.
    """
    file = Path(path)
    labels = annotation.labels
    if labels.shape != pixels.image_shape:
        raise LabelsError(f"labels of {labels.shape} for a slide of {pixels.image_shape}")
    if file.suffix.lower() == OUTLINES[0]:
        from napari_ims_tumor.io.geojson import write_geojson

        write_geojson(file, annotation, placement)
        return
    _check_suffix(file)
    if file.suffix.lower() == ".png" and labels.ndim != 2:
        raise LabelsError(f"{file.name}: a PNG holds one section, this slide has several: use .tif")
    with atomic_write(file) as temporary:
        _write_image(temporary, labels, annotation.scheme)


def _read_outlines(
    file: Path, pixels: PixelGrid, scheme: ClassScheme, how: LabelsImport | None
) -> tuple[Annotation, tuple[str, ...]]:
    from napari_ims_tumor.io.geojson import read_geojson

    read = read_geojson(file, pixels, scheme, how)
    if read.problem is not None:
        raise LabelsError(read.problem)
    return read.annotation, read.summary()


def _write_image(path: Path, labels: NDArray[np.uint8], scheme: ClassScheme) -> None:
    suffix = path.suffix.lower()
    if suffix == ".npy":
        np.save(path, labels)
    elif suffix == ".png":
        indexed = Image.fromarray(labels)
        # The indices stay the class values; every program shows them in the colors of the classes.
        indexed.putpalette(_palette(scheme))
        indexed.save(path)
    else:
        tifffile.imwrite(path, labels, photometric="minisblack", compression="zlib")


def _palette(scheme: ClassScheme) -> list[int]:
    colors = [0] * (3 * 256)
    for value, color in value_colors(scheme).items():
        colors[3 * value : 3 * value + 3] = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    return colors


def _check_suffix(path: Path) -> None:
    if path.suffix.lower() not in SUFFIXES:
        raise LabelsError(
            f"{path.name}: label images end in {', '.join(SUFFIXES)}, annotations from QuPath in "
            f"{OUTLINES[0]}"
        )


def _read_on_grid(
    path: Path, pixels: PixelGrid, all_inside: bool = False
) -> tuple[NDArray[Any], tuple[str, ...]]:
    _check_suffix(path)
    raw = _single_channel(path, _read_image(path), len(pixels.image_shape))
    image, rounded = whole_numbers(path.name, raw)
    placed, cropped = _place(path, image, pixels)
    if all_inside and cropped and pixels.origin == (0, 0):
        _refuse_outside(path, image, placed)
    return placed, (*rounded, *cropped)


def _read_image(path: Path) -> NDArray[Any]:
    try:
        return _read_raw(path)
    except FileNotFoundError:
        raise LabelsError(f"{path}: there is no such file") from None
    except (
        OSError, ValueError, EOFError, SyntaxError, MemoryError, Image.DecompressionBombError,
        tifffile.TiffFileError,
    ) as error:  # fmt: skip
        raise LabelsError(
            f"{path.name} cannot be read as a {path.suffix} image ({error}): is it complete?"
        ) from error


def _read_raw(path: Path) -> NDArray[Any]:
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return _read_npy(path)
    if suffix == ".png":
        with Image.open(path) as image:
            # A palette image holds class numbers as indices: read them, not the colors.
            return np.asarray(image)
    return np.asarray(tifffile.imread(path))


def _read_npy(path: Path) -> NDArray[Any]:
    """Read one plain array: never pickled objects, as a label file must not be able to run code."""
    with path.open("rb") as file:
        if not file.read(6).startswith(b"\x93NUMPY"):
            raise ValueError("its content is not that of a .npy file")
        file.seek(0)
        image = np.lib.format.read_array(file, allow_pickle=False)
    return np.asarray(image)


def _single_channel(path: Path, image: NDArray[Any], n_axes: int) -> NDArray[Any]:
    """Reduce a gray image saved as RGB(A) to one channel; refuse real colors."""
    if image.ndim == n_axes + 1 and image.shape[0] == 1:
        only: NDArray[Any] = image[0]
        return only
    is_picture = path.suffix.lower() != ".npy" and image.shape[-1:] in ((2,), (3,), (4,))
    if image.ndim != n_axes + 1 or not is_picture:
        return image
    has_alpha = image.shape[-1] in (2, 4)
    colors = image[..., :-1] if has_alpha else image
    opaque = not has_alpha or (image[..., -1] == image[..., -1].max()).all()
    if not opaque or (colors != colors[..., :1]).any():
        raise LabelsError(
            f"{path.name} is a color picture: save the labels as a gray or palette image whose "
            "values are 0 unlabelled, 1 healthy, 2 tumor"
        )
    gray: NDArray[Any] = colors[..., 0]
    return gray


def whole_numbers(name: str, image: NDArray[Any]) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Accept integers, and floats that are whole; refuse the rest.

    Parameters
    ----------
    name
        Of the file, or what else messages shall call the image.
    image
        Of any type.
    """
    if image.dtype.kind == "b":
        return image.astype(np.uint8), ()
    if image.dtype.kind in "iu":
        return image, ()
    # Beyond 2**31 a float32 no longer tells neighboring whole numbers apart.
    whole = image.dtype.kind == "f" and bool(
        (np.isfinite(image) & (np.abs(image) < 2**31) & (image == np.round(image))).all()
    )
    if not whole:
        raise LabelsError(f"{name} holds {image.dtype} values that are not whole numbers")
    return image.astype(np.int64), (f"{name}: {image.dtype} values read as whole numbers",)


def _place(
    path: Path, image: NDArray[Any], pixels: PixelGrid
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Lay an image onto the bounding box; where both readings fit, the bounding box wins."""
    wanted = pixels.image_shape
    if image.shape == wanted:
        return image, ()
    (top, left), (rows, columns) = pixels.origin, pixels.shape
    if not _covers(image.shape, pixels):
        raise LabelsError(
            f"{path.name} has the shape {image.shape}; this slide is {wanted}, or at least "
            f"{(top + rows, left + columns)} in its own coordinates: are these another slide's?"
        )
    box = image[..., top : top + rows, left : left + columns]
    return box, (_crop_notice(path, image, box, pixels),)


def _refuse_outside(path: Path, image: NDArray[Any], box: NDArray[Any]) -> None:
    """Stop at labels beyond a slide whose coordinates begin at 1: they are of a larger one.

    A slide that begins elsewhere is a part of something, whose labels may cover all of it.
    """
    n = int(np.count_nonzero(image))
    outside = n - int(np.count_nonzero(box))
    if outside:
        raise LabelsError(
            f"{outside} of {n} labelled pixels of {path.name}, of the shape {image.shape}, lie "
            f"outside this slide of {box.shape}: are these another slide's? If not, cut the image "
            "to the slide, or set to 0 what lies outside"
        )


def _covers(shape: tuple[int, ...], pixels: PixelGrid) -> bool:
    """Whether an image can be cropped at the grid's origin in the slide's own coordinates."""
    wanted = pixels.image_shape
    return (
        len(shape) == len(wanted)
        and shape[:-2] == wanted[:-2]
        and all(start >= 0 for start in pixels.origin)
        and all(
            have >= start + size
            for have, start, size in zip(shape[-2:], pixels.origin, pixels.shape, strict=True)
        )
    )


def _crop_notice(path: Path, image: NDArray[Any], box: NDArray[Any], pixels: PixelGrid) -> str:
    text = (
        f"{path.name} has the shape {image.shape}: read in the slide's own coordinates and cropped "
        f"to {pixels.image_shape} at row {pixels.origin[0]}, column {pixels.origin[1]}"
    )
    outside = int(np.count_nonzero(image)) - int(np.count_nonzero(box))
    return f"{text}; {outside} labelled pixels lay outside and were left out" if outside else text
