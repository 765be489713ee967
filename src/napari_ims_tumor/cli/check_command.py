"""``check``: look for faults, and write down what was found for whoever made the files."""

from __future__ import annotations

import argparse
import json
import platform
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from napari_ims_tumor.cli.numbers import add_memory_to
from napari_ims_tumor.cli.outputs import refuse_text_path
from napari_ims_tumor.cli.terminal import drive, fact_lines, finite, print_facts, say

if TYPE_CHECKING:
    from napari_ims_tumor.io.imzml import SlideCheck

EXIT_CODES: Final = {"fine": 0, "warnings": 1, "unreadable": 2}
Commands = Any


def add_to(commands: Commands) -> None:
    """Add the command to the parser."""
    check = commands.add_parser(
        "check", help="look for faults: exit 0 fine, 1 warnings, 2 unreadable"
    )
    check.add_argument("slide", type=Path, help="the .imzML file")
    check.add_argument("--json", action="store_true", help="print JSON instead of a list")
    check.add_argument(
        "-o", "--output", type=Path, metavar="REPORT",
        help="also write a report to send to whoever made the files: .txt or .json",
    )  # fmt: skip
    add_memory_to(check)
    check.set_defaults(run=_check)


def _check(given: argparse.Namespace) -> int:
    from napari_ims_tumor.io.imzml import check_imzml

    if given.output is not None:
        refuse_text_path(given.output, given.slide)
    found: SlideCheck = drive(check_imzml(given.slide, given.memory))
    if given.json:
        print_facts(as_json(found), as_json=True)
    elif found.status != "unreadable":
        print_facts({"status": found.status, **_facts(found)}, as_json=False)
    for finding in found.findings:
        say(f"{finding.severity}: {finding.text}")
    if given.output is not None:
        _write(given.output, found)
        say(f"wrote {given.output}")
    return EXIT_CODES[found.status]


def as_json(found: SlideCheck) -> dict[str, Any]:
    """Turn a check into JSON values; no name of a folder, a person or a host is among them."""
    return {
        "slide": found.path.name,
        "status": found.status,
        "findings": [
            {
                "severity": finding.severity,
                "text": finding.text,
                "count": finding.count,
                "examples": list(finding.examples),
            }
            for finding in found.findings
        ],
        "files": dict(found.files),
        "facts": dict(found.facts),
        "checked": {
            "by": f"napari-ims-tumor {version('napari-ims-tumor')}",
            "python": platform.python_version(),
            "system": platform.system(),
            "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        },
    }


def as_text(found: SlideCheck) -> str:
    """Write a check as a plain report."""
    checked = as_json(found)["checked"]
    parts = [
        f"Check of {found.path.name}: {found.status}",
        f"by {checked['by']}, Python {checked['python']}, {checked['system']}, {checked['date']}",
    ]
    for title, facts in (("Files", found.files), ("Slide", _facts(found))):
        if facts:
            parts += ["", title, *(f"  {line}" for line in fact_lines(facts))]
    parts += ["", "Findings"]
    parts += [f"  {finding.severity}: {finding.text}" for finding in found.findings] or ["  none"]
    return "\n".join(parts) + "\n"


def _facts(found: SlideCheck) -> dict[str, Any]:
    """Facts of the slide that are not among those of its files."""
    told = {"uuid", *found.files}
    return {name: value for name, value in found.facts.items() if name not in told}


def _write(path: Path, found: SlideCheck) -> None:
    from napari_ims_tumor.atomic import atomic_write

    is_json = path.suffix.lower() == ".json"
    text = json.dumps(finite(as_json(found)), indent=2) + "\n" if is_json else as_text(found)
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
