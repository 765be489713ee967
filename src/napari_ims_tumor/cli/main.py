"""The front door of the command line: arguments in, an exit code out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from napari_ims_tumor.cli import cohort_commands, model_commands, slide_commands
from napari_ims_tumor.errors import ImsTumorError
from napari_ims_tumor.job import JobStopped

OK, CANNOT = 0, 2
INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one line."""

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {message} (see {self.prog} --help)", file=sys.stderr)  # noqa: T201
        raise SystemExit(CANNOT)


def parser() -> argparse.ArgumentParser:
    """Build the parser of all commands."""
    root = _Parser(prog="ims-tumor", description=__doc__)
    root.add_argument("--version", action="store_true", help="print the version and end")
    commands = root.add_subparsers(title="commands", metavar="COMMAND", parser_class=_Parser)
    slide_commands.add_to(commands)
    model_commands.add_to(commands)
    cohort_commands.add_to(commands)
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments
        Without the program's name; ``sys.argv`` by default.

    Returns
    -------
    int
        0 done, 1 done with warnings (``check``), 2 refused with one line on stderr.
    """
    try:
        given = parser().parse_args(arguments)
    except SystemExit as end:
        return int(end.code or 0)
    if given.version:
        return _print_version()
    if not hasattr(given, "run"):
        parser().print_help()
        return OK
    try:
        return int(given.run(given))
    except JobStopped:
        return _complain("stopped; nothing was written", INTERRUPTED)
    except KeyboardInterrupt:
        return _complain("stopped; nothing was written", INTERRUPTED)
    except ImsTumorError as error:
        return _complain(str(error))
    except MemoryError:
        return _complain("there is not enough memory for this")
    except OSError as error:
        return _complain(f"a file could not be used: {error}")


def _complain(message: str, code: int = CANNOT) -> int:
    line = " ".join(message.split())
    print(f"ims-tumor: {line}", file=sys.stderr)  # noqa: T201
    return code


def _print_version() -> int:
    from importlib.metadata import version

    print(version("napari-ims-tumor"))  # noqa: T201
    return OK
