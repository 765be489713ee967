"""Which pixels of a slide are exported: by labels, mask, groups, pieces of tissue, a rectangle."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.annotation.regions import tissue_regions
from napari_ims_tumor.errors import LabelsError, QueryError
from napari_ims_tumor.io.annotation_file import is_outlines, read_groups, read_labels
from napari_ims_tumor.msi.arrays import BoolArray, IntArray
from napari_ims_tumor.msi.dataset import MsiDataset
from napari_ims_tumor.msi.pixel_grid import PixelGrid

Span: TypeAlias = tuple[int, int]
"""First and last, both included, from 0."""
Image: TypeAlias = Path | NDArray[Any]

_SPAN = re.compile(r"\s*(\d+)\s*(?:[-:]\s*(\d+)\s*)?\Z")


@dataclass(frozen=True, eq=False)
class PixelChoice:
    """Which pixels; what is given narrows the choice, together they narrow it further.

    Attributes
    ----------
    labels
        What an expert painted: a file, an image or an Annotation. Only labelled pixels are chosen.
    classes
        Of the labels: names or values; all by default.
    mask
        An image; pixels that are 0 in it are left out.
    groups
        An image of whole numbers: cores, patients.
    numbers
        Of the groups: which; all above 0 by default.
    regions
        Pieces of connected tissue, numbered from 1 in reading order.
    rows, columns, planes
        A rectangle, and sections of a stack.
    """

    labels: Path | NDArray[Any] | Annotation | None = None
    classes: tuple[str, ...] = ()
    mask: Image | None = None
    groups: Image | None = None
    numbers: tuple[int, ...] = ()
    regions: tuple[int, ...] = ()
    rows: Span | None = None
    columns: Span | None = None
    planes: Span | None = None

    def __post_init__(self) -> None:
        if self.classes and self.labels is None:
            raise QueryError("a class is chosen among labels, and no labels are given")
        if self.numbers and self.groups is None:
            raise QueryError("a group is chosen among groups, and no image of groups is given")

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are read."""
        given = (self.labels, self.mask, self.groups)
        return tuple(item for item in given if isinstance(item, Path))


@dataclass(frozen=True, eq=False)
class ChosenPixels:
    """What a choice comes to on one slide.

    Attributes
    ----------
    indices
        Shape (k,): spectra in file order.
    annotation, groups
        What was read, in the slide's image shape.
    words
        The choice in words, for the file's history.
    notices
        What was adapted or left out in reading.
    """

    indices: IntArray
    words: str
    annotation: Annotation | None = None
    groups: IntArray | None = None
    notices: tuple[str, ...] = ()


def parse_span(text: str, what: str) -> Span:
    """Read ``"10-19"`` or ``"10"``: first and last, both included."""
    found = _SPAN.match(text)
    if found is None:
        raise QueryError(f"{what} {text!r}: give a number or a range, like 10-19")
    first, last = int(found[1]), int(found[2] or found[1])
    if first > last:
        raise QueryError(f"{what} {text}: the first is behind the last")
    return first, last


def choose_pixels(slide: MsiDataset, choice: PixelChoice) -> ChosenPixels:
    """Find the spectra that are chosen.

    Raises
    ------
    QueryError, LabelsError
        None is left, or a class, a group or a region does not exist; the message says what does.
    """
    pixels = slide.pixels
    annotation, notices = _read_annotation(choice, pixels)
    groups = _read_image(choice.groups, pixels, "groups")
    words: list[str] = []
    inside = pixels.measured.copy()
    for part, said in _parts(choice, pixels, annotation, groups):
        inside &= part
        words.append(said)
    # Every spectrum of a chosen pixel, also where a pixel has two.
    under: BoolArray = pixels.as_vector(inside)
    indices = np.flatnonzero(under).astype(np.int64)
    said = ", ".join(words) or "all pixels"
    if indices.size == 0:
        raise QueryError(
            f"no measured pixel of {slide.name} is chosen ({said}): look at what was asked for"
        )
    return ChosenPixels(indices, said, annotation, groups, notices)


def _parts(
    choice: PixelChoice, pixels: PixelGrid, annotation: Annotation | None, groups: IntArray | None
) -> list[tuple[BoolArray, str]]:
    """Every condition as a mask, and in words."""
    parts: list[tuple[BoolArray, str]] = []
    if annotation is not None:
        parts.append(_of_classes(annotation, choice.classes))
    if choice.mask is not None:
        mask = _read_image(choice.mask, pixels, "mask")
        parts.append((np.asarray(mask) != 0, f"mask {_name(choice.mask, 'given')}"))
    if groups is not None:
        parts.append(_of_numbers(groups, choice.numbers, "group"))
    if choice.regions:
        parts.append(_of_numbers(tissue_regions(pixels.measured), choice.regions, "region"))
    parts.extend(_rectangle(choice, pixels))
    return parts


def _of_classes(annotation: Annotation, wanted: tuple[str, ...]) -> tuple[BoolArray, str]:
    scheme = annotation.scheme
    by_name = {c.name.lower(): c for c in scheme.classes} | {
        str(c.value): c for c in scheme.classes
    }
    unknown = [name for name in wanted if name.strip().lower() not in by_name]
    if unknown:
        raise LabelsError(f"there is no class {unknown[0]!r}: use {', '.join(scheme.names)}")
    chosen = [by_name[name.strip().lower()] for name in wanted] or list(scheme.classes)
    names = list(dict.fromkeys(c.name for c in chosen))
    values = [c.value for c in chosen]
    return np.isin(annotation.labels, values), f"labelled {' or '.join(names)}"


def _of_numbers(image: IntArray, wanted: tuple[int, ...], word: str) -> tuple[BoolArray, str]:
    known = np.unique(image[image > 0])
    missing = [number for number in wanted if number not in known]
    if missing:
        some = ", ".join(str(number) for number in known[:20].tolist())
        more = ", …" if known.size > 20 else ""
        raise QueryError(f"there is no {word} {missing[0]}: there are {some or 'none'}{more}")
    if not wanted:
        return image > 0, f"in a {word}"
    inside: BoolArray = np.isin(image, wanted)
    return inside, f"{word} {' or '.join(str(number) for number in wanted)}"


def _rectangle(choice: PixelChoice, pixels: PixelGrid) -> list[tuple[BoolArray, str]]:
    spans = {"row": choice.rows, "column": choice.columns, "plane": choice.planes}
    if not any(spans.values()):
        return []
    places = np.indices((pixels.n_planes, *pixels.shape))
    axes = {"plane": places[0], "row": places[1], "column": places[2]}
    parts: list[tuple[BoolArray, str]] = []
    for word, span in spans.items():
        if span is None:
            continue
        last = int(axes[word].max())
        if span[0] > last:
            raise QueryError(f"{word}s {span[0]} to {span[1]}: this slide has {word}s 0 to {last}")
        inside = (axes[word] >= span[0]) & (axes[word] <= span[1])
        parts.append((inside.reshape(pixels.image_shape), f"{word}s {span[0]} to {span[1]}"))
    return parts


def _read_annotation(
    choice: PixelChoice, pixels: PixelGrid
) -> tuple[Annotation | None, tuple[str, ...]]:
    given = choice.labels
    if given is None or isinstance(given, Annotation):
        if given is not None and given.labels.shape != pixels.image_shape:
            raise LabelsError(f"labels of {given.labels.shape} on a slide of {pixels.image_shape}")
        return given, ()
    if isinstance(given, Path):
        return read_labels(given, pixels)
    return _read_annotation(PixelChoice(labels=Annotation(given)), pixels)


def _read_image(given: Image | None, pixels: PixelGrid, word: str) -> IntArray | None:
    if given is None:
        return None
    if isinstance(given, Path):
        if is_outlines(given):
            raise LabelsError(f"{given.name}: {word} are an image; outlines can only be labels")
        return read_groups(given, pixels)
    image = np.asarray(given)
    if image.shape != pixels.image_shape or image.dtype.kind not in "iub":
        raise LabelsError(
            f"{word} of {image.dtype} and shape {image.shape}: give whole numbers of shape "
            f"{pixels.image_shape}"
        )
    return image.astype(np.int64)


def _name(given: Image, otherwise: str) -> str:
    return given.name if isinstance(given, Path) else otherwise
