"""``labels``: from one format of labels to another, QuPath's among them."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_ims_tumor.cli.numbers import add_memory_to
from napari_ims_tumor.cli.outputs import refuse_labels_path
from napari_ims_tumor.cli.terminal import drive, print_facts, say
from napari_ims_tumor.errors import LabelsError

if TYPE_CHECKING:
    from napari_ims_tumor.annotation.annotation import Annotation
    from napari_ims_tumor.io.geojson import LabelsImport, Placement
    from napari_ims_tumor.msi.pixel_grid import PixelGrid

Commands = Any


def add_to(commands: Commands) -> None:
    """Add the command to the parser."""
    labels = commands.add_parser("labels", help="convert labels: .npy, .png, .tif, .geojson")
    labels.add_argument("slide", type=Path, help="the .imzML file that they belong to")
    labels.add_argument("labels", type=Path, help="read from here")
    labels.add_argument("-o", "--output", type=Path, required=True, help="written by its ending")
    labels.add_argument(
        "--class", dest="classes", action="append", default=[], metavar="NAME=CLASS",
        help="what a class of the GeoJSON file means: healthy, tumor, ignore; may be repeated",
    )  # fmt: skip
    placed = labels.add_mutually_exclusive_group()
    placed.add_argument(
        "--scale", type=float, metavar="N",
        help="N pixels of the annotated image are one pixel of the slide (default 1)",
    )  # fmt: skip
    placed.add_argument(
        "--affine", metavar="A,B,U,C,D,V",
        help="the annotated image's x, y is the slide's Ax + By + U, Cx + Dy + V",
    )  # fmt: skip
    labels.add_argument(
        "--weak", action="store_true",
        help="every label is meant roughly, of a whole region: not of each pixel",
    )  # fmt: skip
    add_memory_to(labels)
    labels.set_defaults(run=_labels)


def _labels(given: argparse.Namespace) -> int:
    from napari_ims_tumor.annotation.whole_regions import said_roughly
    from napari_ims_tumor.io.annotation_file import is_outlines, read_labels, write_labels
    from napari_ims_tumor.io.imzml import open_imzml_job

    refuse_labels_path(given.output, (given.slide, given.labels))
    how = _how(given)
    _refuse_idle_options(given)
    with drive(open_imzml_job(given.slide, given.memory)) as slide:
        pixels = slide.pixels
    annotation, notices = read_labels(given.labels, pixels, how=how)
    for notice in notices:
        say(notice)
    if given.weak:
        annotation = replace(annotation, labels=said_roughly(annotation.labels))
    # Between two files of outlines the placement is that of the one that is read.
    write_labels(
        given.output, annotation, pixels, None if is_outlines(given.labels) else how.placement
    )
    print_facts(_counted(annotation, pixels), as_json=False)
    say(f"wrote {given.output}")
    return 0


def _counted(annotation: Annotation, pixels: PixelGrid) -> dict[str, str]:
    """Measured pixels of each class; how many of them roughly, where there are any."""
    by_hand = annotation.counts_by_hand(pixels)
    facts = {}
    for name, n in annotation.counts(pixels).items():
        rough = n - by_hand[name]
        facts[name] = f"{n} measured pixels" + (f", {rough} of them roughly" if rough else "")
    return facts


def _refuse_idle_options(given: argparse.Namespace) -> None:
    """Images have neither another scale nor names: an option that would do nothing is a mistake."""
    from napari_ims_tumor.io.annotation_file import is_outlines

    reads, writes = is_outlines(given.labels), is_outlines(given.output)
    placed = given.scale is not None or given.affine is not None
    if placed and not (reads or writes):
        raise LabelsError("--scale and --affine are for .geojson, and neither file is one")
    if given.classes and not reads:
        raise LabelsError(f"--class is for .geojson, and {given.labels.name} is none")


def _how(given: argparse.Namespace) -> LabelsImport:
    from napari_ims_tumor.io.geojson import ClassMapping, LabelsImport

    return LabelsImport(ClassMapping.parse(given.classes), _placement(given))


def _placement(given: argparse.Namespace) -> Placement:
    from napari_ims_tumor.io.geojson import Placement

    if given.scale is not None:
        return Placement.scaled(given.scale)
    if given.affine is None:
        return Placement()
    try:
        a, b, u, c, d, v = (float(number) for number in given.affine.split(","))
    except ValueError:
        raise LabelsError(
            f"--affine {given.affine!r}: give six numbers A,B,U,C,D,V, parted by commas"
        ) from None
    return Placement((a, b, u, c, d, v))
