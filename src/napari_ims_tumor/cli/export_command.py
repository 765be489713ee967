"""``export``: part of a slide as a file for other programs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final

from napari_ims_tumor.cli.numbers import add_memory_to, at_least_one
from napari_ims_tumor.cli.terminal import drive, print_facts, say
from napari_ims_tumor.errors import QueryError

Commands = Any
ABOUT: Final = (
    "Write part of a slide. The ending of the output says as what: .imzML (a slide), .ome.tif "
    "(ion images), .csv (mean spectra), .zarr, .h5ad (AnnData), .spatialdata.zarr."
)


def add_to(commands: Commands) -> None:
    """Add the command to the parser."""
    export = commands.add_parser(
        "export", help="write part of a slide: pixels, m/z range, ions, centroids",
        description=ABOUT,
    )  # fmt: skip
    export.add_argument("slide", type=Path, help="the .imzML file")
    export.add_argument("-o", "--output", type=Path, required=True, help="written by its ending")
    export.add_argument("--dry-run", action="store_true", help="say what it would write, and end")
    export.add_argument("--json", action="store_true", help="with --dry-run: print JSON")
    _add_pixels_to(export.add_argument_group("which pixels (together they narrow the choice)"))
    _add_spectra_to(export.add_argument_group("what of their spectra"))
    _add_channels_to(export.add_argument_group("which ions, where the output has channels"))
    add_memory_to(export)
    export.set_defaults(run=_export)


def _add_pixels_to(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--labels", type=Path, metavar="FILE", help="only labelled pixels")
    add("--class", dest="classes", action="append", metavar="NAME",
        help="of the labels: healthy or tumor; repeatable, default all")  # fmt: skip
    add("--mask", type=Path, metavar="FILE", help="an image; pixels that are 0 are left out")
    add("--groups", type=Path, metavar="FILE", help="an image of whole numbers: cores, patients")
    add("--group", dest="numbers", type=int, action="append", metavar="N",
        help="of the groups: which; repeatable, default all above 0")  # fmt: skip
    add("--region", dest="regions", type=at_least_one, action="append", metavar="N",
        help="piece of connected tissue, from 1 in reading order; repeatable")  # fmt: skip
    add("--rows", metavar="A-B", help="first and last row, from 0, both included")
    add("--columns", metavar="A-B", help="first and last column")
    add("--planes", metavar="A-B", help="first and last section of a stack")


def _add_spectra_to(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--mz-range", metavar="LOW-HIGH", help="both included")
    add("--centroid", action="store_true", help="turn profile spectra into peaks")
    add("--position", choices=("parabola", "mean"),
        help="m/z of a peak: top of a parabola (default), or mean of its upper half")  # fmt: skip
    add("--measure", choices=("height", "area"), help="intensity of a peak; default height")
    add("--noise", type=float, metavar="X",
        help="a peak stands out by X standard deviations of the noise; default 3")  # fmt: skip


def _add_channels_to(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--mz", type=float, action="append", help="center of a window; repeatable")
    add("--peaks", type=at_least_one, metavar="N", help="the N strongest of the mean spectrum")
    add("--bins", metavar="WIDTH", help="bins over the whole range, 0.5Da or 50ppm wide")
    add("--tolerance", help="half-width of the windows, 0.3Da or 20ppm; default 0.1Da for --mz")
    add(
        "--normalize",
        metavar="BY",
        help="none (default), tic, rms, median, or a peak, reference:MZ or reference:MZ:TOLERANCE",
    )
    add("--reduce", choices=("sum", "max", "mean"), help="of the points in a window; default sum")
    add("--by", choices=("slide", "class", "group", "region"),
        help="of .csv: what is averaged over; default as the pixels are chosen")  # fmt: skip
    add("--table", choices=("long", "wide"), help="of .csv; default long")
    add("--array", choices=("image", "pixels"),
        help="of .zarr: channels × rows × columns (default) or pixels × channels")  # fmt: skip


def _export(given: argparse.Namespace) -> int:
    from napari_ims_tumor.api.exporting import export_job, plan_export_job

    options = {**_options(given), "memory_budget": given.memory}
    if given.dry_run:
        plan = drive(plan_export_job(given.slide, given.output, **options))
        _say_all(plan.notices)
        print_facts(plan.facts() if not given.json else _numbers(plan), given.json)
        return 0
    if given.json:
        raise QueryError("--json is for --dry-run")
    exported = drive(export_job(given.slide, given.output, **options))
    _say_all(exported.notices)
    for file in exported.files:
        say(f"wrote {file}")
    return 0


def _numbers(plan: Any) -> dict[str, Any]:
    names = ("n_spectra", "shape", "pixels", "mz_range", "n_channels", "size", "scratch", "free")
    return {"path": str(plan.path), **{name: getattr(plan, name) for name in names}}


def _say_all(notices: tuple[str, ...]) -> None:
    for notice in notices:
        say(notice)


def _options(given: argparse.Namespace) -> dict[str, Any]:
    from napari_ims_tumor.io.slide_export.choosing import parse_span

    same = (
        "labels", "classes", "mask", "groups", "numbers", "regions", "mz", "peaks", "bins",
        "tolerance", "normalize", "reduce", "by", "table", "array",
    )  # fmt: skip
    options = {name: getattr(given, name) for name in same}
    for name in ("rows", "columns", "planes"):
        text = getattr(given, name)
        options[name] = None if text is None else parse_span(text, name)
    options["mz_range"] = None if given.mz_range is None else _mass_range(given.mz_range)
    options["centroid"] = _centroid(given)
    return options


def _centroid(given: argparse.Namespace) -> object:
    from napari_ims_tumor.msi.centroiding import CentroidMethod

    details = {name: getattr(given, name) for name in ("position", "measure", "noise")}
    details = {name: value for name, value in details.items() if value is not None}
    if details and not given.centroid:
        raise QueryError(f"--{next(iter(details))} is for --centroid, which is not given")
    return CentroidMethod(**details) if given.centroid else None


def _mass_range(text: str) -> tuple[float, float]:
    low, _, high = text.partition("-")
    try:
        return float(low), float(high)
    except ValueError:
        raise QueryError(f"--mz-range {text!r}: give two numbers, like 600-900") from None
