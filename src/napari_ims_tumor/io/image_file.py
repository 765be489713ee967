"""Images computed from a slide, on disk: planes with names, a place and a scale."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import uuid
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import tifffile
from numpy.typing import ArrayLike, NDArray

from napari_ims_tumor.annotation.label_classes import TUMOR_SCHEME
from napari_ims_tumor.atomic import atomic_write
from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.msi.pixel_grid import PixelGrid

FORMAT = "napari-ims-tumor planes"
VERSION = 1

_UNREADABLE: Final = (
    OSError, ValueError, LookupError, TypeError, EOFError, SyntaxError, ArithmeticError,
    RuntimeError, AssertionError, MemoryError, struct.error, zlib.error, tifffile.TiffFileError,
)  # fmt: skip
"""What damaged files raise."""


@dataclass(frozen=True, eq=False)
class Planes:
    """Named images of one slide, as read back from a file.

    Attributes
    ----------
    values
        Shape (k, *image_shape), floating; NaN where nothing was measured.
    names
        One per plane: ``("healthy", "tumor")``.
    origin
        (row, column) of the first pixel in the slide's own 0-based coordinates.
    pixel_size_um
        (row, column) pixel size in µm; ``None`` where the slide does not say.
    about
        Plain facts: the slide, the model, the normalization.
    """

    values: NDArray[Any]
    names: tuple[str, ...]
    origin: tuple[int, int] = (0, 0)
    pixel_size_um: tuple[float, float] | None = None
    about: Mapping[str, Any] = field(default_factory=dict)


def write_planes(
    path: str | os.PathLike[str],
    planes: ArrayLike,
    names: Sequence[str],
    pixels: PixelGrid,
    about: Mapping[str, Any] | None = None,
) -> None:
    """Write images as ``.npy`` (with a ``.json`` beside) or ``.ome.tif``.

    Parameters
    ----------
    path
        Its ending chooses the format.
    planes
        Shape (k, *image_shape).
    names
        One name per plane.
    pixels
        The slide's grid: gives origin and pixel size.
    about
        Plain facts to keep with the picture (JSON-able).

    Raises
    ------
    ImsTumorError
        Another ending, a shape that is not the slide's, or a place that cannot be written.
    """
    values = np.asarray(planes)
    if values.shape != (len(names), *pixels.image_shape):
        raise ImsTumorError(
            f"images of shape {values.shape} do not fit {len(names)} names on a slide of "
            f"{pixels.image_shape}"
        )
    _write(Path(path), values, plane_facts(values.shape, names, pixels, about or {}))


def write_image(
    path: str | os.PathLike[str],
    image: ArrayLike,
    name: str,
    pixels: PixelGrid,
    about: Mapping[str, Any] | None = None,
) -> None:
    """Write one image like :func:`write_planes`; a ``.npy`` has the slide's shape, no plane axis.

    Parameters
    ----------
    path, pixels, about
        As for :func:`write_planes`.
    image
        Shape ``pixels.image_shape``.
    name
        The image's name.
    """
    values = np.asarray(image)
    if values.shape != pixels.image_shape:
        raise ImsTumorError(
            f"an image of shape {values.shape} does not fit a slide of {pixels.image_shape}"
        )
    file = Path(path)
    facts = plane_facts((1, *values.shape), (name,), pixels, about or {})
    _write(file, values if file.suffix.lower() == ".npy" else values[None], facts)


def _write(file: Path, values: NDArray[Any], facts: Mapping[str, Any]) -> None:
    if file.suffix.lower() == ".npy":
        _write_npy(file, values, facts)
    elif file.suffix.lower() in (".tif", ".tiff"):
        _write_ome(file, values, facts)
    else:
        raise ImsTumorError(f"{file.name}: images are written as .npy or .ome.tif")


def is_planes_file(path: str | os.PathLike[str]) -> bool:
    """Whether a TIFF says that this program wrote it; only its first description is looked at."""
    try:
        with tifffile.TiffFile(path) as tiff:
            return FORMAT in str(tiff.pages.first.description)
    except _UNREADABLE:
        return False


def read_planes(path: str | os.PathLike[str]) -> Planes:
    """Read what :func:`write_planes` wrote."""
    file = Path(path)
    try:
        if file.suffix.lower() == ".npy":
            values = np.load(file, allow_pickle=False)
            facts = json.loads(_beside(file).read_text(encoding="utf-8"))
        else:
            values, facts = _read_ome(file)
        return _as_planes(values, facts)
    except _UNREADABLE as error:
        raise ImsTumorError(
            f"{file} cannot be read as an image of this program ({error}): is it complete?"
        ) from error


def plane_facts(
    shape: tuple[int, ...], names: Sequence[str], pixels: PixelGrid, about: Mapping[str, Any]
) -> dict[str, Any]:
    """Collect what a file says of its planes, JSON-able."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "shape": list(shape),
        "names": list(names),
        "origin": list(pixels.origin),
        "pixel_size_um": None if pixels.pixel_size_um is None else list(pixels.pixel_size_um),
        "about": dict(about),
    }


def _as_planes(values: NDArray[Any], facts: Mapping[str, Any]) -> Planes:
    if facts["format"] != FORMAT:
        raise ValueError(f"its format is {facts['format']!r}")
    names = tuple(str(name) for name in facts["names"])
    # TIFF readers drop axes of length one: the written shape brings them back.
    planes = values.reshape(facts["shape"])
    top, left = facts["origin"]
    size = facts["pixel_size_um"]
    return Planes(planes, names, (top, left), None if size is None else tuple(size), facts["about"])


def _beside(path: Path) -> Path:
    return path.with_suffix(".json")


def _write_npy(path: Path, values: NDArray[Any], facts: Mapping[str, Any]) -> None:
    text = json.dumps(facts, indent=2, sort_keys=True, ensure_ascii=False)
    refuse_foreign_note(path)
    with atomic_write(path) as image, atomic_write(_beside(path)) as note:
        np.save(image, values)
        # Half a letter, as names of files may hold on old disks, is written as JSON escapes it.
        note.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


def refuse_foreign_image(image: Path) -> None:
    """Stop where an image would replace anything but an older one of this program.

    Somebody's labels and the picture of the histology have the same endings. In the window the
    dialog asks; on the command line nobody does.
    """
    refuse_foreign_note(image)
    if not image.exists():
        return
    is_array = image.suffix.lower() == ".npy"
    if not (_is_note(_beside(image)) if is_array else is_planes_file(image)):
        told = f" (no {_beside(image).name} beside it says so)" if is_array else ""
        raise ImsTumorError(
            f"{image} is not an image that this program computed{told} and would be replaced: give "
            "another name"
        )


def refuse_foreign_note(image: Path) -> None:
    """Stop where the .json beside a .npy would replace anything but an older one of its kind."""
    path = _beside(image)
    if image.suffix.lower() == ".npy" and path.exists() and not _is_note(path):
        raise ImsTumorError(
            f"{path} is not of this program and would be replaced: give the image another name"
        )


def _is_note(path: Path) -> bool:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.get("format") == FORMAT


def _write_ome(path: Path, values: NDArray[Any], facts: Mapping[str, Any]) -> None:
    """Write one channel per plane; sections of a stack become z."""
    metadata = ome_metadata(path, facts)
    # A random identity would make the same picture other bytes each time.
    metadata["UUID"] = str(_identity(values, metadata["Description"]))
    with atomic_write(path) as temporary:
        tifffile.imwrite(
            temporary, values, ome=True, photometric="minisblack", compression="zlib",
            metadata=metadata,
        )  # fmt: skip


def ome_metadata(path: Path, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Turn the facts of planes into the words of OME, all but the file's identity."""
    metadata: dict[str, Any] = {
        "axes": "CYX" if len(facts["shape"]) == 3 else "CZYX",
        "Name": _as_xml(str(facts["about"].get("slide") or path.name.partition(".")[0])),
        "Channel": {
            "Name": [_as_xml(name) for name in facts["names"]],
            "Color": _ome_colors(facts["names"]),
        },
        "Description": json.dumps(facts, sort_keys=True, ensure_ascii=True),
        "Creator": "napari-ims-tumor",
    }
    if facts["pixel_size_um"] is not None:
        height, width = facts["pixel_size_um"]
        metadata |= {"PhysicalSizeY": height, "PhysicalSizeYUnit": "µm"}
        metadata |= {"PhysicalSizeX": width, "PhysicalSizeXUnit": "µm"}
    return metadata


def _as_xml(text: str) -> str:
    """Leave out control characters: XML has none, and one makes the whole file unreadable."""
    return "".join(letter for letter in text if letter.isprintable())


def _identity(values: NDArray[Any], description: str) -> uuid.UUID:
    digest = hashlib.sha256(description.encode() + np.ascontiguousarray(values).tobytes())
    return uuid.UUID(bytes=digest.digest()[:16], version=4)


def _ome_colors(names: Sequence[str]) -> list[int]:
    """Colors of the channels as OME writes them: a signed number of red, green, blue, opaque."""
    known = {label.name: label.color for label in TUMOR_SCHEME.classes}
    packed = [int(known.get(name, "#ffffff")[1:] + "ff", 16) for name in names]
    return [number - (1 << 32) if number >= 1 << 31 else number for number in packed]


def _read_ome(path: Path) -> tuple[NDArray[Any], dict[str, Any]]:
    with tifffile.TiffFile(path) as tiff:
        values = tiff.series[0].asarray()
        description = tifffile.xml2dict(tiff.ome_metadata or "")["OME"]["Image"]["Description"]
    facts: dict[str, Any] = json.loads(description)
    return values, facts
