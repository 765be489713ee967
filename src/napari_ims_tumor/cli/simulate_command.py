"""``simulate``: make slides to try things on, with a truth that is known."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final

from napari_ims_tumor.cli.numbers import at_least_one, seed
from napari_ims_tumor.cli.outputs import refuse_folder_path
from napari_ims_tumor.cli.terminal import drive, say
from napari_ims_tumor.msi.synthetic.recipe import SCENES, SIGNAL_KINDS, SLIDE_LAYOUTS

Commands = Any
ABOUT: Final = (
    "Write simulated slides with labels, patients and planted truth, and one cohort.csv that "
    "fit and evaluate take. The same options give the same bytes."
)
SIGNALS: Final = (
    "what tells tumor: mixed (everything), additive (many small effects), local (a few strong "
    "envelopes), distant-gate (a middle peak decides which far one counts), none"
)
OPTIONS: Final = (
    "scene", "signal", "strength", "rows", "columns", "channels", "layout", "patients", "seed",
    "infiltration", "ions", "peak_width_da", "baseline", "patient_effect", "batch_effect",
    "label_noise", "hot_spots", "dead_pixels",
)  # fmt: skip


def add_to(commands: Commands) -> None:
    """Add the command to the parser."""
    simulate = commands.add_parser(
        "simulate", help="write simulated slides with labels and truth", description=ABOUT
    )
    add = simulate.add_argument
    add("-o", "--output", type=Path, required=True, help="folder")
    add("--slides", type=at_least_one, default=1, help="how many; default 1")
    add("--batches", type=at_least_one, default=1, help="batches they are measured in; default 1")
    add("--seed", type=seed, help="chooses chemistry, tissue and noise; default 0")
    _add_what_to(simulate.add_argument_group("tissue and signal"))
    _add_size_to(simulate.add_argument_group("size and layout"))
    _add_instrument_to(simulate.add_argument_group("instrument"))
    _add_trouble_to(simulate.add_argument_group("what makes it hard"))
    simulate.set_defaults(run=_simulate)


def _add_what_to(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--scene", choices=SCENES, help="a tissue array (default) or one whole section")
    add("--signal", choices=SIGNAL_KINDS, help=SIGNALS)
    add("--strength", type=float, metavar="X", help="of the signal, 0 to 10; default 1")
    add("--patients", type=at_least_one, help="cores of an array; default up to 12")
    add("--infiltration", type=float, metavar="0..1", help="raggedness of the tumor; default 0.3")


def _add_size_to(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--rows", type=int, help="12 to 4096; default 96")
    add("--columns", type=int, help="12 to 4096; default 128")
    add("--channels", type=int, help="samples of the m/z axis, from 50 on; default 12000")
    add("--layout", choices=SLIDE_LAYOUTS, help="how spectra are stored; default the first")


def _add_instrument_to(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--ions", type=float, metavar="N", help="in the top of a usual peak; default 40")
    add("--peak-width-da", type=float, metavar="DA", help="at half height; default 0.24")
    add("--baseline", type=float, metavar="X", help="chemical noise, 0 to 1000; default 1")


def _add_trouble_to(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--patient-effect", type=float, metavar="X", help="spread of patients, 0 to 2; default 0.2")
    add("--batch-effect", type=float, metavar="X", help="spread of batches, 0 to 5; default 1")
    add("--label-noise", type=float, metavar="SHARE", help="wrong labels, 0 to 0.5; default 0")
    add("--hot-spots", type=float, metavar="SHARE", help="pixels on crystals; default 0.001")
    add("--dead-pixels", type=float, metavar="SHARE", help="pixels without ions; default 0")


def _simulate(given: argparse.Namespace) -> int:
    from napari_ims_tumor.api import simulate_job

    refuse_folder_path(given.output)
    options = {name: getattr(given, name) for name in OPTIONS}
    written = drive(simulate_job(given.output, given.slides, given.batches, **options))
    for files in written:
        say(f"wrote {files.imzml}")
    if len(written) < given.slides:
        say(
            f"stopped after {len(written)} of {given.slides} slides; {written[0].cohort} lists them"
        )
    return 0
