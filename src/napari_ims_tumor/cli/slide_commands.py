"""``info``, ``ion-image``: look at one slide, a session or a model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from napari_ims_tumor.cli.model_facts import print_model
from napari_ims_tumor.cli.numbers import add_memory_to
from napari_ims_tumor.cli.outputs import refuse_image_path
from napari_ims_tumor.cli.session_facts import print_session
from napari_ims_tumor.cli.terminal import drive, print_facts, say

if TYPE_CHECKING:
    from napari_ims_tumor.io.imzml import ImzmlDataset
    from napari_ims_tumor.msi.mass_axis import MassWindow

SESSION: Final = ".imstumor"
MODEL: Final = ".safetensors"
AS_JSON: Final = "print JSON instead of a list"
SLIDE: Final = "the .imzML file"
Commands = Any
"""argparse keeps the type of its subparsers private."""


def add_to(commands: Commands) -> None:
    """Add the commands to the parser."""
    info = commands.add_parser("info", help="say what a slide, a model or a session is")
    info.add_argument(
        "slide",
        metavar="file",
        type=Path,
        help=".imzML, .safetensors (a model), .imstumor (a session)",
    )
    info.add_argument("--json", action="store_true", help=AS_JSON)
    add_memory_to(info)
    info.set_defaults(run=_info)

    image = commands.add_parser("ion-image", help="write the intensity inside an m/z window")
    image.add_argument("slide", type=Path, help=SLIDE)
    image.add_argument(
        "--mz", type=float, required=True, action="append", help="center of the window; repeatable"
    )
    image.add_argument(
        "--tolerance", default="0.1Da", help="half-width: 0.3Da, 5mDa or 20ppm; default 0.1Da"
    )
    image.add_argument(
        "--reduce",
        choices=["sum", "max", "mean"],
        default="sum",
        help="what is made of the points inside; default sum",
    )
    image.add_argument(
        "--normalize",
        metavar="BY",
        default="none",
        help="by what each spectrum is scaled: none (default), tic, rms, median, or a peak, "
        "reference:MZ or reference:MZ:TOLERANCE",
    )
    image.add_argument("-o", "--output", type=Path, required=True, help=".npy or .ome.tif")
    add_memory_to(image)
    image.set_defaults(run=_ion_image)


def slide_facts(slide: ImzmlDataset) -> dict[str, Any]:
    """Collect what ``info`` prints.

    Parameters
    ----------
    slide
        An open slide.

    Returns
    -------
    dict
        JSON-able, in reading order.
    """
    pixels = slide.pixels
    size = pixels.pixel_size_um
    return {
        "name": slide.name,
        "layout": slide.layout,
        "mode": slide.mode,
        "n_spectra": slide.n_spectra,
        "shape": list(pixels.image_shape),
        "origin": list(pixels.origin),
        "pixel_size_um": None if size is None else list(size),
        "n_bins": None if slide.mass_axis is None else len(slide.mass_axis),
        "mz_range": list(slide.mass_range),
        **{name: value for name, value in slide.metadata.items() if value},
        "warnings": list(slide.warnings),
    }


def _info(given: argparse.Namespace) -> int:
    from napari_ims_tumor.io.imzml import open_imzml_job

    special = {SESSION: print_session, MODEL: print_model}.get(given.slide.suffix.lower())
    if special is not None:
        special(given.slide, given.json)
        return 0
    with drive(open_imzml_job(given.slide, given.memory)) as slide:
        facts = slide_facts(slide)
    if given.json:
        print_facts(facts, as_json=True)
        return 0
    warnings = facts.pop("warnings")
    print_facts(facts, as_json=False)
    for warning in warnings:
        say(f"warning: {warning}")
    return 0


def _warn_of_nothing(slide: ImzmlDataset, window: MassWindow) -> None:
    """Zeros look like tissue without the ion: say where nothing could have been measured."""
    (low, high), axis = slide.mass_range, slide.mass_axis
    if window.high < low or window.low > high:
        say(f"{window} is outside this slide, which goes from {low:.2f} to {high:.2f}: all is 0")
    elif axis is not None and not ((axis.mz >= window.low) & (axis.mz <= window.high)).any():
        say(f"no m/z value of this slide lies in {window}: all is 0. Is the tolerance too small?")


def _ion_image(given: argparse.Namespace) -> int:
    from napari_ims_tumor.api import ion_images
    from napari_ims_tumor.io.image_file import write_image, write_planes
    from napari_ims_tumor.io.imzml import open_imzml_job
    from napari_ims_tumor.msi.ion_measure import IonMeasure
    from napari_ims_tumor.msi.mass_axis import MassTolerance, MassWindow
    from napari_ims_tumor.msi.normalization import read_normalizer

    tolerance = MassTolerance.parse(given.tolerance)
    measure = IonMeasure(given.reduce, read_normalizer(given.normalize, tolerance))
    refuse_image_path(given.output)
    windows = [MassWindow(mz, tolerance) for mz in given.mz]
    names = [str(window) for window in windows]
    with drive(open_imzml_job(given.slide, given.memory)) as slide:
        reference = [measure.normalize] if isinstance(measure.normalize, MassWindow) else []
        for window in (*windows, *reference):
            _warn_of_nothing(slide, window)
        images = ion_images(slide, windows, measure.normalize, measure.reduce)
        about = {
            "slide": slide.name,
            "windows": [[window.low, window.high] for window in windows],
            **measure.about(),
        }
        if len(names) == 1:
            write_image(given.output, images[0], names[0], slide.pixels, about)
        else:
            write_planes(given.output, images, names, slide.pixels, about)
    say(f"wrote {given.output}")
    return 0
